"""How G's last convolution becomes an image: painted anew, or added to the input."""

import torch
from torch import Tensor, nn

KEPT = 0.995
"""Share of the range that `ResidualOutput` lets the input fill before the hyperbolic arc tangent, infinite at 1."""


class PlainOutput(nn.Module):
    """tanh(R), the paper's."""

    def forward(self, r_B3HW: Tensor, x_B3HW: Tensor) -> Tensor:
        """[B, 3, H, W] -> the same shape in [-1, 1]; x is not looked at."""
        return torch.tanh(r_B3HW)


class ResidualOutput(nn.Module):
    """tanh(atanh(s x) + R) / s, held to [-1, 1], with s = 0.995: x itself where R = 0.

    After Richter et al. 2022 ("Enhancing photorealism enhancement"), in the range of tanh. G then has to learn what
    differs, not to paint what is there, and edges pass it as they are.
    """

    def forward(self, r_B3HW: Tensor, x_B3HW: Tensor) -> Tensor:
        """R and x, each [B, 3, H, W], x in [-1, 1] -> the same shape in [-1, 1]."""
        moved = torch.tanh(torch.atanh(KEPT * x_B3HW) + r_B3HW)
        return (moved / KEPT).clamp(-1, 1)
