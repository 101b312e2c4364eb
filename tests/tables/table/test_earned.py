"""The last line of a table: which rows are better than what learns nothing."""

from pathlib import Path

import pytest
from scipy import stats

from src.tables.table.collect import collect
from src.tables.table.table import tabulate
from tests.tables.table.folders import write_run

REFERENCES = {"kid_source": 0.20, "kid_transfer": 0.17, "kid_aligned": 0.18, "kid_floor": 0.0}
SWD = {"swd_unit_source": 150.0, "swd_unit_transfer": 120.0, "swd_unit_aligned": 110.0}


def sweep(folder: Path, kids: dict[str, list[float]]) -> Path:
    for variant, values in kids.items():
        for seed, kid in enumerate(values):
            scores = {"kid": kid, "swd_unit": 100.0 + seed, "sharpness": 0.9, "sharpness_source": 0.7}
            write_run(folder / f"{variant}_{seed}", variant, seed, {**scores, **REFERENCES, **SWD})
    return folder


def last_line(folder: Path) -> str:
    return tabulate(collect([folder])).notes[-1]


def test_a_row_earned_it_if_its_whole_interval_is_below_the_best_that_learns_nothing(tmp_path: Path):
    line = last_line(sweep(tmp_path, {"cut": [0.15, 0.16, 0.155], "bam": [0.14, 0.16, 0.18]}))
    assert line.startswith("Earned its training")
    low, high = stats.t.interval(0.95, 2, 0.155, stats.sem([0.15, 0.16, 0.155]))
    assert f"cut: kid yes ([{low:.4f}, {high:.4f}]; colour transfer, 0.1700)" in line
    assert "bam: kid no ([" in line  # its mean is below, its interval is not
    assert line.count("swd_unit yes") == 2
    assert "colour alignment, 110" in line
    assert "sharpness" not in line


def test_one_seed_shows_nothing(tmp_path: Path):
    line = last_line(sweep(tmp_path, {"cut": [0.1]}))
    assert "cut: kid not shown (fewer than two seeds; colour transfer, 0.1700)" in line


def test_the_references_have_rows_of_their_own(tmp_path: Path):
    table = tabulate(collect([sweep(tmp_path, {"cut": [0.1, 0.2]})]))
    assert table.labels[:4] == [
        *("untranslated source", "colour transfer (Reinhard)", "colour alignment alone", "real against real")
    ]
    assert table.cells["colour transfer (Reinhard)", "kid"].mean == pytest.approx(0.17)
    assert next(column.arrow for column in table.columns if column.key == "sharpness") == "→ 1"


def test_tables_of_older_runs_say_nothing_of_it(tmp_path: Path):
    write_run(tmp_path / "cut_0", "cut", 0, {"kid": 0.1, "kid_source": 0.2, "kid_floor": 0.0})
    table = tabulate(collect([tmp_path]))
    assert table.labels[:2] == ["untranslated source", "real against real"]
    assert not [note for note in table.notes if note.startswith("Earned")]


def test_agreement_is_compared_with_what_only_changes_colours(tmp_path: Path):
    """A judge errs on colours alone too; the source, which agrees with itself, is no reference of this score."""
    for seed, agreement in enumerate([0.80, 0.81, 0.82]):
        beside = {"content_agreement_transfer": 0.78, "content_agreement_aligned": 0.79}
        write_run(
            tmp_path / f"cut_{seed}", "cut", seed, {"kid": 0.1, "content_agreement": agreement, **REFERENCES, **beside}
        )
    low, high = stats.t.interval(0.95, 2, 0.81, stats.sem([0.80, 0.81, 0.82]))
    assert low < 0.79 < high
    assert f"content_agreement no ([{low:.4f}, {high:.4f}]; colour alignment, 0.7900)" in last_line(tmp_path)
