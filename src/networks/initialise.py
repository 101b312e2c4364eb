"""Initial weights: Xavier normal with gain 0.02, biases zero (the released CUT code's default)."""

from torch import nn


def xavier(module: nn.Module, gain: float) -> None:
    """Fill every convolution and linear layer below `module` in place."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_normal_(layer.weight, gain)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
