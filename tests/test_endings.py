"""Real processes, real signals: what ends a training early leaves a checkpoint, one line and the right exit code."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from src import runs
from src.errors import UserError
from src.train import train
from tests.conftest import CONF, TINY
from tests.faults import differences, write_frames
from tests.test_train import tiny

ENDLESS = [
    "trainer.max_epochs=5000",
    "callbacks.checkpoint.every_n_batches=2",
    "callbacks.image_grid.every_n_epochs=5000",
]
SLURM = {
    **{"SLURM_JOB_ID": "77", "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"},
    **{"SLURM_NODELIST": "localhost", "SLURM_JOB_NAME": "train", "SLURM_NTASKS_PER_NODE": "1"},
}


def settings(root: Path, *own: str) -> list[str]:
    fixed = ["data=folders", f"data.root={root}", "data.size=32", "data.samples_per_epoch=6", "data.num_workers=0"]
    fixed += ["trainer.max_epochs=2", "metrics.scores.seeds=1", "callbacks.image_grid.images=1", "attention=none"]
    return [*TINY, *fixed, *own]


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """In a group of its own, so that a signal may go to all of its processes."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, "-m", "src.train", *arguments]
    return subprocess.Popen(
        command, cwd=CONF.parent, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def wait_for(happened: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Exit code, and the lines on stderr that are no progress bar."""
    _, stderr = process.communicate(timeout=120)
    assert "Traceback" not in stderr
    return process.returncode, [line for line in stderr.splitlines() if line and not line.startswith("training:")]


def batches(folder: Path) -> int:
    return int(torch.load(folder / "last.ckpt", weights_only=True)["batches"])


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_all_its_processes_ends_a_run_with_a_checkpoint_and_the_way_on(
    number: int, code: int, tmp_path: Path
):
    folder = tmp_path / "run"
    root = write_frames(tmp_path / "frames")
    process = start(*settings(root, *ENDLESS, "data.num_workers=1", f"hydra.run.dir={folder}"))
    wait_for((folder / "last.ckpt").exists, process)
    os.killpg(process.pid, number)
    returned, lines = ended(process)
    assert returned == code
    assert lines == [f"stopped after batch {batches(folder)}; continue with: python -m src.train resume={folder}"]


def test_slurm_gets_a_checkpoint_at_sigterm_and_its_job_back_at_sigusr1(tmp_path: Path):
    """Under SLURM, Lightning would save and requeue by itself, in the middle of a step."""
    folder, log = tmp_path / "run", tmp_path / "scontrol.log"
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    scontrol.chmod(0o755)
    arguments = settings(write_frames(tmp_path / "frames"), *ENDLESS, f"hydra.run.dir={folder}")
    path = f"{tmp_path}:{os.environ['PATH']}"
    process = start(*arguments, PATH=path, **SLURM)
    wait_for((folder / "last.ckpt").exists, process)
    process.send_signal(signal.SIGTERM)
    time.sleep(1)
    first = batches(folder)
    wait_for(lambda: batches(folder) > first, process)  # training goes on
    process.send_signal(signal.SIGUSR1)
    returned, lines = ended(process)
    assert returned == 128 + signal.SIGUSR1
    assert re.fullmatch(r"SIGTERM: .*last\.ckpt holds batch \d+; training goes on until SLURM ends it", lines[0])
    assert lines[1:] == [
        f"SIGUSR1: stopped after batch {batches(folder)}; job 77 is back in the queue and goes on from there"
    ]
    assert log.read_text() == "requeue 77\n"
    assert not list(folder.glob("hpc_ckpt*"))
    stopped = batches(folder)
    process = start(*arguments, PATH=path, SLURM_RESTART_COUNT="1", **SLURM)
    wait_for(lambda: batches(folder) > stopped, process)
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: True)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 143


def test_a_job_that_submitit_puts_back_goes_on_and_ends_in_the_same_bits(tmp_path: Path):
    """submitit's own executor on this machine: SIGUSR2 to the task, and it starts it again."""
    root = write_frames(tmp_path / "frames")
    long = settings(
        root,
        "trainer.max_epochs=40",
        "callbacks.checkpoint.every_n_batches=500",
        "callbacks.image_grid.every_n_epochs=40",
    )
    sweep = tmp_path / "sweep"
    process = start("-m", *long, "hydra/launcher=submitit_local", f"hydra.sweep.dir={sweep}")
    wait_for(lambda: list(sweep.rglob("last.ckpt")), process)
    (task,) = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and runs_task(entry, sweep)]
    os.kill(task, signal.SIGUSR2)
    code, _ = ended(process)
    logs = "\n".join(path.read_text() for path in sweep.rglob("*.err"))
    assert code == 0, logs
    assert re.search(r"SIGUSR2: stopped after batch \d+; back into the queue", logs)
    (folder,) = [path.parent for path in sweep.rglob("metrics.json")]
    assert not (folder / ".requeued").exists()
    process = start(*long, f"hydra.run.dir={tmp_path / 'whole'}")
    assert process.communicate(timeout=200) is not None
    assert process.returncode == 0
    assert differences(tmp_path / "whole", folder) == []


def runs_task(process: Path, folder: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"submitit.core._submit" in words and any(word.startswith(bytes(folder)) for word in words)


def test_a_killed_worker_ends_the_run_in_one_line(tmp_path: Path):
    folder = tmp_path / "run"
    process = start(
        *settings(write_frames(tmp_path / "frames"), *ENDLESS, "data.num_workers=1", f"hydra.run.dir={folder}")
    )
    wait_for((folder / "last.ckpt").exists, process)
    workers = [pid for pid in children(process.pid) if is_worker(pid)]
    os.kill(workers[0], signal.SIGKILL)
    code, lines = ended(process)
    assert code == 1
    assert "a process that reads images has died" in lines[0]
    assert f"{folder / 'last.ckpt'} holds batch {batches(folder)}; continue with resume=" in lines[0]
    assert len([line for line in lines if "has died" in line]) == 1


def is_worker(pid: int) -> bool:
    # a fork of the trainer; multiprocessing's own helpers are programs of their own
    return b"src.train" in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_vanished_image_ends_the_run_in_one_line_and_it_goes_on_when_it_is_back(workers: int, tmp_path: Path):
    folder, root = tmp_path / "run", write_frames(tmp_path / "frames")
    own = [
        "trainer.max_epochs=300",
        "callbacks.checkpoint.every_n_batches=2",
        "callbacks.image_grid.every_n_epochs=500",
    ]
    process = start(*settings(root, *own, f"data.num_workers={workers}", f"hydra.run.dir={folder}"))
    wait_for((folder / "last.ckpt").exists, process)
    shutil.move(root / "trainA", tmp_path / "away")
    code, lines = ended(process)
    assert code == 1
    (line,) = [line for line in lines if "the image is gone" in line]
    assert line.startswith(str(root / "trainA"))
    assert line.endswith(f"; {folder / 'last.ckpt'} holds batch {batches(folder)}")
    before = batches(folder)
    shutil.move(tmp_path / "away", root / "trainA")
    process = start(f"resume={folder}")
    wait_for(lambda: batches(folder) > before, process)
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 143


def test_an_image_that_vanished_before_the_scores_is_named(tmp_path: Path):
    root = write_frames(tmp_path / "frames")
    data = runs.build(tiny(root).data, "data")
    (root / "trainB" / "2.png").unlink()
    with pytest.raises(UserError, match=r"trainB/2.png: the image is gone"):
        data.digest()


def test_a_loss_that_is_not_finite_ends_one_job_and_not_the_sweep(tmp_path: Path):
    arguments = settings(
        write_frames(tmp_path / "frames"), "callbacks.checkpoint.every_n_batches=1", "trainer.max_epochs=1"
    )
    process = start("-m", "optimizer.lr=1e30,1e-3", *arguments, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    code, lines = ended(process)
    assert code == 1
    (line,) = [line for line in lines if line.startswith("batch ")]
    (broken,) = [
        path.parent for path in (tmp_path / "sweep").rglob("last.ckpt") if not (path.parent / "metrics.json").exists()
    ]
    assert re.match(r"batch 2: the terms? .*(gan|nce_x).* (is|are) NaN or infinite", line)
    assert line.endswith(f"; {broken / 'last.ckpt'} holds batch 1")
    saved = torch.load(broken / "last.ckpt", weights_only=True)
    assert saved["batches"] == 1
    assert all(value.isfinite().all() for value in saved["state_dict"].values() if isinstance(value, torch.Tensor))
    assert len(list((tmp_path / "sweep").rglob("metrics.json"))) == 1


class Poison(Callback):
    """Makes one weight infinite after a batch, as an overflow would, while the terms are still finite."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.batches == 3:
            next(iter(pl_module.method.D.parameters())).data.view(-1)[0] = float("inf")


def test_weights_that_are_not_finite_never_replace_a_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cfg = tiny(write_frames(tmp_path / "frames"), "attention=none", "callbacks.checkpoint.every_n_batches=1")
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr("src.fitting.Progress", Poison)
    message = (
        rf"batch 3: method\.D\.\S+ holds NaN or infinite values.*; {re.escape(str(folder))}/last.ckpt holds batch 2$"
    )
    with pytest.raises(UserError, match=message):
        train(cfg, folder)
    saved = torch.load(folder / "last.ckpt", weights_only=True)
    assert saved["batches"] == 2
    assert all(value.isfinite().all() for value in saved["state_dict"].values() if isinstance(value, torch.Tensor))
    assert not json.loads(json.dumps([path.name for path in folder.glob("*.safetensors")]))
