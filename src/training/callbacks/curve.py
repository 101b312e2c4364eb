"""A run's scores against what its training took: curve.csv, a line for each epoch that was scored."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from src.runs.results import save_curve


class Curve(Callback):
    """Counts the minutes of training, over a resume too, and keeps the scores beside them.

    Minutes are those of processors on a CPU (all threads of all ranks, without the processes that read images), and of
    the clock elsewhere; of steps alone, without pictures and scores.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seconds, self._mark = 0.0, 0.0
        self._clock = time.process_time
        self._points: list[dict[str, float]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock: a resumed epoch does not start."""
        self._clock = time.process_time if pl_module.device.type == "cpu" else time.perf_counter
        self._mark = self._clock()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start it again, behind the last epoch's pictures and scores."""
        self._mark = self._clock()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the step."""
        now = self._clock()
        self._seconds += (now - self._mark) * trainer.world_size
        self._mark = now

    def add(self, trainer: Trainer, epoch: int, scores: Mapping[str, float]) -> None:
        """The scores of an epoch; those of the last one are known twice and stand once."""
        kept = [point for point in self._points if point["epoch"] < epoch]
        self._points = [*kept, {"epoch": epoch, "minutes": round(self._seconds / 60, 4), **scores}]
        if trainer.is_global_zero:
            save_curve(self._folder, self._points)

    def state_dict(self) -> dict[str, Any]:
        """What the training took so far, and its scores."""
        return {"seconds": self._seconds, "points": self._points}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._seconds, self._points = state_dict["seconds"], state_dict["points"]
