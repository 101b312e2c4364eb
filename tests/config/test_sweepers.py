"""What sweeps need, and what a search must not be led by."""

import tomllib
from pathlib import Path

import pytest
import yaml

from src.config import sweepers
from src.config.mistakes import mistakes
from src.system import packages

ROOT = Path(__file__).resolve().parents[2]
SEARCH = ["-m", "hydra/sweeper=optuna", "optimizer.lr=interval(1e-4,1e-3)"]
TESTS = (
    "hydra/sweeper=optuna: its objective would be the scores of the test frames; hold out a part of the training set "
    "instead: data.layout.tune=5"
)


@pytest.mark.parametrize(
    "data",
    [
        [],
        ["data=gta2cityscapes"],
        ["data=folders"],
        ["data=carla2camvid", "data.layout.x_held='Town01_*'"],
        ["data=folders", "data.layout.x_val=null"],
    ],
)
def test_a_search_on_test_frames_is_refused_in_one_line(data: list[str]):
    assert mistakes("train", (*SEARCH, *data)) == [TESTS]


@pytest.mark.parametrize(
    "data",
    [
        ["data.layout.tune=5"],
        ["data=gta2cityscapes", "data.layout.tune=10"],
        ["data=folders", "data.layout.tune=5"],
        ["data=folders", "data.layout.x_val=null", "data.layout.y_val=null"],
        ["data=carla2camvid", "data.layout.x_held='Town01_*'", "data.layout.y_held='0016E5_0[78]*'"],
    ],
)
def test_a_search_on_what_is_held_out_of_the_training_set_is_not(data: list[str]):
    assert mistakes("train", (*SEARCH, *data)) == []


def test_other_sweeps_score_test_frames_as_ever():
    assert mistakes("train", ("-m", "attention=none,bam", "seed=0,1")) == []


def test_a_search_does_not_go_through_seeds():
    (line,) = mistakes("train", (*SEARCH, "data.layout.tune=5", "seed=0,1,2"))
    assert line.startswith("seed: a search would find the luckiest one; ")


@pytest.mark.parametrize("choice", sweepers.NEEDS, ids="=".join)
def test_what_is_not_installed_is_named_with_the_extra_that_brings_it(
    choice: tuple[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    (line,) = mistakes("train", ("-m", "=".join(choice), "attention=none,bam"))
    modules, extra, further = sweepers.NEEDS[choice]
    assert line.startswith(f"{'='.join(choice)} needs the package")
    assert line.endswith(f"; pip install -e '.[{extra}]'{further}")
    assert all(name.rpartition(".")[2].replace("_", "-") in line for name in modules)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(modules[0].rpartition(".")[2].replace("_", "-") in package for package in extras[extra])


def test_every_launcher_of_conf_says_what_it_needs():
    launchers = {path.stem for path in (ROOT / "conf/hydra/launcher").glob("*.yaml")}
    assert launchers == {name for group, name in sweepers.NEEDS if group == sweepers.LAUNCHER}


def test_the_command_of_the_sweep_for_agents_composes_and_reads_no_test_frame():
    """As the agent writes it: a value of each parameter as key=value in the place of ${args_no_hyphens}."""
    sweep = yaml.safe_load((ROOT / "examples/wandb_sweep.yaml").read_text())
    for pick in (min, max):
        own = [f"{key}={pick(map(str, of.get('values', [of.get('min')])))}" for key, of in sweep["parameters"].items()]
        assert sweep["command"][:4] == ["${env}", "python", "-m", "src.train"]
        assert sweep["command"][-1] == "${args_no_hyphens}"
        given = [*sweep["command"][4:-1], *own]
        assert mistakes("train", tuple(given)) == []
        # what Optuna may look at, W&B may
        assert mistakes("train", ("-m", "hydra/sweeper=optuna", *given)) == []
    assert sweep["metric"] == {"name": "kid_efficientnet_lite0", "goal": "minimize"}
