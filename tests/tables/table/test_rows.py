"""Which runs share a row, and what a row is called."""

from pathlib import Path
from typing import Any

import pytest

from src.system.errors import UserError
from src.tables.table.collect import collect
from src.tables.table.protocol import shared
from src.tables.table.rows import Row, base_of, pooled
from tests.tables.table.folders import write_run

SPREAD = {"_target_": "src.networks.selection.spread.Spread", "patches": 64, "separation": 0.2}


def rows(folder: Path) -> list[Row]:
    return pooled(collect([folder]).finished)


def labels(folder: Path) -> list[str]:
    return [row.label for row in rows(folder)]


def test_rows_stand_in_the_papers_order_and_the_unknown_ones_last(tmp_path: Path):
    for variant in ("zebra", "entropy", "triplet", "self", "mine", "cut", "bam", "cyclegan", "external"):
        write_run(tmp_path / variant, variant, 0, {"fid": 1.0})
    expected = ["cut", "cyclegan", "self", "external", "bam", "triplet", "entropy", "mine", "zebra"]
    assert labels(tmp_path) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"logger": {"csv": {"name": "elsewhere"}}},
        {"trainer": {"devices": 1, "accelerator": "gpu"}},
        {"data": {"root": "/other", "batch_size": 1, "seed": 1}},
        # what resume= may change too
        {"data": {"root": None, "batch_size": 1, "seed": 1, "cache": "/scratch", "ignore_x": "/there/hood.png"}},
        {"data": {"root": None, "batch_size": 1, "seed": 1, "layout": {"x": "/there/trainA", "y_val": "/there/testB"}}},
        {"compile": True},
        {"init_from": None},  # of a later version, and not used
        # two processes of half the batch train what one trains on all of it
        {"data": {"root": "/x", "batch_size": 1, "seed": 1}, "trainer": {"devices": 1, "num_nodes": 1}},
    ],
)
def test_seeds_share_a_row_wherever_they_ran(changes: dict[str, Any], tmp_path: Path):
    write_run(tmp_path / "a", "triplet", 0, {"fid": 1.0})
    write_run(tmp_path / "b", "triplet", 1, {"fid": 1.0}, **changes)
    (row,) = rows(tmp_path)
    assert (row.label, list(row.runs)) == ("triplet", [0, 1])


def test_seeds_that_start_from_weights_of_their_own_seed_share_a_row(tmp_path: Path):
    for seed in (1, 12):
        for name in ("bam", "triplet"):
            start = {"init_from": f"outputs/table1/{name}_seed{seed}"}
            write_run(tmp_path / f"{name}{seed}", "cut", seed, {"fid": 1.0}, **start)
    found = {row.label: list(row.runs) for row in rows(tmp_path)}
    assert found == {f"cut (init_from=outputs/table1/{name}_seed*)": [1, 12] for name in ("bam", "triplet")}
    write_run(tmp_path / "other", "cut", 2, {"fid": 1.0}, init_from="outputs/table1/bam_seed12")  # another seed's
    assert "cut (init_from=outputs/table1/bam_seed12)" in {row.label for row in rows(tmp_path)}


def test_one_start_that_was_two_files_is_refused(tmp_path: Path):
    for seed, digest in ((0, "aa"), (1, "bb")):
        started = {"protocol": {"init_from_sha256": digest}, "init_from": "outputs/first"}
        write_run(tmp_path / str(seed), "cut", seed, {"fid": 1.0}, **started)
    with pytest.raises(UserError, match="init_from_sha256 is aa in 0, bb in 1; report the runs apart"):
        shared(collect([tmp_path]).finished)


def test_equal_numbers_share_a_row_however_they_were_typed(tmp_path: Path):
    for seed, one in enumerate((1, 1.0)):
        write_run(tmp_path / str(seed), "cut", seed, {"fid": 1.0}, optimizer={"lr": one, "betas": [0 * one, 0.99]})
    write_run(tmp_path / "other", "cut", 0, {"fid": 1.0}, optimizer={"lr": 1, "betas": [0.5, 0.99]})
    assert {row.label: list(row.runs) for row in rows(tmp_path)} == {
        "cut (betas=[0,0.99])": [0, 1],
        "cut (betas=[0.5,0.99])": [0],
    }


def test_processes_share_the_joint_batch(tmp_path: Path):
    for name, seed, size, devices in (("a", 0, 4, 1), ("b", 1, 2, 2), ("c", 2, 4, 2)):
        data = {"batch_size": size, "root": None}
        write_run(tmp_path / name, "cut", seed, {"fid": 1.0}, data=data, trainer={"devices": devices})
    assert {row.label: list(row.runs) for row in rows(tmp_path)} == {
        "cut (batch_size=4)": [0, 1],
        "cut (batch_size=8)": [2],
    }


def test_another_setting_is_another_row_and_the_label_names_it_once(tmp_path: Path):
    write_run(tmp_path / "a", "triplet", 0, {"fid": 1.0})
    write_run(tmp_path / "b", "triplet", 0, {"fid": 1.0}, selection=SPREAD)
    assert labels(tmp_path) == ["triplet (selection=spread)", "triplet (selection=topk)"]


def test_a_label_names_all_that_differs(tmp_path: Path):
    for name, patches, rate in (("a", 64, 0.001), ("b", 32, 0.001), ("c", 64, 0.002)):
        selection = {"_target_": "src.networks.selection.topk.TopK", "patches": patches}
        write_run(tmp_path / name, "cut", 0, {"fid": 1.0}, selection=selection, optimizer={"lr": rate})
    assert labels(tmp_path) == [
        "cut (lr=0.001, patches=32)",
        "cut (lr=0.001, patches=64)",
        "cut (lr=0.002, patches=64)",
    ]


def test_one_choice_with_several_settings_is_as_many_labels(tmp_path: Path):
    """Cells and tests are found by label."""
    write_run(tmp_path / "a", "triplet", 0, {"fid": 1.0})
    for name, separation in (("b", 0.2), ("c", 0.5)):
        write_run(tmp_path / name, "triplet", 0, {"fid": 1.0}, selection={**SPREAD, "separation": separation})
    assert labels(tmp_path) == [
        "triplet (selection=spread, separation=0.2)",
        "triplet (selection=spread, separation=0.5)",
        "triplet (selection=topk)",
    ]


def test_the_same_run_twice_is_refused(tmp_path: Path):
    write_run(tmp_path / "a", "cut", 0, {"fid": 1.0})
    write_run(tmp_path / "b", "cut", 0, {"fid": 1.0})
    with pytest.raises(UserError, match=r"a and b are the same run twice \(seed 0"):
        rows(tmp_path)


def test_a_row_is_compared_with_the_cut_row_of_its_own_settings(tmp_path: Path):
    for variant in ("cut", "triplet"):
        write_run(tmp_path / f"{variant}0", variant, 0, {"fid": 1.0})
        write_run(tmp_path / f"{variant}1", variant, 0, {"fid": 1.0}, selection=SPREAD)
    write_run(tmp_path / "other", "bam", 0, {"fid": 1.0}, selection={**SPREAD, "separation": 0.5})
    found = rows(tmp_path)
    bases = {row.label: (base.label if (base := base_of(row, found)) else None) for row in found}
    assert bases["triplet (selection=spread)"] == "cut (selection=spread)"
    assert bases["triplet (selection=topk)"] == "cut (selection=topk)"
    assert bases["bam"] is None


def test_what_differs_from_cut_beyond_the_method_is_told(tmp_path: Path):
    write_run(tmp_path / "a", "cut", 0, {"fid": 1.0})
    write_run(tmp_path / "b", "bam", 0, {"fid": 1.0})
    write_run(tmp_path / "c", "triplet", 0, {"fid": 1.0}, optimizer={"lr": 0.002}, selection=SPREAD)
    cut, bam, triplet = rows(tmp_path)
    assert bam.against(cut) == ""
    assert triplet.against(cut) == "optimizer.lr 0.002 against 0.001, selection spread against topk"


def test_a_run_without_a_variant_is_refused(tmp_path: Path):
    write_run(tmp_path / "a", "cut", 0, {"fid": 1.0})
    (tmp_path / "a" / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match=r"config.yaml: names no variant"):
        collect([tmp_path])


def test_a_strangers_interpolation_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET", "hidden")
    write_run(tmp_path / "a", "cut", 0, {"fid": 1.0}, method={"name": "${oc.env:SECRET}"})
    with pytest.raises(UserError, match="refers to other values") as refusal:
        collect([tmp_path])
    assert "hidden" not in str(refusal.value)
