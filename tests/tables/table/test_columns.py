"""Columns follow from the names in metrics.json."""

from pathlib import Path

import pytest

from src.tables.table.collect import ScoredRun, collect
from src.tables.table.columns import columns, family_of, headlines
from tests.tables.table.folders import write_run


def runs(folder: Path, metrics: dict[str, float]) -> list[ScoredRun]:
    return list(collect([write_run(folder / "run", "cut", 0, metrics)]).finished)


def test_companions_are_no_columns_but_swd_std_is():
    names = ["fid", "is", "is_std", "kid", "kid_std", "swd_unit", "swd_unit_spread", "swd_std", "best_epoch"]
    names += [f"{name}{of}" for name in names for of in ("_source", "_floor", "_raw", "_best")]
    assert headlines(names) == ["fid", "is", "kid", "swd_unit", "swd_std"]


def test_a_deviation_named_before_its_extractor_is_no_score():
    # with "more is better" it would be tested against CUT as if it were one
    names = [f"{score}_efficientnet_lite0" for score in ("kid", "kid_std", "fid", "is", "is_std")]
    names += ["kid_efficientnet_lite0_error", "swd_unit_error", "swd_std_error"]
    names += ["swd_unit", "swd_unit_spread", "swd_std", "swd_std_spread"]
    names += [f"{name}{of}" for name in names for of in ("_source", "_floor", "_raw", "_best")]
    scores = [f"{score}_efficientnet_lite0" for score in ("kid", "fid", "is")]
    assert headlines(names) == [*scores, "swd_unit", "swd_std"]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("fid", "fid"),
        ("fid_efficientnet_lite0", "fid"),
        ("is_clip", "is"),
        ("swd_std", "swd_std"),
        ("issue", "issue"),
        ("miou", "miou"),
    ],
)
def test_a_scores_family_does_not_depend_on_its_extractor(name: str, family: str):
    assert family_of(name) == family


def test_arrows_the_best_epoch_and_the_paper_stand_beside_a_score(tmp_path: Path):
    metrics = {"fid_dinov2": 51.0, "is": 2.1, "is_std": 0.1, "fid_dinov2_best": 49.0, "colour": 1.0}
    found = [(c.key, c.kind, c.arrow) for c in columns(runs(tmp_path, metrics)) if c.kind != "cost"]
    assert found == [
        ("fid_dinov2", "score", "↓"),
        ("fid_dinov2_best", "best", "↓"),
        ("fid_quoted", "quoted", "↓"),
        ("is", "score", "↑"),
        ("is_quoted", "quoted", "↑"),
        ("colour", "score", ""),
    ]


def test_costs_come_last_in_units_for_people(tmp_path: Path):
    found = columns(runs(tmp_path, {"fid": 1.0}))[2:]
    assert [c.heading for c in found] == [
        *(f"parameters, {part}" for part in ("G", "D", "heads", "attention")),
        *("s/step", "peak process memory, GiB"),
    ]
    (run,) = collect([tmp_path]).finished
    assert [c.text(c.of(run)) for c in found] == ["11,378,179", "2,764,737", "560,384", "0", "0.2500", "1.000"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(55.4812, "55.48"), (395.784, "395.8"), (0.032871, "0.03287"), (2226.4, "2,226"), (-0.5, "-0.5000")],
)
def test_four_digits_are_shown(value: float, text: str, tmp_path: Path):
    column = columns(runs(tmp_path, {"fid": value}))[0]
    assert column.text(value) == text


def test_a_score_by_a_network_that_took_part_in_training_is_named_and_never_compared(tmp_path: Path):
    metrics = {"kid_efficientnet_lite0": 0.2, "kid_efficientnet_lite2": 0.1, "kid_efficientnet_lite2_source": 0.3}
    ours, plain = (
        write_run(tmp_path / name, name, 0, metrics, protocol={"discriminator_through": through} if through else {})
        for name, through in (("triplet", "efficientnet_lite2"), ("cut", ""))
    )
    found = {c.key: c for c in columns(list(collect([ours, plain]).finished)) if c.kind == "score"}
    assert found["kid_efficientnet_lite0"].direction == -1
    judge = found["kid_efficientnet_lite2"]
    assert (judge.direction, judge.arrow) == (0, "")
    assert judge.heading == "kid_efficientnet_lite2, whose network took part in training"
    alone = {c.key: c for c in columns(list(collect([plain]).finished))}
    assert alone["kid_efficientnet_lite2"].direction == -1
