"""Folder names of runs."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.config.naming import LONGEST, run_dir, run_name, variant


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "default"),
        (["attention=triplet"], "triplet"),
        (["attention=triplet", "seed=1"], "triplet_seed-1"),
        (["table1=cyclegan", "seed=2"], "cyclegan_seed-2"),
        (["trainer.max_epochs=2", "attention=self"], "self_max_epochs-2"),
        (["optimizer.lr=2.0e-4"], "lr-2.0e-4"),
        (["resume=outputs/x", "seed=2"], "seed-2"),
    ],
)
def test_groups_by_choice_and_values_by_key(overrides: list[str], name: str):
    assert run_name(overrides) == name


def test_what_had_to_be_shortened_stays_distinct():
    one, other = run_name(["data.root=/a/set"]), run_name(["data.root=/b/set"])
    assert one.startswith("root-set_")
    assert one != other
    assert run_name(["attention.taps=[block1]"]) != run_name(["attention.taps=[block1,]"])
    long = run_name([f"a.key{number}=value" for number in range(50)])
    assert len(long) <= LONGEST + 7


def test_what_differs_between_the_jobs_of_a_sweep_comes_first(tmp_path: Path):
    asked = ["data.samples_per_epoch=20", "experiment=small_v1", "seed=0,1", "attention=none,bam"]
    OmegaConf.save({"hydra": {"overrides": {"task": asked}}}, tmp_path / "multirun.yaml")
    job = ["data.samples_per_epoch=20", "experiment=small_v1", "seed=1", "attention=bam"]
    assert run_name(job, str(tmp_path)) == "bam_seed-1_small_v1_samples_per_epoch-20"
    assert run_name(job) == run_name(job, str(tmp_path / "nowhere")) == "small_v1_bam_samples_per_epoch-20_seed-1"
    many = [*job, *(f"data.key{number}=value" for number in range(20))]
    OmegaConf.save({"hydra": {"overrides": {"task": [*asked, *many[4:]]}}}, tmp_path / "multirun.yaml")
    assert run_name(many, str(tmp_path)).startswith("bam_seed-1_small_v1_")
    assert len(run_name(many, str(tmp_path))) <= 67


@pytest.mark.parametrize("override", ["data.root=../../etc", "data.root=/", "a.b=x/../../y", "a.b=.."])
def test_a_name_never_leaves_its_folder(override: str):
    name = run_name([override])
    assert "/" not in name
    assert not name.startswith(".")


def test_a_resumed_run_keeps_its_folder():
    assert run_dir("outputs/mine", "outputs/fresh") == "outputs/mine"
    assert run_dir(None, "outputs/fresh") == "outputs/fresh"


@pytest.mark.parametrize(
    ("method", "attention", "name"),
    [
        ("src.methods.cut.CUT", "src.networks.attention.triplet.TripletAttention", "triplet"),
        ("src.methods.cut.CUT", "src.networks.attention.none.NoAttention", "cut"),
        ("src.methods.cyclegan.CycleGAN", "src.networks.attention.triplet.TripletAttention", "cyclegan"),
        ("fastcut", "none", "fastcut"),
        ("monce", "triplet", "monce_triplet"),
        ("fastcut", "bam", "fastcut_bam"),
    ],
)
def test_a_row_bears_the_name_of_what_was_chosen(method: str, attention: str, name: str):
    assert variant(method, attention) == name
