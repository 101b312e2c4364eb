"""The downstream table against numbers worked out by hand."""

import csv
import math
from pathlib import Path

import pytest

from src.report import main
from src.system.errors import UserError
from src.tables.study_table import RAW, REAL, Cell, Study, latex, load, markdown, save, table_csv, tabulate

KEPT = Path(__file__).resolve().parents[2] / "experiments" / "streets_downstream"


def cell(row: str, seed: int, miou: float, translator: str = "") -> Cell:
    return Cell(row, translator, seed, {"miou": miou, "accuracy": 0.5 + miou / 2, "iou/tree": miou / 2})


CELLS = [
    *(cell(RAW, seed, miou) for seed, miou in enumerate((0.20, 0.22, 0.24))),
    *(cell("triplet", seed, miou, "run1") for seed, miou in enumerate((0.30, 0.32, 0.34))),
    *(cell("triplet", seed, miou, "run2") for seed, miou in enumerate((0.36, 0.38, 0.40))),
    cell("cut", 0, 0.21, "run3"),
    *(cell(REAL, seed, miou) for seed, miou in enumerate((0.60, 0.62, 0.64))),
]


def test_rows_of_one_set_are_over_seeds():
    raw = tabulate(CELLS)[0]
    assert (raw.row, raw.n, raw.unit) == (RAW, 3, "seed")
    assert raw.means["miou"] == pytest.approx(0.22)
    assert raw.std == pytest.approx(0.02)
    half = 4.302653 * 0.02 / math.sqrt(3)  # Student's t of two degrees of freedom
    assert raw.interval == pytest.approx((0.22 - half, 0.22 + half), abs=1e-6)


def test_rows_of_several_translators_are_over_translators():
    triplet = tabulate(CELLS)[1]
    assert (triplet.n, triplet.unit) == (2, "translator")
    assert triplet.means["miou"] == pytest.approx(0.35)
    assert triplet.std == pytest.approx(0.06 / math.sqrt(2))
    assert triplet.means["iou/tree"] == pytest.approx(0.175)


def test_the_gap_closed_is_0_for_raw_and_1_for_real():
    closed = {line.row: line.gap_closed for line in tabulate(CELLS)}
    assert closed == pytest.approx({RAW: 0, "triplet": 0.13 / 0.4, "cut": -0.01 / 0.4, REAL: 1})


def test_there_is_no_gap_where_real_is_no_better_or_missing():
    worse = [cell(RAW, 0, 0.5), cell("cut", 0, 0.6, "a"), cell(REAL, 0, 0.4)]
    assert {line.gap_closed for line in tabulate(worse)} == {None}
    assert {line.gap_closed for line in tabulate(worse[:2])} == {None}


def test_pairs_and_errors_of_the_kept_study():
    """Overlapping intervals hid that triplet's sets train a better segmenter than the raw frames do."""
    lines = {line.row: line for line in tabulate(load(KEPT).cells)}
    pair = lines["triplet"].over[RAW]
    assert [round(100 * value, 2) for value in (pair.difference, pair.low, pair.high)] == [3.69, 0.85, 6.54]
    assert pair.n == 3
    assert lines["triplet"].interval[0] < lines[RAW].interval[1]
    # by hand from the printed means and deviations: 0.41, 1.11 and 0.42 points over three
    squares = 0.41**2 + (1 - 0.39) ** 2 * 1.11**2 + 0.39**2 * 0.42**2
    assert lines["triplet"].gap_error == pytest.approx((squares / 3) ** 0.5 / 9.43, rel=0.03)
    assert lines["triplet"].gap_error == pytest.approx(0.045, abs=0.006)
    assert lines[RAW].gap_error is None
    assert set(lines["triplet"].over) == {RAW, "cut"}
    assert set(lines["cut"].over) == {RAW}


def test_pairs_are_by_the_segmenters_seed():
    # by seed over two translators: 0.33, 0.35, 0.37, each 0.13 above raw: differences without variance are no test
    assert tabulate(CELLS)[1].over == {}
    cells = [*CELLS, cell("self", 1, 0.32, "run4"), cell("self", 2, 0.30, "run5")]
    pair = tabulate(cells)[-1].over[RAW]
    # differences 0.10 and 0.06: mean 0.08, deviation of it 0.02, Student's t of one degree 12.7062
    assert (pair.n, pair.difference) == (2, pytest.approx(0.08))
    assert (pair.low, pair.high) == pytest.approx((0.08 - 12.7062 * 0.02, 0.08 + 12.7062 * 0.02), abs=1e-5)
    assert "| self | raw source | 2 | +8.00 [-17.41, +33.41] |" in markdown(tabulate(cells), "tree", {})


def test_several_configurations_of_cut_are_named_where_differences_from_it_are_missing():
    cuts = [cell(f"cut (lr={rate})", seed, 0.3 + 0.1 * seed * rate, str(rate)) for rate in (1, 2) for seed in (0, 1)]
    note = (
        "Differences from cut are missing, as its runs are of several configurations (cut (lr=1), cut (lr=2)): name "
        "the runs of one alone."
    )
    assert note in markdown(tabulate([*CELLS[:3], *cuts]), "tree", {})
    assert "Differences from cut" not in markdown(tabulate(CELLS), "tree", {})
    assert "Differences from cut" not in markdown(tabulate(CELLS[:9]), "tree", {})  # no run of CUT


def test_one_seed_has_neither_deviation_nor_interval_and_says_so():
    lines = tabulate([cell(RAW, 0, 0.5)])
    assert (lines[0].std, lines[0].interval) == (None, None)
    assert "n = 1 is one draw" in markdown(lines, "tree", {})
    assert "n = 1" not in markdown(tabulate(CELLS[:3]), "tree", {})


def test_the_files_show_the_same_rows():
    lines = tabulate(CELLS)
    text = markdown(lines, "tree", {"n_test": 5})
    assert "| raw source | 3 seeds | 22.00 ± 2.00 | [17.03, 26.97] | 0.00 | 61.00 | 11.00 |" in text
    assert "Protocol: n_test: 5." in text
    rows = list(csv.DictReader(table_csv(lines).splitlines()))
    assert [row["row"] for row in rows] == [RAW, "triplet", "cut", REAL]
    assert float(rows[1]["gap_closed"]) == pytest.approx(0.325)
    assert r"raw source & 3 seeds & 22.00 $\pm$ 2.00" in latex(lines, "tree")
    assert r"mIoU, \%" in latex(lines, "tree")


def test_latex_prints_every_sign_of_a_name():
    lines = tabulate([cell("a_b & ~c ^d \\e {f}", 0, 0.2), cell(REAL, 0, 0.6)])
    row = next(line for line in latex(lines, "tree").splitlines() if line.startswith("a"))
    name = r"a\_b \& \textasciitilde{}c \textasciicircum{}d \textbackslash{}e \{f\}"
    assert row.split(" & 1 seed")[0] == name


def test_a_kept_study_is_the_study(tmp_path: Path):
    study = Study(CELLS, "tree", {"n_test": 5})
    table = save(study, tmp_path)
    assert load(tmp_path) == study
    assert table == markdown(tabulate(CELLS), "tree", {"n_test": 5})


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"cells": []}',
        '{"cells": [{"row": "a"}], "watched": "tree", "protocol": {}}',
        '{"cells": [{"row": "a", "translator": "", "seed": 0, "metrics": {}}], "watched": "tree", "protocol": {}}',
    ],
)
def test_a_spoilt_study_is_one_line(content: str, tmp_path: Path):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(UserError, match=r"study.json: .* make it again with src.study"):
        load(tmp_path)


def test_a_study_without_cells_is_refused():
    with pytest.raises(UserError, match="no finished segmenter yet"):
        tabulate([])


def test_a_kept_study_is_reported_into_any_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(KEPT), "--output", str(tmp_path / "new/tables")]) == 0
    assert (tmp_path / "new/tables/table.md").read_text() == capsys.readouterr().out
    (tmp_path / "file").touch()
    assert main([str(KEPT), "--output", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err == f"{tmp_path}/file: cannot be written (File exists); choose another folder\n"
