"""Runs as W&B gets them: recorded offline, without an account, and read back from the files."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import load_file

from src.metrics.direction import better
from src.system.errors import UserError
from src.training.callbacks.checkpoint import Interrupted
from src.training.run import train
from src.training.wandb import session, table
from src.training.wandb.run import WandbRun, _define_score
from tests import forked
from tests.conftest import CONF, TINY, UNDRAWN, config
from tests.test_train import DRAWN, StopAfter
from tests.wandb_file import read_all

KID = "kid_efficientnet_lite0"
KEY = "5ec7e7" * 6 + "5ec7"  # 40 characters, as W&B's are
OFFLINE = ["logger=wandb", "logger.wandb.mode=offline"]


@pytest.fixture(autouse=True, scope="module")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """W&B's caches and settings stay out of the user's home, and an account of theirs out of the tests."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATA", "CACHE", "CONFIG"):
            patch.setenv(f"WANDB_{name}_DIR", str(home))
        patch.setenv("NETRC", str(home / "netrc"))
        for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_RUN_GROUP"):
            patch.delenv(name, raising=False)
        yield


def overrides(root: Path, *own: str, panel: str = UNDRAWN) -> list[str]:
    return [
        *TINY,
        "attention=none",
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        "data.samples_per_epoch=4",
        "data.num_workers=0",
        "trainer.max_epochs=2",
        "trainer.log_every_n_steps=1",
        "metrics.scores.seeds=1",
        panel,
        *own,
    ]


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """python -m with arguments, as a user starts it: without the service of this process."""
    return forked.run(*arguments, env={**_without_service(), **environment})


def _without_service() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "WANDB_SERVICE"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "frames"
    for name, count in {"trainA": 3, "trainB": 3, "testA": 4, "testB": 4}.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            draws = torch.Generator().manual_seed(index)
            pixels = torch.randint(256, (6, 8, 3), generator=draws, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).resize((44, 36)).save(folder / name / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def tracked(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run, for the tests that only read it."""
    folder = tmp_path_factory.mktemp("tracked") / "run"
    folder.mkdir()
    own = ["metrics.every_n_epochs=1", "logger.wandb.entity=team"]
    train(config(*overrides(root, *OFFLINE, *own, panel=DRAWN)), folder)
    return folder


def kept(folder: Path) -> list[str]:
    """Id, project and entity."""
    return (folder / "logs/wandb_id").read_text().splitlines()


AGENT = """
import multiprocessing, os, sys
import wandb
from wandb.apis.public import sweeps
from wandb.wandb_agent import Agent

root, *command = sys.argv[1:]
jobs = [{"type": "run", "run_id": f"job{seed}", "program": "", "args": {"seed": {"value": seed}}} for seed in (0, 1)]
# the server's part: a sweep, an agent's id, and a job whenever none runs
sweeps._sweep_with_runs = lambda *_: {"config": "command: " + repr([*command, "${args_no_hyphens}"])}
sweeps._register_agent = lambda *_, **__: {"id": "agent"}
sweeps._agent_heartbeat = lambda api, agent, metrics, running: [jobs.pop(0)] if jobs and not running else []
wandb.Api = lambda: None
os.environ |= {"WANDB_SWEEP_ID": "sweep", "WANDB_PROJECT": "agents", "WANDB_DIR": root}
Agent.POLL_INTERVAL = 0.1
Agent(None, multiprocessing.Queue(), sweep_id="sweep", count=2).run()
"""


def test_the_runs_of_an_agent_keep_its_ids_and_are_continued_by_them(root: Path, tmp_path: Path):
    job = [sys.executable, "-m", "src.train", *overrides(root, *OFFLINE, "trainer.max_epochs=1", "metrics.scores=null")]
    line = [sys.executable, "-c", AGENT, str(tmp_path), *job, f"hydra.run.dir={tmp_path}/seed-${{seed}}"]
    nothing = subprocess.DEVNULL
    done = subprocess.run(line, cwd=CONF.parent, capture_output=True, text=True, stdin=nothing, env=_without_service())
    assert done.returncode == 0, done.stderr
    for seed in (0, 1):
        folder = tmp_path / f"seed-{seed}"
        (recorded,) = read_all(folder)
        assert (recorded.run.run_id, recorded.run.sweep_id, recorded.run.project) == (f"job{seed}", "sweep", "agents")
        assert kept(folder)[:2] == [f"job{seed}", "agents"]
        # what resume= does: no agent is near, and the same run is asked for where it is
        logger = WandbRun(
            folder / "logs", project="p", entity=None, group=None, job_type="train", tags=[], mode="offline"
        )
        with session.finished():
            assert (logger.experiment.id, logger.experiment.project) == (f"job{seed}", "agents")


def test_terms_scores_and_panels_are_the_history_over_batches_seen(tracked: Path):
    (recorded,) = read_all(tracked)
    rows = {row["batches"]: row for row in recorded.history}
    assert list(rows) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all(
        {"train/gan", "train/nce_x", "train/nce_y", "train/d_fake", "train/d_real"} <= set(row) for row in rows.values()
    )
    scored = [batches for batches, row in rows.items() if f"val/{KID}" in row]
    assert scored == [batches for batches, row in rows.items() if "grid" in row] == [4, 8]
    assert recorded.metrics["*"].step_metric == "batches"


def test_the_logged_panel_is_the_picture_in_the_run_folder(tracked: Path):
    (recorded,) = read_all(tracked)
    (files,) = tracked.rglob("offline-run-*/files")
    for epoch, row in enumerate((row for row in recorded.history if "grid" in row), start=1):
        with (
            Image.open(files / row["grid"]["path"]) as logged,
            Image.open(tracked / f"images/epoch_{epoch:04d}.png") as kept,
        ):
            assert logged.tobytes() == kept.tobytes()


def test_a_scores_summary_holds_its_best_and_last_value(tracked: Path):
    (recorded,) = read_all(tracked)
    for name in (KID, "swd_unit", "swd_std"):
        values = [row[f"val/{name}"] for row in recorded.history if f"val/{name}" in row]
        assert recorded.summary[f"val/{name}"] == {"min": min(values), "last": values[-1]}


def test_final_scores_and_their_protocol_are_in_the_summary(tracked: Path):
    (recorded,) = read_all(tracked)
    written = json.loads((tracked / "metrics.json").read_text())
    assert {name: recorded.summary[name] for name in written["metrics"]} == written["metrics"]
    cost = json.loads((tracked / "cost.json").read_text())
    assert recorded.summary["protocol"] == {**written["protocol"], **cost}


def test_the_table_holds_every_score_with_its_companions(tracked: Path):
    (recorded,) = read_all(tracked)
    (files,) = tracked.rglob("offline-run-*/files")
    found = json.loads((files / recorded.history[-1]["scores"]["path"]).read_text())
    final = json.loads((tracked / "metrics.json").read_text())["metrics"]
    assert found["columns"] == ["score", "better", "output", "raw", "source", "floor"]
    assert found["data"] == [
        [name, better, *(final[name + suffix] for suffix in ("", "_raw", "_source", "_floor"))]
        for name, better in (
            (KID, "lower"),
            ("fid_efficientnet_lite0", "lower"),
            ("is_efficientnet_lite0", "higher"),
            ("swd_unit", "lower"),
            ("swd_std", "lower"),
            ("sharpness", "nearer to 1"),
        )
    ]


def test_the_run_carries_its_place_and_its_whole_configuration(tracked: Path):
    (recorded,) = read_all(tracked)
    run = recorded.run
    assert (run.entity, run.project, run.run_group) == ("team", "attention-cut", "")
    assert (run.job_type, run.display_name, recorded.exit_code) == ("train", "run", 0)
    saved = OmegaConf.to_container(OmegaConf.load(tracked / "config.yaml"))
    assert {key: recorded.config[key] for key in saved} == saved
    assert set(recorded.config) - set(saved) == {"_wandb"}


def test_a_disabled_run_records_nothing_and_a_recorded_one_keeps_its_weights(
    tracked: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    train(config(*overrides(root, "logger=wandb", "logger.wandb.mode=disabled")), tmp_path)
    assert not list(tmp_path.rglob("*.wandb"))
    assert "W&B" not in capsys.readouterr().err
    one, other = (load_file(folder / "weights.safetensors") for folder in (tracked, tmp_path))
    assert all(torch.equal(other[key], value) for key, value in one.items())


def test_every_job_of_a_sweep_is_one_run_of_its_group_finished_or_failed(root: Path, tmp_path: Path):
    sweep = tmp_path / "my-sweep"
    torn = tmp_path / "torn"
    torn.mkdir()
    for index in range(3):
        (torn / f"{index}.png").write_bytes(b"torn")
    swept = ["attention=none,triplet", f"data.layout.x=trainA,{torn}"]  # the second cannot be read
    own = [item for item in overrides(root) if not item.startswith(("attention", "trainer.max_epochs"))]
    done = command(
        "src.train",
        "-m",
        *own,
        *OFFLINE,
        *swept,
        "trainer.max_epochs=1",
        "metrics.scores=null",
        f"hydra.sweep.dir={sweep}",
        WANDB_API_KEY=KEY,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("W&B: ") == 4
    recorded = read_all(sweep)
    assert {item.run.display_name for item in recorded} == {
        folder.name for folder in sweep.iterdir() if folder.is_dir()
    }
    assert len({item.run.run_id for item in recorded}) == 4
    for attention, variant in (("none", "cut"), ("triplet", "triplet")):
        finished, failed = sorted(
            (item for item in recorded if attention in item.run.display_name.split("_")),
            key=lambda item: item.exit_code,
        )
        assert (finished.exit_code, failed.exit_code) == (0, 1)
        assert (len(finished.history), len(failed.history)) == (4, 0)
        for item in (finished, failed):
            assert item.run.run_group == "my-sweep"
            assert list(item.run.tags) == [variant, "folders", "small"]
            assert item.config["variant"] == variant
    # the key that was in the environment is nowhere
    texts = [path.read_bytes() for path in sweep.rglob("*") if path.is_file()]
    assert any(b"train/gan" in text for text in texts)
    assert not any(KEY.encode() in text for text in (*texts, done.stdout.encode(), done.stderr.encode()))


def test_a_continued_run_continues_the_same_run_on_the_same_axis(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cfg = config(*overrides(root, *OFFLINE, "callbacks.checkpoint.every_n_batches=1", "metrics.scores=null"))
    with monkeypatch.context() as patch:
        patch.setattr("src.training.trainer.Progress", lambda: StopAfter(5))
        with pytest.raises(Interrupted, match="after batch 6"):
            train(cfg, tmp_path)
    train(cfg, tmp_path, resume=True)
    first, second = sorted(read_all(tmp_path), key=lambda recorded: recorded.history[0]["batches"])
    assert first.run.run_id == second.run.run_id == kept(tmp_path)[0]
    assert (first.exit_code, second.exit_code) == (1, 0)
    assert [row["batches"] for row in second.history] == [7, 8]
    assert [row["_step"] for row in second.history] == [7, 8]
    assert max(row["batches"] for row in first.history) <= 6


def test_an_unreachable_server_costs_one_line_and_not_the_training(root: Path, tmp_path: Path):
    few = ("trainer.max_epochs=1", "metrics.scores=null")
    own = overrides(root, "logger=wandb", *few, f"hydra.run.dir={tmp_path}")
    done = command("tests.impatient", *own, WANDB_API_KEY=KEY, WANDB_BASE_URL="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("W&B: "))
    assert "recorded offline; send it with: wandb sync" in line
    assert "127.0.0.1:9" in line
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["run"] == str(tmp_path)
    offline = [recorded for recorded in read_all(tmp_path) if recorded.history]
    assert [recorded.exit_code for recorded in offline] == [0]


def test_without_an_account_a_run_is_recorded_offline(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    session.finish(session.start(tmp_path, "online", project="p"), 0)
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "W&B: " in line)
    assert "wandb login" in line
    assert "recorded offline; send it with: wandb sync" in line
    assert [recorded.exit_code for recorded in read_all(tmp_path)] == [0]


def test_a_failure_while_logging_is_said_once_and_raises_nothing(
    tracked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    import wandb

    (tmp_path / "config.yaml").write_bytes((tracked / "config.yaml").read_bytes())
    logger = WandbRun(
        tmp_path / "logs", project="p", entity=None, group=None, job_type="train", tags=[], mode="offline"
    )

    def refuse(*arguments: object, **options: object) -> None:
        raise BrokenPipeError("the service is gone")

    with session.finished(), monkeypatch.context() as patch:
        patch.setattr(wandb.Run, "log", refuse)
        logger.log_metrics({"train/gan": 1.0}, 0)
        logger.log_metrics({"train/gan": 2.0}, 1)
        logger.log_scores(["fid"], {"fid": 3.0}, {})
    lines = [line for line in capsys.readouterr().err.splitlines() if "W&B: " in line]
    assert lines[1:] == ["W&B: the service is gone; training goes on without it"]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (["logger.wandb.mode=sometimes"], r"logger\.wandb\.mode must be one of online, offline, disabled"),
        ([], r"logger=wandb needs the package wandb; pip install -e '\.\[wandb\]'"),
    ],
)
def test_what_cannot_be_tracked_is_refused_in_one_line(
    own: list[str], message: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if not own:
        monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=message) as raised:
        train(config(*overrides(root, "logger=wandb", *own)), tmp_path)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_only_the_inception_score_improves_upwards():
    assert [
        name for name in ("fid", "is", "is_clip", "kid", KID, "swd_unit", "fid_dinov2") if better(name) == "higher"
    ] == [
        "is",
        "is_clip",
    ]


def test_a_higher_score_keeps_its_maximum(tmp_path: Path):
    run = session.start(tmp_path, "offline", project="p")
    for name in ("val/is", "val/fid"):
        _define_score(run, name)
    for batches, value in enumerate((2.0, 5.0, 3.0), start=1):
        run.log({"val/is": value, "val/fid": value}, step=batches)
    session.finish(run, 0)
    (recorded,) = read_all(tmp_path)
    assert recorded.summary["val/is"] == {"max": 5.0, "last": 3.0}
    assert recorded.summary["val/fid"] == {"min": 2.0, "last": 3.0}


def test_the_table_of_a_sweep_is_a_run_of_its_own(tmp_path: Path):
    sweep = tmp_path / "my-sweep"
    rows = [{"variant": "cut", "fid": 61.5}, {"variant": "triplet", "fid": 58.0, "is": 2.5}]
    table.log_report(sweep, rows, project="p", entity=None, mode="offline")
    (recorded,) = read_all(sweep)
    assert (recorded.run.job_type, recorded.run.run_group, recorded.exit_code) == ("report", "my-sweep", 0)
    (path,) = sweep.rglob("*.table.json")
    found = json.loads(path.read_text())
    assert found["columns"] == ["variant", "fid", "is"]
    assert found["data"] == [["cut", 61.5, None], ["triplet", 58.0, 2.5]]
