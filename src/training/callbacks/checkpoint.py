"""last.ckpt: written whole or not at all, every so many batches, at the end of an epoch and when asked to stop."""

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint
from tqdm import tqdm

from src.data.position import batches
from src.system import stopping
from src.system.errors import UserError
from src.system.ranks import any_rank
from src.system.unpromised import data_state, why_not_saved

REQUEUE = (signal.SIGUSR1, signal.SIGUSR2)
"""What SLURM sends ahead of a time limit or a preemption, where the job asked for it."""


class Interrupted(Exception):
    """Training was stopped by a signal, after a checkpoint.

    Attributes:
        signal: SIGINT, SIGTERM or one of REQUEUE.
        code: what the process exits with, unless it is put back into a queue.
    """

    def __init__(self, batches: int, number: int) -> None:
        super().__init__(f"stopped after batch {batches}")
        self.signal = signal.Signals(number)
        self.code = 128 + number


class LastCheckpoint(Checkpoint):
    """Keeps one checkpoint that training can continue from, exactly, in the middle of an epoch too.

    Ctrl-C, SIGTERM and SLURM's requeue signal finish the step, write the checkpoint and raise Interrupted, on all
    ranks whichever of them they reached; a second one stops at once, and so does one that comes before the first step.
    In a SLURM job, a first SIGTERM writes the checkpoint and training goes on: whether the job ends, and whether it
    comes back, is for SLURM to say.

    Args:
        path: of the file.
        every_n_batches: how often within an epoch.
        accumulate: batches a step; a checkpoint never falls between them, where gradients would be lost.

    Attributes:
        at_once: what was raised to end training at once, if anything was.
    """

    def __init__(self, path: Path, *, every_n_batches: int, accumulate: int) -> None:
        super().__init__()
        if every_n_batches < 1:
            raise UserError(f"callbacks.checkpoint.every_n_batches must be >= 1, got {every_n_batches}")
        self.path = path
        self.every_n_batches = every_n_batches
        self.accumulate = accumulate
        self._taken: list[signal.Signals] = []
        self._asked: signal.Signals | None = None
        self._early = False
        self.at_once: KeyboardInterrupt | None = None
        self._warned = False
        self._kept: int | None = None

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """Take over the signals that ask for an end, for as long as training lasts, however it ends."""
        self._taken = [signal.SIGINT, signal.SIGTERM, *filter(is_used, REQUEUE)]
        previous = {number: signal.signal(number, self._on_signal) for number in self._taken}
        self._early = True
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def kept(self) -> str:
        """The last good checkpoint in words, to end a message with; nothing if there is none."""
        return "" if self._kept is None else f"; {self.path} holds batch {self._kept}"

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals back from Lightning, whose handlers would save or requeue in the middle of a step."""
        for number in self._taken:
            signal.signal(number, self._on_signal)
        self._early = False
        self._kept = batches(pl_module) or None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save when it is time, except at the last batch, where the end of the epoch does."""
        if trainer.is_last_batch or (batch_idx + 1) % self.accumulate:
            return
        # the signal reaches ranks at different steps, or one of them alone; they must stop after the same one
        asked = any_rank(self._asked is not None)
        # a window may go past the batch at which it was time
        if asked or (batch_idx + 1) % self.every_n_batches < self.accumulate:
            self._save(trainer, pl_module)
        if asked:
            self._stop(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after the module's own hook, which steps the schedules: Lightning calls checkpoints last."""
        self._save(trainer, pl_module)
        if any_rank(self._asked is not None):
            self._stop(trainer, pl_module)

    def _save(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.save_checkpoint(self.path)
        self._kept = batches(pl_module)

    def _stop(self, trainer: Trainer, pl_module: LightningModule) -> None:
        done = batches(pl_module)
        # the ranks may have been asked by different signals; one that can bring the job back counts most
        for number in (*REQUEUE, signal.SIGINT):
            if any_rank(self._asked == number):
                raise Interrupted(done, number)
        if not _in_slurm() or self._warned:
            raise Interrupted(done, signal.SIGTERM)
        self._warned = True
        if self._asked == signal.SIGTERM:
            self._asked = None
        if trainer.is_global_zero:
            # above the progress bar and not into it
            tqdm.write(f"SIGTERM: {self.path} holds batch {done}; training goes on until SLURM ends it", sys.stderr)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now = signal.Signals(number)
        early = self._early and not (now == signal.SIGTERM and _in_slurm())
        if now not in REQUEUE and (early or self._asked is not None):
            self.at_once = stopping.Terminated() if now == signal.SIGTERM else KeyboardInterrupt()
            raise self.at_once
        self._asked = now


def _in_slurm() -> bool:
    return "SLURM_JOB_ID" in os.environ


def is_used(number: signal.Signals) -> bool:
    """Whether this job is sent that one of REQUEUE."""
    # submitit has taken the one it sends; another belongs to a SLURM job, or means what it always does
    return _in_slurm() or callable(signal.getsignal(number))


def only_checkpoint(callbacks: Iterable[object]) -> LastCheckpoint:
    """The one among the callbacks; raises UserError for none or several, of which a run could not go on."""
    found = [one for one in callbacks if isinstance(one, LastCheckpoint)]
    if len(found) != 1:
        raise UserError(f"callbacks: a run goes on from one checkpoint, of one LastCheckpoint, and not of {len(found)}")
    return found[0]


class Remembered(Protocol):
    """Data whose state in a checkpoint names the files it was trained on.

    Attributes:
        files: fingerprint of the training files, as they are now.
    """

    @property
    def files(self) -> str: ...


def check_fits(path: Path, module: LightningModule, data: Remembered) -> None:
    """Raise UserError if a checkpoint is of another network than the module's, or of other training files."""
    checkpoint = torch.load(path, map_location="meta", weights_only=True)
    saved = checkpoint["state_dict"]
    built = module.state_dict()
    differing = [
        name
        for name in sorted({*saved, *built})
        if getattr(saved.get(name, path), "shape", None) != getattr(built.get(name, path), "shape", None)
    ]
    if differing:
        raise UserError(f"{path}: does not fit the configuration beside it ({differing[0]} differs); start a new run")
    # checkpoints of earlier versions name no files
    if data_state(checkpoint, data).get("files", data.files) != data.files:
        raise UserError(
            f"{path}: the training files are not those that the run began with (names, sizes or number differ, or a "
            "mask); bring them back or start a new run"
        )


class WholeFileIO(TorchCheckpointIO):
    """Writes under a temporary name and renames, and keeps the checkpoint before that one.

    At any moment there is a whole checkpoint, the last or the previous. What this process has neither read nor written
    may be damaged, and takes no previous one's place.

    Args:
        previous: name of the other file.
    """

    def __init__(self, previous: str) -> None:
        super().__init__()
        self.previous = previous
        self._whole: set[Path] = set()

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """As TorchCheckpointIO, for a local file."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.part")
        try:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            if path in self._whole and path.is_file():
                path.replace(path.with_name(self.previous))
            temporary.replace(path)
        except (OSError, RuntimeError) as error:
            temporary.unlink(missing_ok=True)
            if (cause := why_not_saved(error)) is None:
                raise
            raise OSError(cause.errno, cause.strerror, str(path)) from error
        self._whole.add(path)

    def load_checkpoint(self, path: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        """As TorchCheckpointIO."""
        checkpoint = super().load_checkpoint(path, *arguments, **options)
        self._whole.add(Path(path))
        return checkpoint
