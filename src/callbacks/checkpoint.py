"""last.ckpt: written whole or not at all, every so many batches, at the end of an epoch and on Ctrl-C."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from src import ranks
from src.errors import UserError


class Interrupted(Exception):
    """Training was stopped by the user, after a checkpoint."""


class LastCheckpoint(Checkpoint):
    """Keeps one checkpoint that training can continue from, exactly, in the middle of an epoch too.

    Ctrl-C finishes the step, writes the checkpoint and raises Interrupted, on all ranks whichever of them it
    reached; a second one stops at once.

    Args:
        path: of the file.
        every_n_batches: how often within an epoch.
        accumulate: batches a step; a checkpoint never falls between them, where gradients would be lost.
    """

    def __init__(self, path: Path, *, every_n_batches: int, accumulate: int) -> None:
        super().__init__()
        if every_n_batches < 1:
            raise UserError(f"callbacks.checkpoint.every_n_batches must be >= 1, got {every_n_batches}")
        self.path = path
        self.every_n_batches = every_n_batches
        self.accumulate = accumulate
        self._asked_to_stop = False

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """Take over Ctrl-C for as long as training lasts, however it ends."""
        previous = signal.signal(signal.SIGINT, self._on_interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save when it is time, except at the last batch, where the end of the epoch does."""
        if trainer.is_last_batch or (batch_idx + 1) % self.accumulate:
            return
        # the signal reaches ranks at different steps, or one of them alone; they must stop after the same one
        stop = ranks.any_rank(self._asked_to_stop)
        if stop or (batch_idx + 1) % self.every_n_batches == 0:
            trainer.save_checkpoint(self.path)
        if stop:
            raise Interrupted(f"stopped after batch {pl_module.batches}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after the module's own hook, which steps the schedules: Lightning calls checkpoints last."""
        trainer.save_checkpoint(self.path)
        if ranks.any_rank(self._asked_to_stop):
            raise Interrupted(f"stopped after batch {pl_module.batches}")

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._asked_to_stop:
            raise KeyboardInterrupt
        self._asked_to_stop = True


def check_fits(path: Path, module: LightningModule) -> None:
    """Raise UserError if a checkpoint is of another network than the module's."""
    try:
        saved = torch.load(path, map_location="meta", weights_only=True)["state_dict"]
    except Exception as error:  # torch.load fails in many ways on what is not its own
        raise UserError(f"{path}: not a readable checkpoint; start a new run") from error
    built = module.state_dict()
    differing = [
        name
        for name in sorted({*saved, *built})
        if getattr(saved.get(name, path), "shape", None) != getattr(built.get(name, path), "shape", None)
    ]
    if differing:
        raise UserError(f"{path}: does not fit the configuration beside it ({differing[0]} differs); start a new run")


class WholeFileIO(TorchCheckpointIO):
    """Writes under a temporary name and renames, so that a crash leaves the previous checkpoint intact."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """As TorchCheckpointIO, for a local file."""
        temporary = Path(path).with_name(f".{Path(path).name}.part")
        try:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except (OSError, RuntimeError) as error:  # torch loses why it could not write
            temporary.unlink(missing_ok=True)
            cause = error if isinstance(error, OSError) else error.__context__
            if not isinstance(cause, OSError):
                raise
            raise OSError(cause.errno, cause.strerror, str(path)) from error
