"""How the processes of a run are started, and how they end: together, with one message and one exit code."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning import Trainer
from lightning.pytorch.strategies import ParallelStrategy
from lightning.pytorch.utilities import rank_zero_only

from src import ranks
from src.callbacks.checkpoint import Interrupted
from src.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")
PATIENCE = 30  # seconds for the other ranks to arrive, and for their processes to end


def is_first() -> bool:
    """Whether this process is rank 0; before a trainer exists, as far as the environment tells."""
    return getattr(rank_zero_only, "rank", 0) == 0


def in_sweep() -> bool:
    """Whether this process runs a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def requeued() -> bool:
    """Whether SLURM has started this job before."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def adopt() -> None:
    """Announce the ranks that submitit has started on this machine as torchrun would; SLURM announces its own."""
    if os.environ.get("SUBMITIT_EXECUTOR") == "local":
        from submitit.helpers import TorchDistributedEnvironment

        # every rank keeps seeing all GPUs of the job and takes its own by its local rank
        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)


def check(trainer: Trainer, strategy: str) -> None:
    """Refuse several processes that cannot be started, before any is.

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


def alone(train: Callable[P, T]) -> Callable[P, T]:
    """Refuse to train in a folder in which another process trains; the ranks of one run count as one."""

    @functools.wraps(train)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        if not is_first():
            return train(*arguments, **options)
        folder = next(argument for argument in arguments if isinstance(argument, Path))
        path = folder / ".lock"
        lock = FileLock(path, blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise UserError(f"{folder}: another process trains here; wait for it or name another folder") from None
        try:
            return train(*arguments, **options)
        finally:
            path.unlink(missing_ok=True)
            lock.release()

    return guarded


@contextmanager
def ending_together(trainer: Trainer) -> Iterator[None]:
    """Let all ranks leave the block before any of them ends with an error.

    Lightning kills rank 0 when a process that it has started ends with one; here all have the same.
    """
    try:
        yield
    except (UserError, Interrupted) as error:
        watched: list[subprocess.Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
        others = list(watched)
        watched.clear()
        if not ranks.meet(PATIENCE) and not is_first():
            print(str(error).strip().splitlines()[-1], file=sys.stderr)  # rank 0 does not know
        for process in others:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        raise
