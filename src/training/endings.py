"""How the processes of a run are started, and how they end: together, with one message and one exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lightning import Trainer
from lightning.pytorch.strategies import ParallelStrategy

from src.config.command import comes_back, in_sweep
from src.config.quoting import pasted
from src.runs.folder import CHECKPOINT, REQUEUED
from src.system import stopping
from src.system.errors import UserError, one_line
from src.system.ranks import is_first, meet, part_at_exit, say
from src.system.unpromised import tell_lightning_rank, watched_by_lightning
from src.training.callbacks.checkpoint import REQUEUE, Interrupted, is_used

PATIENCE = 30  # seconds for the other ranks to arrive, and for their processes to end


class _Called(KeyboardInterrupt):
    """One of REQUEUE came while no step was made: frames were prepared, or the run was scored.

    Attributes:
        signal: which.
        code: what the process exits with, unless it is put back into a queue.
    """

    def __init__(self, number: int) -> None:
        super().__init__("stopped outside of training")
        self.signal = signal.Signals(number)
        self.code = 128 + number


def announce_ranks() -> None:
    """Announce the ranks that submitit has started on this machine as torchrun would; SLURM announces its own."""
    if os.environ.get("SUBMITIT_EXECUTOR") == "local":
        from submitit.helpers import TorchDistributedEnvironment

        # every rank keeps seeing all GPUs of the job and takes its own by its local rank
        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        tell_lightning_rank(int(os.environ["RANK"]))


def check(trainer: Trainer, strategy: str) -> None:
    """Refuse several processes that cannot be started, before any is; have those that can part when they end.

    Args:
        trainer: of the run.
        strategy: as configured.
    """
    if trainer.world_size == 1:
        return
    if strategy == "auto":
        raise UserError(f"trainer.devices asks for {trainer.world_size} processes; add trainer=ddp")
    assert isinstance(trainer.strategy, ParallelStrategy)
    environment = trainer.strategy.cluster_environment
    if in_sweep() and not (environment and environment.creates_processes_externally):
        raise UserError(
            "a sweep inside one process trains on one device; with trainer=ddp add hydra/launcher=submitit_local "
            "(this machine) or hydra/launcher=submitit_slurm, see docs/scale.md"
        )
    part_at_exit()


@contextmanager
def ending_together(trainer: Trainer) -> Iterator[None]:
    """Let all ranks leave the block before any of them ends with an error.

    Lightning kills rank 0 when a process that it has started ends with one; here all have the same.
    """
    try:
        yield
    except (UserError, Interrupted) as error:
        watched = watched_by_lightning(trainer.strategy.launcher)
        others = list(watched)
        watched.clear()
        if not meet(PATIENCE) and not is_first():
            message = one_line(error) if isinstance(error, UserError) else str(error)
            print(message, file=sys.stderr)  # rank 0 does not know
        for process in others:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        raise


@contextmanager
def ending(command: str, folder: Path) -> Iterator[None]:
    """Turn every way a training may be stopped into one line on stderr and an exit code.

    A user's mistake is left to `src.config.command.entry`, but one process of several says it. Ctrl-C is 130 and
    SIGTERM 143, with the way on. A job that SLURM or submitit will end soon is put back into the queue.

    Args:
        command: the module that continues a run, `src.train`.
        folder: of the run.
    """
    try:
        with _signals_taken():
            yield
    except UserError:
        if not is_first() and not in_sweep():
            sys.exit(1)  # the first process says it
        raise
    except (Interrupted, _Called) as stop:
        if stop.signal in REQUEUE:
            _requeue(stop, command, folder)
        say(f"{stop}; {_way_on(command, folder)}")
        sys.exit(stop.code)
    except KeyboardInterrupt as stop:
        on = f"; {_way_on(command, folder)}" if (folder / CHECKPOINT).exists() else ""
        say(f"stopped{on}")
        sys.exit(stopping.code(stop))


@contextmanager
def _signals_taken() -> Iterator[None]:
    """Have SIGTERM and what this job is sent of REQUEUE end the block by an exception; steps have their own way."""
    taken = dict.fromkeys(filter(is_used, REQUEUE), _called)
    # in a SLURM job, what ends it is for SLURM to say
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and "SLURM_JOB_ID" not in os.environ:
        taken[signal.SIGTERM] = stopping.terminate
    before = {number: signal.signal(number, handler) for number, handler in taken.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _called(number: int, frame: FrameType | None) -> None:
    raise _Called(number)


def _way_on(command: str, folder: Path) -> str:
    return f"continue with: python -m {command} {pasted('resume', folder)}"


def _requeue(stop: Interrupted | _Called, command: str, folder: Path) -> NoReturn:
    """Have the job started again; the first rank does it, and the others must not end it before."""
    if not is_first():
        sys.exit(0)
    handler = signal.getsignal(stop.signal)
    if not callable(handler) and not comes_back():
        key = "hydra.sweep.dir" if in_sweep() else "hydra.run.dir"
        say(
            f"{stop.signal.name}: {stop}; the job is not put back, as it would begin anew in a folder of another name "
            f"(give {key}=<folder>); {_way_on(command, folder)}"
        )
        sys.exit(stop.code)
    (folder / REQUEUED).touch()
    if callable(handler):
        say(f"{stop.signal.name}: {stop}; back into the queue")
        handler(stop.signal, None)  # submitit's; it ends this process
    job = os.environ["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        why = " ".join(str(getattr(error, "stderr", None) or error).split())
        say(f"{stop.signal.name}: {stop}; SLURM did not take the job back ({why}), {_way_on(command, folder)}")
    else:
        say(f"{stop.signal.name}: {stop}; job {job} is back in the queue and goes on from there")
    sys.exit(stop.code)
