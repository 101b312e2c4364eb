"""Charts by geometry: what is drawn lies where its numbers say."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from src.tables.page.charts import Line, Strip, key, over_epochs, rounded, span, strip


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (0.23, 0.46, None),
        (-3, 900, None),
        (5, 5, None),
        (0, 0, None),
        (1e-7, 2e-7, None),
    ],
)
def test_ticks_are_round_and_hold_the_values(low: float, high: float, ticks: list[float] | None):
    found = rounded(low, high)
    assert found[0] <= low <= high <= found[-1]
    assert 2 <= len(found) <= 7
    steps = {round((b - a) / (found[1] - found[0]), 6) for a, b in pairwise(found)}
    assert steps == {1.0}
    digits = f"{found[1] - found[0]:.3e}".partition("e")[0].rstrip("0").rstrip(".")
    assert digits in ("1", "2", "2.5", "5")
    if ticks:
        assert found == pytest.approx(ticks)


def points(markup: str, kind: str) -> list[tuple[float, float]]:
    path = re.search(rf'class="{kind} s0" d="M([^"Z]*)', markup)
    assert path is not None
    return [(float(x), float(y)) for x, y in (pair.split() for pair in path[1].split("L"))]


def test_a_line_is_the_mean_of_its_seeds_and_the_band_their_range():
    chart = over_epochs("kid", [Line("cut", 0, [{1: 0.0, 2: 4.0}, {1: 2.0, 2: 8.0}])])
    mean, band = points(chart, "line"), points(chart, "band")
    bottom, top = max(y for _, y in band), min(y for _, y in band)  # 0 and 8
    assert mean[0][0] < mean[1][0]
    assert mean[0][1] == pytest.approx(bottom + (top - bottom) / 8, abs=0.11)
    assert mean[1][1] == pytest.approx(bottom + (top - bottom) * 6 / 8, abs=0.11)
    assert [x for x, _ in band] == [mean[0][0], mean[1][0], mean[1][0], mean[0][0]]


def test_a_seed_that_stopped_early_leaves_the_others():
    assert len(points(over_epochs("a", [Line("cut", 0, [{1: 1.0}, {1: 2.0, 3: 5.0}])]), "line")) == 2


def test_one_epoch_and_one_value_are_drawn():
    assert len(points(over_epochs("a", [Line("cut", 0, [{5: 3.0}])]), "line")) == 1


def test_names_are_escaped():
    evil = '</title><script>alert("x")</script>'
    for markup in (over_epochs(evil, [Line(evil, 0, [{1: 1.0}])]), key(3)):
        ElementTree.fromstring(markup)  # well-formed
        assert "<script" not in markup


def test_a_strip_places_mean_deviation_and_seeds():
    row = Strip(mean=5.0, std=2.0, seeds=[3.0, 7.0], kind="plain")
    assert span([row]) == (3.0, 7.0)
    svg = ElementTree.fromstring(strip(row, (0.0, 10.0), base=10.0))
    at = {element.get("class"): element for element in svg}
    assert at["mark"].get("x") == "50.00%"
    seeds = [element.get("cx") for element in svg if element.get("class") == "seed"]
    assert seeds == ["32.40%", "67.60%"]  # 6 % of margin on either side
    bar = next(element for element in svg if element.get("class") == "bar")
    assert (bar.get("x1"), bar.get("x2")) == ("32.40%", "67.60%")
    assert at["base"].get("x1") == "94.00%"


def test_a_single_seed_has_no_bar():
    svg = ElementTree.fromstring(strip(Strip(5.0, None, [5.0], "better"), (5.0, 6.0), None))
    assert {element.get("class") for element in svg} == {"grid", "mark"}
