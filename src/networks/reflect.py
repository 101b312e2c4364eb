"""Reflected borders whose gradient can be repeated: PyTorch's own adds it up in no fixed order on an NVIDIA GPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Reflect(nn.ReflectionPad2d):
    """`nn.ReflectionPad2d`; where deterministic algorithms are asked for on a GPU, put together from slices."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H + 2 p, W + 2 p]."""
        return reflect(x_BCHW, self.padding[0])


def reflect(x_BCHW: Tensor, padding: int) -> Tensor:
    """Mirror `padding` rows and columns at each border, without repeating the edge."""
    if x_BCHW.is_cuda and torch.are_deterministic_algorithms_enabled():
        return from_slices(x_BCHW, padding)
    return F.pad(x_BCHW, (padding,) * 4, mode="reflect")


def from_slices(x_BCHW: Tensor, padding: int) -> Tensor:
    """The same values; the gradient of a slice is added to that of the next in the order of the program."""
    for dim in (2, 3):
        length = x_BCHW.shape[dim]
        before = x_BCHW.narrow(dim, 1, padding).flip(dim)
        after = x_BCHW.narrow(dim, length - 1 - padding, padding).flip(dim)
        x_BCHW = torch.cat([before, x_BCHW, after], dim)
    return x_BCHW
