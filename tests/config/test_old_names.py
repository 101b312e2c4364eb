"""Runs that were begun when classes had other names are read with today's."""

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

from src.config.build import _target
from src.config.old_names import OLD, renamed
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
    assert config_of(tmp_path)["segmenter"] == {"_target_": "src.downstream.segmenter.Segmenter"}
