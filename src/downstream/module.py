"""Trains a segmenter: cross-entropy over the labelled pixels, a rate that falls as a polynomial to zero."""

from collections.abc import Callable, Iterable

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from src.data.labels import IGNORE
from src.downstream.data import LabelledSample
from src.system.errors import UserError
from src.system.unpromised import log_interval
from src.training.counted import CountedModule
from src.training.schedule import polynomial_decay


class Segmentation(CountedModule):
    """One optimiser, its rate set anew for every batch.

    Args:
        network: what is trained, images [B, 3, H, W] -> logits [B, K, H, W].
        optimizer: builds an optimiser from parameters.
        power: of the schedule, (1 - batch / batches) ** power; 0.9 in DeepLab (Chen et al. 2017).
    """

    def __init__(
        self, network: nn.Module, *, optimizer: Callable[[Iterable[nn.Parameter]], Optimizer], power: float
    ) -> None:
        super().__init__()
        if power < 0:
            raise UserError(f"module.power must be >= 0, got {power}")
        self.network = network
        self.optimizer = optimizer
        self.power = power

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimiser with its schedule."""
        optimizer = self.optimizer(self.network.parameters())
        total = int(self.trainer.estimated_stepping_batches)
        schedule = LambdaLR(optimizer, lambda batch: polynomial_decay(batch, batches=total, power=self.power))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, sample: LabelledSample, batch_idx: int) -> Tensor:
        """Mean cross-entropy of the labelled pixels of a batch, in fp32; zero if it has none."""
        logits, labels = self.network(sample["image"]).float(), sample["labels"]
        total = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum")
        loss = total / (labels != IGNORE).sum().clamp(min=1)
        self.batches += 1
        self.log("train/cross_entropy", loss.detach())
        self.finite.watch({"cross_entropy": loss.detach()}, self.batches, log_interval(self.trainer))
        return loss
