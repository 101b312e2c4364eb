"""Real processes, real signals: what ends a training early leaves a checkpoint, one line and the right exit code."""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import Callback
from omegaconf import open_dict

from src.config import naming, schema
from src.config.build import build
from src.config.command import comes_back
from src.data.cache import FrameCache
from src.system.errors import UserError
from src.training import endings
from src.training.callbacks.checkpoint import REQUEUE, Interrupted
from src.training.run import train
from tests import forked
from tests.conftest import CONF, TINY, UNDRAWN, UNTABLED
from tests.faults import differences
from tests.frames import write_frames
from tests.test_train import tiny

ENDLESS = [
    "trainer.max_epochs=5000",
    "callbacks.checkpoint.every_n_batches=2",
    "metrics.scores=null",
]
SLURM = {
    **{"SLURM_JOB_ID": "77", "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"},
    **{"SLURM_NODELIST": "localhost", "SLURM_JOB_NAME": "train", "SLURM_NTASKS_PER_NODE": "1"},
}


@pytest.fixture
def _no_hydra() -> Iterator[None]:
    """Hydra's own settings, which a test sets, are gone after it."""
    schema.register()
    naming.register()
    yield
    HydraConfig.instance().cfg = None


def settings(root: Path, *own: str) -> list[str]:
    fixed = [
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        "data.samples_per_epoch=6",
        "data.num_workers=0",
    ]
    fixed += [
        "trainer.max_epochs=2",
        "trainer.log_every_n_steps=2",
        "metrics.scores.seeds=1",
        UNDRAWN,
        "attention=none",
    ]
    return [*TINY, *fixed, *own]


def start(*arguments: str, **environment: str) -> forked.Command:
    """In a group of its own, so that a signal may go to all of its processes."""
    return forked.Command("src.train", *arguments, env={**os.environ, **environment})


def wait_for(happened: Callable[[], object], process: forked.Command | None = None) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


def ended(process: forked.Command) -> tuple[int, list[str]]:
    """Exit code, and the lines on stderr that are no progress bar."""
    _, stderr = process.communicate(timeout=120)
    assert "Traceback" not in stderr
    return process.returncode, [
        line for line in stderr.splitlines() if line.strip() and not line.startswith("training:")
    ]


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


@pytest.mark.usefixtures("_no_hydra")
def test_a_job_whose_folder_is_named_by_the_time_is_not_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """It would find nothing there, and begin anew."""
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setattr("subprocess.run", lambda *command, **options: pytest.fail("was put back"))
    with initialize_config_dir(str(CONF), version_base="1.3"):
        HydraConfig.instance().set_config(compose("train", return_hydra_config=True))
    with pytest.raises(SystemExit) as raised, endings.ending("src.train", tmp_path):
        raise Interrupted(4, signal.SIGUSR1)
    assert raised.value.code == 128 + signal.SIGUSR1
    assert capsys.readouterr().err == (
        "SIGUSR1: stopped after batch 4; the job is not put back, as it would begin anew in a folder of another name "
        f"(give hydra.run.dir=<folder>); continue with: python -m src.train resume={tmp_path}\n"
    )


@pytest.mark.usefixtures("_no_hydra")
@pytest.mark.parametrize("given", [["hydra.run.dir=outputs/77"], ["resume=outputs/run"]])
def test_a_job_of_a_fixed_folder_comes_back(given: list[str], monkeypatch: pytest.MonkeyPatch):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("train", given, return_hydra_config=True)
    with open_dict(composed):
        composed.hydra.overrides.task = [one for one in given if not one.startswith("hydra")]
    HydraConfig.instance().set_config(composed)
    assert comes_back()


def send(number: signal.Signals) -> None:
    """To this process, which has something that answers it."""
    assert callable(signal.getsignal(number))
    os.kill(os.getpid(), number)
    pytest.fail("went on")


@pytest.mark.parametrize("number", REQUEUE)
def test_slurms_signal_outside_of_the_steps_puts_the_job_back(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """While frames are prepared or a run is scored it would end the process, and the job would not come back."""
    commands: list[list[str]] = []
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setattr("subprocess.run", lambda command, **options: commands.append(command))
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as raised, endings.ending("src.train", tmp_path):
        send(number)
    assert raised.value.code == 128 + number
    assert commands == [["scontrol", "requeue", "77"]]
    assert capsys.readouterr().err == (
        f"{number.name}: stopped outside of training; job 77 is back in the queue and goes on from there\n"
    )
    assert (tmp_path / ".requeued").exists()
    assert signal.getsignal(number) == before


def test_submitits_signal_outside_of_the_steps_is_answered_by_submitit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Once the run's folder says that it comes back; else its next start would be refused as a second run."""
    marked: list[bool] = []

    def put_back(number: int, frame: object) -> None:
        marked.append((tmp_path / ".requeued").exists())
        raise SystemExit(144)

    before = signal.signal(signal.SIGUSR2, put_back)
    try:
        with pytest.raises(SystemExit) as raised, endings.ending("src.train", tmp_path):
            send(signal.SIGUSR2)
        assert signal.getsignal(signal.SIGUSR2) is put_back
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert raised.value.code == 144
    assert marked == [True]
    assert capsys.readouterr().err == "SIGUSR2: stopped outside of training; back into the queue\n"


class Terminate(Callback):
    """Sends SIGTERM to this process before each of two batches."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.batches in (1, 3):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_second_sigterm_under_slurm_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("src.training.trainer.Progress", Terminate)
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, *REQUEUE)]
    with pytest.raises(Interrupted, match="stopped after batch 4") as raised:
        train(tiny(write_frames(tmp_path / "frames"), "attention=none"), tmp_path)
    assert raised.value.code == 143
    assert [signal.getsignal(number) for number in (signal.SIGTERM, *REQUEUE)] == handlers


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_the_first_step_ends_a_run_at_once(
    number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Frames are cached then, for minutes or hours, and there is nothing yet to be kept."""

    def prepare(self: FrameCache, files: Sequence[Path]) -> None:
        os.kill(os.getpid(), number)
        pytest.fail("went on")

    monkeypatch.setattr(FrameCache, "prepare", prepare)
    cfg = tiny(write_frames(tmp_path / "frames"), "attention=none", f"data.cache={tmp_path / 'cache'}")
    on_interrupt = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as raised, endings.ending("src.train", tmp_path):
        train(cfg, tmp_path)
    assert raised.value.code == code
    assert capsys.readouterr().err.splitlines()[-1] == "stopped"
    assert signal.getsignal(signal.SIGINT) is on_interrupt


class Insist(Callback):
    """Presses Ctrl-C twice in the middle of a step."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.batches == 2:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)


def test_a_second_ctrl_c_ends_the_run_with_the_way_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Lightning would exit with code 1 and not a word."""
    monkeypatch.setattr("src.training.trainer.Progress", Insist)
    cfg = tiny(write_frames(tmp_path / "frames"), "attention=none", "callbacks.checkpoint.every_n_batches=1")
    with pytest.raises(SystemExit) as raised, endings.ending("src.train", tmp_path):
        train(cfg, tmp_path)
    assert raised.value.code == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"stopped; continue with: python -m src.train resume={tmp_path}"
    assert batches(tmp_path) == 2


@pytest.mark.slow
def test_a_job_that_submitit_puts_back_goes_on_and_ends_in_the_same_bits(tmp_path: Path):
    """submitit's own executor on this machine: SIGUSR2 to the task, and it starts it again."""
    root = write_frames(tmp_path / "frames")
    long = settings(
        root,
        "trainer.max_epochs=10",
        "callbacks.checkpoint.every_n_batches=500",
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
    workers = [pid for pid in children(process.pid) if program(pid) == program(process.pid)]
    os.kill(workers[0], signal.SIGKILL)
    code, lines = ended(process)
    assert code == 1
    (line,) = [line for line in lines if "a process that reads images has died" in line]
    assert f"{folder / 'last.ckpt'} holds batch {batches(folder)}; continue with resume=" in line


def program(pid: int) -> bytes:
    # of a worker, a fork of the trainer, the trainer's; multiprocessing's own helpers are programs of their own
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_vanished_image_ends_the_run_in_one_line(tmp_path: Path):
    folder, root = tmp_path / "run", write_frames(tmp_path / "frames")
    process = start(*settings(root, *ENDLESS, "data.num_workers=1", f"hydra.run.dir={folder}"))
    wait_for((folder / "last.ckpt").exists, process)
    shutil.move(root / "trainA", tmp_path / "away")
    code, lines = ended(process)
    assert code == 1
    (line,) = [line for line in lines if "the image is gone" in line]
    assert line.startswith(str(root / "trainA"))
    assert line.endswith(f"; {folder / 'last.ckpt'} holds batch {batches(folder)}")


def test_an_image_that_vanished_before_the_scores_is_named(tmp_path: Path):
    root = write_frames(tmp_path / "frames")
    data = build(tiny(root).data, "data")
    assert len(data.domains.y_train) == 6  # listed, as before a training
    (root / "trainB" / "2.png").unlink()
    with pytest.raises(UserError, match=r"trainB/2.png: the image is gone"):
        data.digest()


def test_a_loss_that_is_not_finite_ends_one_job_and_not_the_sweep(tmp_path: Path):
    arguments = settings(
        write_frames(tmp_path / "frames"),
        *("callbacks.checkpoint.every_n_batches=1", "trainer.max_epochs=1", "metrics.scores=null", UNTABLED),
    )
    process = start("-m", "optimizer.lr=1e30,1e-3", *arguments, f"hydra.sweep.dir={tmp_path / 'sweep'}")
    code, lines = ended(process)
    assert code == 1
    (line,) = [line for line in lines if line.startswith("batch ")]
    assert re.match(r"batch 1: the term gan is NaN or infinite, so training ends; ", line)
    assert not list((tmp_path / "sweep").rglob("*1e30*/last.ckpt"))
    assert len(list((tmp_path / "sweep").rglob("metrics.json"))) == 1


class Poison(Callback):
    """Spoils one weight, as an overflow would: before a batch, or after it, when its terms are known."""

    def __init__(self, before: int, value: float) -> None:
        self.before = before
        self.value = value

    def _spoil(self, pl_module) -> None:
        next(iter(pl_module.method.D.parameters())).data.view(-1)[0] = self.value


class PoisonBefore(Poison):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.batches == self.before - 1:
            self._spoil(pl_module)


class PoisonAfter(Poison):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if pl_module.batches == self.before - 1:
            self._spoil(pl_module)


@pytest.mark.parametrize(
    ("poison", "message"),
    [
        (PoisonBefore(3, float("nan")), "batch 3: the terms .*d_fake, d_real are NaN or infinite"),
        (PoisonAfter(4, float("inf")), r"batch 3: method\.D\.\S+ holds NaN or infinite values"),
    ],
)
def test_what_is_not_finite_names_the_last_good_checkpoint_and_never_replaces_it(
    poison: Poison, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cfg = tiny(write_frames(tmp_path / "frames"), "attention=none", "callbacks.checkpoint.every_n_batches=1")
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr("src.training.trainer.Progress", lambda: poison)
    with pytest.raises(UserError, match=rf"^{message}.*; {re.escape(str(folder))}/last.ckpt holds batch 2$"):
        train(cfg, folder)
    saved = torch.load(folder / "last.ckpt", weights_only=True)
    assert saved["batches"] == 2
    assert all(value.isfinite().all() for value in saved["state_dict"].values() if isinstance(value, torch.Tensor))
    assert not list(folder.glob("*.safetensors"))
