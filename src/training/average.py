"""An exponential moving average of a network's weights, the one that is evaluated and used."""

from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from src.system.errors import UserError


class WeightAverage(nn.Module):
    """average <- d * average + (1 - d) * weights, with d = min(decay, (1 + t) / (10 + t)) at step t.

    The ramp lets a short run forget its first weights. torch.optim.swa_utils.AveragedModel reads a counter from
    the device at every update, which makes a GPU wait; this one is told the step.

    Args:
        network: what is averaged; copied.
        decay: d, in [0, 1).
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise UserError(f"module.ema_decay must lie in [0, 1), got {decay}")
        self.decay = decay
        self.network = deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, weights: Iterable[nn.Parameter], step: int) -> None:
        """Move towards `weights`, the parameters of the network in training."""
        decay = min(self.decay, (1 + step) / (10 + step))
        get_ema_multi_avg_fn(decay)(list(self.network.parameters()), list(weights), None)
