"""Runs that were begun when classes had other names are read with today's."""

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from src.config.build import _target
from src.config.old_names import OLD, in_place, renamed, typed
from src.runs.folder import CONFIG, load_config
from src.runs.survey import config_of

CLASSES = {
    "src.callbacks.checkpoint.LastCheckpoint": "callbacks",
    "src.callbacks.image_grid.ImageGrid": "callbacks",
    "src.data.labelled_data.LabelledData": "data",
    "src.modules.segmentation.Segmentation": "module",
    "src.modules.translation.Translation": "module",
    "src.segmenters.segmenter.Segmenter": "segmenter",
    "src.tracking.run.WandbRun": "logger",
}
"""All that configurations of runs named before, and the group they stood in."""


@pytest.mark.parametrize("old", CLASSES)
def test_a_class_of_an_older_run_is_found_and_may_be_built(old: str):
    today = renamed({"_target_": old})["_target_"]
    assert get_object(today).__name__ == old.rpartition(".")[2]
    assert _target(today, "node", ("src.training.", "src.downstream.")) is get_object(today)


def test_every_old_name_is_tested_here():
    assert {old for old in OLD if not any(name.startswith(old) for name in CLASSES)} == set()


def test_only_targets_are_renamed_at_any_depth():
    node = {"a": [{"_target_": "src.tracking.run.WandbRun"}], "name": "src.tracking.run.WandbRun", "b": {"_target_": 3}}
    expected = {"a": [{"_target_": "src.training.wandb.run.WandbRun"}], "name": node["name"], "b": {"_target_": 3}}
    assert renamed(node) == expected


def test_every_reader_of_a_run_sees_todays_names(tmp_path):
    node = {"segmenter": {"_target_": "src.segmenters.segmenter.Segmenter"}, "seed": 1}
    (tmp_path / CONFIG).write_text(OmegaConf.to_yaml(node))
    assert load_config(tmp_path).segmenter._target_ == "src.downstream.segmenter.Segmenter"
    assert config_of(tmp_path)["segmenter._target_"] == "src.downstream.segmenter.Segmenter"


@pytest.mark.parametrize("then", ["method.init_from=outputs/a=b", "+method.init_from=outputs/a=b"])
def test_what_a_run_starts_from_may_be_typed_as_before(then: str):
    assert typed(then) == "init_from=outputs/a=b"
    others = ["method.lambda_x=1", "-m", "init_from=a"]
    assert [typed(word) for word in others] == others


def test_what_an_older_run_started_from_is_read(tmp_path):
    method = {"_target_": "src.methods.cut.CUT", "init_from": "outputs/first"}
    (tmp_path / CONFIG).write_text(OmegaConf.to_yaml({"method": method, "seed": 1}))
    config = load_config(tmp_path)
    assert (config.init_from, "init_from" in config.method) == ("outputs/first", False)
    assert config_of(tmp_path)["init_from"] == "outputs/first"
    assert in_place({"method": {"init_from": "then"}, "init_from": "now"}) == {"method": {}, "init_from": "now"}
