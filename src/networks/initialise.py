"""Initial weights from a normal distribution, biases zero, as the released CUT and CycleGAN code."""

from typing import Literal

from torch import nn

Init = Literal["xavier", "normal"]
"""xavier: deviation gain * sqrt(2 / (fan in + fan out)), CUT's | normal: deviation gain, the original CycleGAN's."""


WIDEST = 1024
"""Channels after a network's first convolution: sixteen times the paper's, billions of parameters."""


def initialise(module: nn.Module, init: Init, gain: float) -> None:
    """Fill every convolution and linear layer below `module` in place."""
    if init not in ("xavier", "normal"):
        raise ValueError(f"init must be xavier or normal, got {init!r}")
    if gain <= 0:
        raise ValueError(f"gain must be > 0, got {gain}")
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if init == "xavier":
                nn.init.xavier_normal_(layer.weight, gain)
            else:
                nn.init.normal_(layer.weight, std=gain)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
