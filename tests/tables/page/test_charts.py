"""Charts by what is drawn in them, and as pictures of a page."""

from base64 import b64decode
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from src.tables.page.charts import MARKED, key, over_epochs, uri


def svg(figure: Figure) -> ElementTree.Element:
    kind, _, content = uri(figure).partition(",")
    assert kind == "data:image/svg+xml;base64"
    return ElementTree.fromstring(b64decode(content))


def test_a_line_is_the_mean_of_its_seeds_and_the_band_their_range():
    (axis,) = over_epochs([[{1: 0.0, 2: 4.0}, {1: 2.0, 2: 8.0}]]).axes
    (line,), (band,) = axis.lines, axis.collections
    assert line.get_xydata().tolist() == [[1.0, 1.0], [2.0, 6.0]]
    assert {tuple(corner) for corner in band.get_paths()[0].vertices} == {
        (1.0, 0.0),
        (1.0, 2.0),
        (2.0, 4.0),
        (2.0, 8.0),
    }


def test_a_seed_that_stopped_early_leaves_the_others():
    (axis,) = over_epochs([[{1: 1.0}, {1: 2.0, 3: 5.0}]]).axes
    assert axis.lines[0].get_xydata().tolist() == [[1.0, 1.5], [3.0, 5.0]]


@pytest.mark.parametrize("rows", [[[{5: 3.0}]], [[{1: 1e-7, 2: 2e-7}], []], [[{1: 5.0, 2: 5.0}], [{}]]])
def test_few_values_and_equal_ones_are_drawn(rows: list[list[dict[int, float]]]):
    assert svg(over_epochs(rows)).tag.endswith("svg")


def test_the_ends_that_are_asked_for_are_the_axis_own():
    (axis,) = over_epochs([[{1: 0.4, 2: 0.6}]], (0.0, 1.0)).axes
    assert axis.get_ylim() == (0.0, 1.0)


def test_a_row_has_the_colour_of_its_key_with_other_rows_missing_too():
    (axis,) = over_epochs([[], [{1: 1.0}], [{1: 2.0}]]).axes
    for number, line in enumerate(axis.lines):
        (sample,) = key(number).artists
        assert (line.get_color(), line.get_linestyle()) == (sample.get_color(), sample.get_linestyle())
    assert len({line.get_color() for line in axis.lines}) == 3


def test_points_are_marked_where_they_are_few():
    markers = [
        over_epochs([[dict.fromkeys(range(count), 1.0)]]).axes[0].lines[0].get_marker() for count in (3, MARKED + 1)
    ]
    assert markers == [".", ""]


def test_a_picture_has_no_background_and_is_the_same_each_time():
    figures = [over_epochs([[{1: 1.0, 2: 2.0}]]) for _ in range(2)]
    assert uri(figures[0]) == uri(figures[1])
    assert not any(part.get_visible() for part in (figures[0].patch, figures[0].axes[0].patch))
