"""From folders to what is printed."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from src.system.errors import UserError
from src.tables.table import figure, text
from src.tables.table.collect import collect
from src.tables.table.published import QUOTED
from src.tables.table.table import Table, tabulate
from tests.tables.table.folders import write_run

SEEDS = range(5)
# what each seed does to every variant alike, and what each variant differs by from CUT: bam's signs alternate around
# zero, so nothing can be shown of it; the others' differences are many times their spread
SHIFT = (0.0, 2.1, -1.7, 3.2, -0.4)
FROM_CUT = {
    "cut": (0.0, 0.0, 0.0, 0.0, 0.0),
    "cyclegan": (-2.1, -1.9, -2.3, -2.0, -1.8),
    "bam": (0.4, -0.5, 0.3, -0.2, -0.1),
    "triplet": (-10.2, -9.8, -10.1, -9.7, -10.3),
}
FID = tuple(FROM_CUT)


def scores(variant: str, seed: int) -> dict[str, float]:
    """FID as above; IS by the same pattern, a hundred times smaller and the other way round."""
    difference = FROM_CUT[variant][seed]
    fid = 55.0 + SHIFT[seed] + difference
    references = {"fid_source": 120.25, "fid_floor": 3.5, "is_source": 2.9, "is_floor": 3.0}
    return {"fid": fid, "is": 2.0 - 0.01 * (SHIFT[seed] + difference), "fid_raw": fid + 1, **references}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "sweep"
    for variant in FID:
        for seed in SEEDS:
            write_run(folder / f"{variant}_{seed}", variant, seed, scores(variant, seed))
    return folder


def table(folder: Path) -> Table:
    return tabulate(collect([folder]))


def markdown_cells(folder: Path) -> dict[str, dict[str, str]]:
    lines = [line.strip("| ").split(" | ") for line in text.markdown(table(folder)).split("\n\n")[0].splitlines()]
    return {line[0]: dict(zip(lines[0], line, strict=False)) for line in lines[2:]}


def test_cells_are_mean_and_deviation_over_seeds(sweep: Path):
    values = [scores("bam", seed)["fid"] for seed in SEEDS]
    record = next(record for record in table(sweep).records() if record["row"] == "bam")
    assert record["fid"] == pytest.approx(np.mean(values))
    assert record["fid:std"] == pytest.approx(np.std(values, ddof=1))
    assert (record["fid:n"], record["seeds"]) == (5, 5)
    lines = text.markdown(table(sweep)).splitlines()
    assert next(line for line in lines if line.startswith("| bam")).startswith(
        f"| bam | 5 | {np.mean(values):.2f} ± {np.std(values, ddof=1):.2f} | 51.40 | "
    )


def test_every_row_is_tested_against_cut_and_corrected_over_its_column(sweep: Path):
    tests = {one.row: one for one in table(sweep).tests if one.column.key == "fid"}
    assert list(tests) == ["cyclegan", "bam", "triplet"]
    ours = {v: [scores(v, seed)["fid"] for seed in SEEDS] for v in FID}
    raw = {v: stats.ttest_rel(ours[v], ours["cut"]) for v in tests}
    order = sorted(raw, key=lambda v: raw[v].pvalue)
    running = 0.0
    for factor, variant in zip((3, 2, 1), order, strict=True):
        running = max(running, min(1, factor * raw[variant].pvalue))
        assert tests[variant].p_holm == pytest.approx(running)
        assert tests[variant].test.p == pytest.approx(raw[variant].pvalue)
    assert tests["triplet"].better
    assert not tests["bam"].better


def test_bold_is_what_is_significantly_better_and_nothing_else(sweep: Path):
    found = table(sweep)
    better = {(one.row, one.column.key) for one in found.tests if one.better}
    assert ("triplet", "fid") in better
    line = next(line for line in text.markdown(found).splitlines() if line.startswith("| triplet"))
    assert "**" in line.split("|")[3]
    bold = [line for line in text.markdown(found).split("\n\n")[0].splitlines() if "**" in line]
    assert len(bold) == len({row for row, _ in better})
    assert text.latex(found).count(r"\textbf{") == len(better)


def test_significantly_worse_is_said_but_not_bold(tmp_path: Path):
    for seed in SEEDS:
        write_run(tmp_path / f"c{seed}", "cut", seed, {"fid": scores("triplet", seed)["fid"]})
        write_run(tmp_path / f"b{seed}", "bam", seed, {"fid": scores("cut", seed)["fid"]})
    (one,) = table(tmp_path).tests
    assert one.verdict == "worse"
    assert "worse than cut" in text.markdown(table(tmp_path))
    assert "**" not in text.markdown(table(tmp_path))


def test_more_is_better_for_the_inception_score(tmp_path: Path):
    for seed in SEEDS:
        write_run(tmp_path / f"c{seed}", "cut", seed, {"is": 2.0 + 0.01 * seed})
        write_run(tmp_path / f"b{seed}", "bam", seed, {"is": 3.0 + 0.01 * seed**2})
    (one,) = table(tmp_path).tests
    assert one.verdict == "better"


def test_references_are_rows_of_their_own_without_seeds(sweep: Path):
    records = table(sweep).records()
    assert [record["row"] for record in records[:2]] == ["untranslated source", "real against real"]
    assert [record["fid"] for record in records[:2]] == [120.25, 3.5]
    assert [record["seeds"] for record in records[:2]] == [None, None]


def test_a_reference_that_differs_in_its_last_bits_alone_has_no_deviation(tmp_path: Path):
    for seed, source in enumerate([120.25, 120.25000001]):
        write_run(tmp_path / f"c{seed}", "cut", seed, {"fid": 55.0, "fid_source": source})
    printed = text.markdown(table(tmp_path))
    assert "| untranslated source | - | 120.25 |" in printed
    assert "| cut | 2 | 55.00 ± 0.00 |" in printed  # of seeds, a deviation of zero is news


def test_the_papers_values_stand_as_printed_and_are_marked(sweep: Path):
    printed = text.markdown(table(sweep))
    assert "FID, paper (quoted) ↓" in printed
    assert "not comparable with the scores beside it" in printed
    for value in ("55.48", "52.87", "51.40", "50.55"):
        assert f"| {value} |" in printed


def test_the_papers_values_are_those_of_its_table():
    # the prose of Sec. 5.1 names the best of each: triplet 50.55, self 2.45, CycleGAN 287.18
    best = {"fid": (min, "triplet", "50.55"), "is": (max, "self", "2.45"), "swd_std": (min, "cyclegan", "287.18")}
    for family, (choose, variant, printed) in best.items():
        values = QUOTED[family][1]
        assert choose(values, key=lambda name: float(values[name])) == variant
        assert values[variant] == printed
        assert len(values) == 6


def test_one_seed_is_labelled_one_seed(tmp_path: Path):
    write_run(tmp_path / "a", "cut", 0, {"fid": 2.0})
    write_run(tmp_path / "b", "bam", 0, {"fid": 1.0})
    found = table(tmp_path)
    assert not found.tests
    assert "One seed, so no deviation and no test: cut, bam." in found.notes
    assert "±" not in text.markdown(found).split("Cells:")[0]


def test_rows_that_a_score_puts_above_real_images_are_named(tmp_path: Path):
    for variant, values in {"cut": (1.6, 9.0), "bam": (1.9, 2.0)}.items():
        scores = {"is": values[0], "is_floor": 1.7, "fid": values[1], "fid_floor": 3.0, "sharpness": 2.0}
        write_run(tmp_path / variant, variant, 0, scores | {"sharpness_floor": 1.0})
    found = [note for note in table(tmp_path).notes if "real images" in note]
    assert found == [
        "is: the real images have 1.700. More than that, as of bam, is no nearer to them.",
        "fid: the real images have 3.000. Less than that, as of bam, is no nearer to them.",
    ]
    (tmp_path / "bam" / "metrics.json").unlink()
    assert not any("real images" in note for note in table(tmp_path).notes)


def test_what_is_missing_is_a_dash_and_never_a_number(tmp_path: Path):
    write_run(tmp_path / "a", "cut", 0, {"fid": 2.0, "kid": 0.5})
    write_run(tmp_path / "b", "entropy", 0, {"fid": 1.0})
    line = next(line for line in text.markdown(table(tmp_path)).splitlines() if line.startswith("| entropy"))
    assert line.split(" | ")[2:5] == ["1.000", "-", "-"]
    last = list(csv.DictReader(io.StringIO(text.rows_csv(table(tmp_path)))))[-1]
    assert (last["kid"], last["fid_quoted"]) == ("", "")


def test_a_diverged_seed_is_shown_and_not_left_out(tmp_path: Path):
    for seed, value in enumerate((1.0, float("nan"))):
        write_run(tmp_path / f"c{seed}", "cut", seed, {"fid": 2.0 + seed})
        write_run(tmp_path / f"b{seed}", "bam", seed, {"fid": value})
    assert "nan ± nan" in text.markdown(table(tmp_path))
    assert "Not tested against cut: bam (scores that are not finite, of b1)." in table(tmp_path).notes
    assert figure.draw(table(tmp_path)).startswith(b"\x89PNG")


def test_a_diverged_seed_is_no_reason_where_too_few_are_shared_or_nothing_differs(tmp_path: Path):
    for seed in range(3):
        write_run(tmp_path / f"c{seed}", "cut", seed, {"fid": 2.0 + seed})
        write_run(tmp_path / f"b{seed}", "bam", seed, {"fid": 1.0 + seed})
        write_run(tmp_path / f"s{seed}", "self", 2 + seed, {"fid": float("nan")})
    why = "fewer than two seeds in common with cut, or differences that do not vary"
    assert f"Not tested against cut: self, bam ({why})." in table(tmp_path).notes


def test_seeds_are_drawn_under_their_own_row(sweep: Path):
    shown = table(sweep)
    (axis,) = figure.panel(shown, shown.columns[0]).axes
    heights = [round(float(line.get_ydata()[0]) - 0.22) for line in axis.lines if line.get_marker() == "."]
    assert [shown.labels[height] for height in heights] == [row.label for row in shown.rows if len(row.runs) > 1]


def test_a_partly_missing_score_names_its_own_n(tmp_path: Path):
    for seed in range(3):
        write_run(tmp_path / f"c{seed}", "cut", seed, {"fid": 2.0 + seed} | ({"kid": 0.1 * seed} if seed else {}))
    assert "(n=2)" in text.markdown(table(tmp_path))


def test_without_cut_nothing_is_tested_and_that_is_said(tmp_path: Path):
    for seed in range(2):
        write_run(tmp_path / f"b{seed}", "bam", seed, {"fid": 2.0 + seed})
    assert "Not tested against cut: bam (there is no cut row)." in table(tmp_path).notes


def test_different_protocols_are_refused_by_key_value_and_run(sweep: Path):
    write_run(sweep / "odd", "self", 0, {"fid": 1.0}, protocol={"side": 96, "data_digest": "d2"})
    with pytest.raises(UserError) as raised:
        table(sweep)
    message = str(raised.value)
    assert re.search(r"side is 64 in bam_0, bam_1, bam_2 and 17 more, 96 in odd", message)
    assert re.search(r"data_digest is d1 in .*, d2 in odd", message)
    assert "\n" not in message


def test_a_key_only_some_protocols_have_is_a_difference(sweep: Path):
    write_run(sweep / "odd", "self", 0, {"fid": 1.0}, protocol={"splits": 10})
    with pytest.raises(UserError, match=r"splits is - in .*, 10 in odd"):
        table(sweep)


def test_what_older_protocols_do_not_tell_is_compared_among_those_that_do(sweep: Path):
    write_run(sweep / "newer", "self", 7, {"fid": 1.0}, protocol={"frame_size": "64 x 112", "white": 65535})
    assert "frame_size: 64 x 112; white: 65535" in table(sweep).protocol
    write_run(sweep / "other", "self", 8, {"fid": 1.0}, protocol={"frame_size": "96 x 168", "white": 4095})
    message = r"table: frame_size is 64 x 112 in newer, 96 x 168 in other; white is 65535 in newer, 4095 in other; rep"
    with pytest.raises(UserError, match=message):
        table(sweep)


def test_what_a_run_has_of_its_own_is_no_difference_but_commits_are_told(sweep: Path):
    write_run(sweep / "other", "self", 7, {"fid": 1.0}, protocol={"commit": "c2"})
    found = table(sweep)
    assert "Warning: the runs are of different commits: c1, c2." in found.notes
    assert "seeds: 0, 1, 2, 3, 4, 7; commit: c1, c2; n_fake: 8" in found.protocol
    for row, kind in (("gpu", "torch 2, H100"), ("laptop", "torch 2, cpu x2")):
        write_run(sweep / row, row, 0, {"fid": 1.0}, protocol={"arithmetic": kind})
    assert "commit: c1, c2; arithmetic: torch 2, H100 or torch 2, cpu x2; n_fake" in table(sweep).protocol


def test_unfinished_runs_are_named(sweep: Path):
    write_run(sweep / "killed", "self", 0, None)
    (sweep / "multirun.yaml").write_text("{}")
    (sweep / "refused").mkdir()
    (sweep / ".submitit").mkdir()
    assert table(sweep).notes[-1].endswith("so not in the table: killed, refused.")


def test_a_folder_without_runs_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="holds no run"):
        collect([tmp_path])
    with pytest.raises(UserError, match="no such folder"):
        collect([tmp_path / "nowhere"])
    write_run(tmp_path / "killed", "self", 0, None)
    with pytest.raises(UserError, match="no run has scores yet: killed"):
        table(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"metrics": {"fid": "x"}, "protocol": {}}', '{"metrics": {}}'])
def test_a_broken_file_of_scores_is_one_line(content: str, tmp_path: Path):
    write_run(tmp_path / "a", "cut", 0, {"fid": 1.0})
    (tmp_path / "a" / "metrics.json").write_text(content)
    with pytest.raises(UserError, match=r"metrics.json: not the scores of a run") as raised:
        collect([tmp_path])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", ["{", "[]", '{"seconds": "x"}'])
def test_a_broken_file_of_costs_is_one_line_and_a_missing_one_leaves_no_column(content: str, tmp_path: Path):
    write_run(tmp_path / "a", "cut", 0, {"fid": 1.0})
    assert "seconds_per_step" in text.runs_csv(table(tmp_path))
    (tmp_path / "a" / "cost.json").write_text(content)
    with pytest.raises(UserError, match=r"cost.json: not the cost of a run"):
        collect([tmp_path])
    (tmp_path / "a" / "cost.json").unlink()
    assert "seconds_per_step" not in text.runs_csv(table(tmp_path))


def test_a_run_named_twice_counts_once(sweep: Path):
    assert len(collect([sweep, sweep / "cut_0"]).finished) == 20


def test_latex_is_well_formed(sweep: Path):
    write_run(sweep / "odd_one", "self", 0, {"fid": 1.0})
    source = text.latex(table(sweep))
    unescaped = re.sub(r"\\.", "", source)
    assert unescaped.count("{") == unescaped.count("}")
    for tabular in re.findall(r"\\begin\{tabular\}\{(l r*|lr*)\}(.*?)\\end\{tabular\}", source, re.DOTALL):
        lines = [line for line in tabular[1].splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines} == {len(tabular[0])}
    assert source.count(r"\begin{tabular}") == 2
    assert not re.search(r"(?<!\\)[_%#]", source.replace("}{!}{%", ""))


def test_runs_csv_holds_every_seeds_own_values(sweep: Path):
    lines = list(csv.DictReader(io.StringIO(text.runs_csv(table(sweep)))))
    assert len(lines) == 20
    one = next(line for line in lines if line["run"] == "triplet_3")
    assert (one["row"], one["seed"], one["commit"]) == ("triplet", "3", "c1")
    assert float(one["fid"]) == scores("triplet", 3)["fid"]
    assert float(one["fid_raw"]) == scores("triplet", 3)["fid_raw"]
    assert one["peak_process_bytes"] == str(float(2**30))


def test_a_long_label_leaves_a_figure_room(tmp_path: Path):
    settings = {"batch_size": 1, "a_setting_of_a_rather_long_name": 1, "another_of_these": 2, "and_the_last_of_all": 3}
    for seed, factor in enumerate((1, 2)):
        chosen = {key: value * factor for key, value in settings.items()}
        write_run(tmp_path / str(seed), "cut", seed, {"fid": 1.0 + seed}, selection={"_target_": "a.B", **chosen})
    found = table(tmp_path)
    (axis,) = figure.panel(found, found.columns[0]).axes
    drawn = [label.get_text() for label in axis.get_yticklabels()]
    assert [label.replace("\n", " ") for label in drawn] == found.labels
    lines = [line for label in drawn for line in label.split("\n")]
    assert max(map(len, lines)) <= figure.WIDEST < max(map(len, found.labels))
