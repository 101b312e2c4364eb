"""The dashboard as W&B would get it; saving it needs an account and is tried without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from src.system.errors import UserError
from src.training.wandb.dashboard import dashboard
from tests.conftest import CONF

SCORES = ["fid", "is", "kid", "swd_std"]


@pytest.fixture(scope="module")
def view() -> dict:
    spec = dashboard("team", "attention-cut", SCORES)._to_model().spec
    return spec.model_dump(by_alias=True, exclude_none=True)["section"]


def panels(view: dict, name: str) -> list[dict]:
    (section,) = (section for section in view["panelBankConfig"]["sections"] if section["name"] == name)
    return section["panels"]


def test_each_score_has_a_bar_a_variant_at_its_mean_with_its_deviation(view: dict):
    bars = panels(view, "Scores at the end")
    assert [bar["viewType"] for bar in bars] == ["Bar Chart"] * len(SCORES)
    assert [bar["config"]["metrics"] for bar in bars] == [[score] for score in SCORES]
    assert {tuple(bar["config"][key] for key in ("groupBy", "groupAgg", "groupArea")) for bar in bars} == {
        ("variant.value", "mean", "stddev")
    }


def test_each_score_has_a_curve_a_variant_over_batches(view: dict):
    curves = panels(view, "Scores during training")
    assert [curve["viewType"] for curve in curves] == ["Run History Line Plot"] * len(SCORES)
    assert [curve["config"]["metrics"] for curve in curves] == [[f"val/{score}"] for score in SCORES]
    assert {(curve["config"]["xAxis"], curve["config"]["groupBy"]) for curve in curves} == {
        ("batches", "variant.value")
    }


def test_titles_say_which_way_is_better(view: dict):
    titles = [panel["config"]["chartTitle"] for panel in panels(view, "Scores at the end")]
    better = ["lower", "higher", "lower", "lower"]
    assert titles == [f"{score} ({way} is better)" for score, way in zip(SCORES, better, strict=True)]


def test_the_panels_of_images_and_the_training_runs_alone_are_shown(view: dict):
    (media,) = panels(view, "Source, output, score maps")
    assert media["config"]["mediaKeys"] == ["grid"]
    (runs,) = view["runSets"]
    (condition,) = runs["filters"]["filters"]
    assert (condition["key"]["name"], condition["op"], condition["value"]) == ("jobType", "=", "train")
    assert [key["name"] for key in runs["grouping"]] == ["variant.value"]


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(UserError, match=r"needs the package wandb-workspaces; pip install -e '\.\[wandb\]'"):
        dashboard("team", "attention-cut", SCORES)


def test_the_dashboard_looks_where_the_runs_go():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        page = compose("dashboard", ["entity=team"])
        runs = compose("train", ["logger=wandb"])
    assert page.project == runs.logger.wandb.project


def test_saving_without_an_account_is_one_line_and_exit_code_1(tmp_path: Path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    done = subprocess.run(
        [sys.executable, "-m", "src.dashboard", "entity=team"],
        cwd=CONF.parent,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**environment, "NETRC": str(tmp_path / "netrc"), "WANDB_CONFIG_DIR": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "log in with: wandb login" in done.stderr
    assert "Traceback" not in done.stderr
