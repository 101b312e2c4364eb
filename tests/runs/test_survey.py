"""The list of runs: what small files tell of each, and what state it is in."""

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from omegaconf import OmegaConf

from src.runs.__main__ import main
from src.runs.find import find
from src.runs.folder import LOCK, save_config
from src.runs.survey import describe
from src.system.errors import UserError
from tests import labelled
from tests.conftest import CONF, config


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled.translator(
        tmp_path_factory.mktemp("runs") / "one", "data=folders", "data.root=/sets/mine", "seed=3"
    )


def unfinished(folder: Path, *overrides: str) -> Path:
    folder.mkdir(parents=True)
    resolved = OmegaConf.to_container(config(*overrides), resolve=False)
    assert isinstance(resolved, dict)
    for key in ("callbacks", "logger", "metrics"):
        del resolved[key]
    save_config(folder, OmegaConf.create(resolved))
    return folder


def log(folder: Path, *steps: int) -> None:
    path = folder / "logs" / "csv" / f"version_{steps[0]}"
    path.mkdir(parents=True)
    (path / "metrics.csv").write_text("epoch,step,train/gan\n" + "".join(f"0,{step},0.5\n" for step in steps))


def test_a_finished_run_is_told_from_its_files(finished: Path, tmp_path: Path):
    run = describe(finished, "one")
    assert (run.variant, run.data, run.seed, run.state) == ("cut", "mine", 3, "finished")
    assert (run.score, run.value) == ("kid", 1.0)
    assert run.bytes == sum(path.stat().st_size for path in finished.rglob("*") if path.is_file())
    assert abs((datetime.now(UTC) - run.changed).total_seconds()) < 600


@pytest.mark.parametrize(
    ("overrides", "planned"),
    [
        (["data.samples_per_epoch=50", "trainer.max_epochs=4"], 200),
        (["data.samples_per_epoch=50", "data.batch_size=8", "trainer.max_epochs=4"], 24),  # 6 whole batches an epoch
        (["data.samples_per_epoch=50", "trainer.limit_train_batches=10", "trainer.max_epochs=4"], 40),
        (["data.samples_per_epoch=50", "trainer.limit_train_batches=0.5", "trainer.max_epochs=4"], 100),
        (["data.samples_per_epoch=null", "trainer.max_epochs=4"], None),
    ],
)
def test_the_steps_planned_follow_from_the_configuration(overrides: list[str], planned: int | None, tmp_path: Path):
    run = describe(unfinished(tmp_path / "run", *overrides), "run")
    assert (run.planned, run.steps, run.state, run.value) == (planned, None, "stopped", None)


def test_the_steps_done_are_those_of_the_log(tmp_path: Path):
    folder = unfinished(tmp_path / "run")
    log(folder, 9, 19, 29)
    log(folder, 39, 49)  # of the resumed run
    assert describe(folder, "run").steps == 50


def test_the_steps_of_a_stopped_run_are_those_of_its_checkpoint(tmp_path: Path):
    """The log has a line every ten batches; the checkpoint was written where the run stopped."""
    folder = unfinished(tmp_path / "run")
    log(folder, 9)
    state = {
        "epoch": 0,
        "state_dict": {"a": torch.ones(3), "batches_seen": 9},
        "batches": 14,
        "loops": {"batches": 2},
    }
    torch.save(state, folder / "last.ckpt")
    assert describe(folder, "run").steps == 14
    torch.save({**state, "batches": 70_000}, folder / "last.ckpt")
    assert describe(folder, "run").steps == 70_000
    with FileLock(folder / LOCK):
        assert describe(folder, "run").steps == 10
    torch.save({"state_dict": {}}, folder / "last.ckpt")  # says nothing of them
    assert describe(folder, "run").steps == 10


def test_a_run_is_running_while_its_lock_is_held(tmp_path: Path):
    folder = unfinished(tmp_path / "run")
    with FileLock(folder / LOCK):
        assert describe(folder, "run").state == "running"
    (folder / LOCK).touch()  # left by a kill
    assert describe(folder, "run").state == "stopped"


def spoil_weights(folder: Path) -> None:
    content = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content[:-1])


def spoil_checkpoint(folder: Path) -> None:
    for name in ("weights.safetensors", "metrics.json"):
        (folder / name).unlink()
    (folder / "last.ckpt").write_bytes(b"no zip")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_weights, "weights.safetensors is torn"),
        (spoil_checkpoint, "last.ckpt cannot be read"),
        (lambda run: (run / "weights.safetensors").unlink(), "weights.safetensors is missing"),
        (lambda run: (run / "metrics.json").write_text("{"), "metrics.json cannot be read"),
        (lambda run: (run / "metrics.json").write_text('{"metrics": 3}'), "metrics.json cannot be read"),
        (lambda run: (run / "config.yaml").write_text("a: ["), "config.yaml is missing or cannot be read"),
        (lambda run: (run / "config.yaml").unlink(), "config.yaml is missing or cannot be read"),
        (lambda run: (run / "config.yaml").write_text("seed: 1"), "config.yaml is no run's"),
        (lambda run: (run / "config.yaml").write_text("- 1"), "config.yaml is no run's"),
    ],
)
def test_a_broken_run_says_why(spoil, reason: str, tmp_path: Path):
    folder = labelled.translator(tmp_path / "run", "data=folders", "data.root=/sets/mine")
    assert describe(folder, "run").reason == ""
    spoil(folder)
    run = describe(folder, "run")
    assert (run.state, run.reason) == ("broken", reason)


def test_one_whole_checkpoint_is_enough_to_go_on(tmp_path: Path):
    folder = unfinished(tmp_path / "run")
    (folder / "last.ckpt").write_bytes(b"no zip")
    with zipfile.ZipFile(folder / "previous.ckpt", "w") as archive:
        archive.writestr("data", "x" * 100)
    run = describe(folder, "run")
    assert run.state == "stopped"
    assert run.checkpoint_bytes == 6 + (folder / "previous.ckpt").stat().st_size


def test_runs_are_found_at_any_depth_and_not_behind_links(tmp_path: Path):
    for name in ("b", "sweeps/x/two", "sweeps/x/one", "a", ".hidden/c", "a/images/not_this"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "config.yaml").touch()
    (tmp_path / "link").symlink_to(tmp_path / ".hidden")
    found = [path.relative_to(tmp_path).as_posix() for path in find(tmp_path)]
    assert found == ["a", "b", "sweeps/x/one", "sweeps/x/two"]
    followed = [path.relative_to(tmp_path).as_posix() for path in find(tmp_path, links=True)]
    assert followed == ["a", "b", "link/c", "sweeps/x/one", "sweeps/x/two"]
    (tmp_path / "sweeps/x/multirun.yaml").touch()
    (tmp_path / "sweeps/x/three").mkdir()  # a job that ended before it wrote anything
    (tmp_path / "empty").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find(tmp_path, jobs=True)]
    assert found == ["a", "b", "sweeps/x/one", "sweeps/x/three", "sweeps/x/two"]
    with pytest.raises(UserError, match="no such folder"):
        list(find(tmp_path / "nowhere"))


def test_each_folder_is_looked_into_once_whatever_links_lead_to_it(tmp_path: Path):
    for name in ("far/run", "near/x/run"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.yaml").touch()
    near, far = tmp_path / "near", tmp_path / "far"
    (near / "x/multirun.yaml").touch()
    for link, to in (("x/up", near), ("x/again", near / "x/run"), ("far", far), ("other", far)):
        (near / link).symlink_to(to)
    found = [path.relative_to(tmp_path).as_posix() for path in find(near, links=True, jobs=True)]
    assert found == ["near/far/run", "near/x/again"]


def test_machines_get_json_and_people_a_table(finished: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    before = {path: path.stat().st_mtime_ns for path in finished.parent.rglob("*")}
    assert main([str(finished.parent), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (run,) = told["runs"]
    assert run["folder"] == str(finished)
    assert {key: run[key] for key in ("name", "variant", "seed", "value")} == {
        "name": "one",
        "variant": "cut",
        "seed": 3,
        "value": 1.0,
    }
    assert told["totals"] == {
        **{"runs": 1, "finished": 1, "running": 0, "stopped": 0, "broken": 0},
        "bytes": run["bytes"],
        "checkpoint_bytes": 0,
    }
    assert main([str(finished.parent)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("one "))
    assert line.split()[:3] == ["one", "cut", "mine"]
    assert "finished" in line
    assert {path: path.stat().st_mtime_ns for path in finished.parent.rglob("*")} == before
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err.strip() == f"{tmp_path}: holds no run; name a folder that does"


def test_the_command_loads_no_pytorch(finished: Path):
    line = [sys.executable, "-X", "importtime", "-m", "src.runs", str(finished.parent), "--json"]
    done = subprocess.run(line, cwd=CONF.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["runs"]) == 1
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "lightning", "matplotlib"}
