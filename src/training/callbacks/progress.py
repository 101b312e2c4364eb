"""One progress bar for the whole run, on stderr: the terms of the objective, images a second, the time that is left."""

import sys
import time
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from tqdm import tqdm

from src.data.position import batches
from src.system.estimate import in_words
from src.system.unpromised import log_interval

FIRST, TIMED = 5, 10
"""Batches that are slower than those to come, and batches that an estimate is made of, or of PATIENCE seconds."""
PATIENCE = 20.0


class Progress(Callback):
    """Counts batches over all epochs; reads the terms from the device only as often as they are logged.

    Where stderr is no terminal, whose bar says how much time is left, a line says it once, after the first batches.
    """

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._done, self._mark, self._told = 0, 0.0, False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start where a resumed run stands."""
        self._bar = tqdm(
            disable=not trainer.is_global_zero,
            total=int(trainer.num_training_batches) * (trainer.max_epochs or 1),
            initial=batches(pl_module),
            desc="training",
            unit="batch",
            file=sys.stderr,
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 30,
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance by one."""
        assert self._bar is not None
        if batches(pl_module) % log_interval(trainer) == 0:
            terms = {
                name.removeprefix("train/"): f"{float(value):.3f}"
                for name, value in trainer.callback_metrics.items()
                if name.startswith("train/")
            }
            so_far = self._bar.format_dict
            rate = so_far["rate"] or so_far["n"] / max(so_far["elapsed"], 1e-9)  # none before the bar was drawn anew
            rate *= len(next(iter(batch.values()))) * trainer.world_size
            self._bar.set_postfix({"epoch": trainer.current_epoch, **terms, "images/s": f"{rate:.1f}"}, refresh=False)
        self._bar.update(1)
        if trainer.is_global_zero and not sys.stderr.isatty():
            self._estimate(self._bar)

    def _estimate(self, bar: "tqdm[Any]") -> None:
        """Say once how long the rest will take."""
        if self._told:
            return
        self._done += 1
        if self._done == FIRST:
            self._mark = time.monotonic()
        timed, seconds = self._done - FIRST, time.monotonic() - self._mark
        if timed < 1 or (timed < TIMED and seconds < PATIENCE):
            return
        self._told = True
        assert bar.total is not None
        each, left = seconds / timed, int(bar.total) - int(bar.n)
        if left:
            rest = f"{in_words(each * left)} for the {left} that are left, then the scores"
            bar.write(f"training: {each:.2g} s a batch; {rest}", file=sys.stderr)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        assert self._bar is not None
        self._bar.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the bar before the message."""
        if self._bar is not None:
            self._bar.close()
