"""What the last fifth of the training bought, and how many seeds tell two rows apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from src.report import main
from src.runs.results import CURVE, load_curve, save_curve
from src.system.errors import UserError
from src.tables.table.statistics import pairs_needed, power
from tests.tables.table.folders import write_run


def sweep(root: Path, rows: dict[str, Sequence[float]], curves: dict[str, Sequence[float]] | None = None) -> Path:
    """A row of each name, a seed for each KID; a curve goes through KIDs at equal distances to its seed's own."""
    for name, ends in rows.items():
        for seed, kid in enumerate(ends):
            folder = write_run(root / f"{name}_{seed}", name, seed, {"kid": kid})
            if curves and name in curves:
                values = [*curves[name], kid]
                points = [
                    {"epoch": epoch, "minutes": 2.0 * epoch, "kid": value} for epoch, value in enumerate(values, 1)
                ]
                save_curve(folder, points)
    return root


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(list(arguments)) == 0
    return [line for line in capsys.readouterr().err.splitlines() if not line.startswith("written: ")]


@pytest.mark.parametrize(("effect", "needed"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_seeds_are_as_many_as_in_published_tables(effect: float, needed: int):
    """G*Power 3.1 and statsmodels' TTestPower, two-sided, 5 %, power 80 %: 198.2, 33.4, 14.3 and 9.9."""
    assert pairs_needed(effect) == needed
    assert power(effect, needed - 1) < 0.8 <= power(effect, needed)


@pytest.mark.parametrize(("effect", "n"), [(0.0, 5), (1.0, 3), (1.0, 10), (-2.0, 4)])
def test_power_is_how_often_the_paired_t_test_finds_a_difference(effect: float, n: int):
    """Within four standard errors of 40,000 experiments, by scipy's test of them."""
    draws = np.random.default_rng(0).normal(effect, 1.0, (40_000, n))
    found = float((stats.ttest_1samp(draws, 0.0, axis=1).pvalue < 0.05).mean())
    assert power(effect, n) == pytest.approx(found, abs=4 * 0.5 / 200)


def test_what_is_too_small_to_be_found_needs_more_than_is_tried():
    assert pairs_needed(0.01) is None


def test_the_end_of_a_training_is_held_against_the_spread_of_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    # five epochs of two minutes: the last fifth begins at eight, which is the fourth epoch's score
    rows = {"cut": [0.20, 0.24], "bam": [0.30, 0.302]}
    root = sweep(tmp_path, rows, {"cut": [0.5, 0.4, 0.3, 0.23], "bam": [0.5, 0.45, 0.4, 0.35]})
    cut, bam, *_ = said(capsys, str(root))
    # CUT gains 0.03 and -0.01; its seeds deviate by 0.0283
    assert cut == (
        "cut: the last fifth of the training (2 minutes a run) bought 0.0100 ± 0.0283 of kid; seeds lie 0.0283 apart, "
        "which is more: another seed says more than longer training"
    )
    assert bam.startswith("bam: the last fifth of the training (2 minutes a run) bought 0.0490 ± 0.0014 of kid; ")
    assert bam.endswith("seeds lie 0.0014 apart, which is less: longer training may still pay")


def test_a_score_that_became_worse_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = sweep(tmp_path, {"cut": [0.3, 0.31]}, {"cut": [0.5, 0.4, 0.3, 0.2]})
    (line,) = said(capsys, str(root))
    assert line.endswith("it had stopped to improve before")


def test_between_two_scored_epochs_the_score_is_on_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Two epochs of two minutes: the last fifth begins at 3.2, three fifths of the way from 0.5 to 0.3."""
    root = sweep(tmp_path, {"cut": [0.3]}, {"cut": [0.5]})
    (line,) = said(capsys, str(root))
    assert "(0.8 minutes a run) bought 0.0800 of kid; one seed, so" in line


def test_every_row_is_held_against_cut_and_two_named_ones_against_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    root = sweep(tmp_path, {"cut": [0.2, 0.3, 0.4], "bam": [0.1, 0.25, 0.28], "triplet": [0.3, 0.36, 0.51]})
    lines = said(capsys, str(root))
    assert [line.split(" differ ")[0] for line in lines] == ["bam and cut", "triplet and cut"]
    differences = np.array([-0.1, -0.05, -0.12])
    needed = pairs_needed(differences.mean() / differences.std(ddof=1))
    assert lines[0] == (
        f"bam and cut differ by -0.0900 ± 0.0361 in kid over 3 seeds: were that so, {needed} seeds each would show it "
        "(paired t-test, 5 %, power 80 %); of so few seeds that is a rough guess"
    )
    (line,) = said(capsys, str(root), "--apart", "triplet", "bam")
    assert line.startswith("triplet and bam differ by 0.1800 ± ")


def test_rows_that_are_not_there_or_share_no_seeds_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = sweep(tmp_path, {"cut": [0.2, 0.3], "bam": [0.1]})
    assert main([str(root), "--apart", "cut", "bem"]) == 1
    assert capsys.readouterr().err == "--apart must be one of cut, bam, got 'bem'; did you mean bam?\n"
    assert main([str(root), "--apart", "cut", "bam"]) == 1
    assert "share fewer than two scored seeds" in capsys.readouterr().err


def test_the_table_is_the_same_with_and_without_curves(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = {"cut": [0.2, 0.3], "bam": [0.1, 0.15]}
    without, curved = sweep(tmp_path / "a", rows), sweep(tmp_path / "b", rows, {"cut": [0.4, 0.3, 0.25, 0.2]})
    said(capsys, str(without))
    said(capsys, str(curved))
    for name in ("table.md", "table.csv", "table.tex", "runs.csv"):
        assert (without / name).read_bytes() == (curved / name).read_bytes()


def test_a_curve_that_cannot_be_read_is_named(tmp_path: Path):
    (tmp_path / CURVE).write_text("epoch,minutes,kid\none,2,3\n")
    with pytest.raises(UserError, match=r"curve.csv: not the curve of a run"):
        load_curve(tmp_path)
