"""One progress bar for the whole run, on stderr: the terms of the objective and images a second."""

import sys
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from tqdm import tqdm

from src.data.position import batches
from src.system.unpromised import log_interval


class Progress(Callback):
    """Counts batches over all epochs; reads the terms from the device only as often as they are logged."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

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
            rate = (self._bar.format_dict["rate"] or 0) * len(next(iter(batch.values()))) * trainer.world_size
            self._bar.set_postfix({"epoch": trainer.current_epoch, **terms, "images/s": f"{rate:.1f}"}, refresh=False)
        self._bar.update(1)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        assert self._bar is not None
        self._bar.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the bar before the message."""
        if self._bar is not None:
            self._bar.close()
