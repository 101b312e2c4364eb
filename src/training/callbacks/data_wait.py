"""How fast training goes, and how much of it is spent waiting for data."""

import time
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from src.data.position import batches
from src.system.unpromised import log_interval


class DataWait(Callback):
    """Logs `speed/images`, images of a domain a second over all ranks, and `train/data_wait`, since the last entry.

    The second is the share of wall time in which this rank waited for a batch. Near 0 the device is what limits; else
    raise data.num_workers or set data.cache. The device is never asked for, so on a GPU a wait that falls under queued
    work counts too.
    """

    def __init__(self) -> None:
        self._waited, self._mark, self._images = 0.0, 0.0, 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._waited, self._mark, self._images = 0.0, time.monotonic(), 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log when it is time."""
        loader, done = trainer.train_dataloader, batches(pl_module)
        assert loader is not None
        self._images += len(next(iter(batch.values()))) * trainer.world_size
        if done % log_interval(trainer) == 0:
            waited, now = loader.waited, time.monotonic()
            pl_module.log("train/data_wait", (waited - self._waited) / (now - self._mark))
            pl_module.log("speed/images", self._images / (now - self._mark))
            self._waited, self._mark, self._images = waited, now, 0
