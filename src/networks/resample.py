"""Blur-pooled resampling by two (Zhang 2019, "Making convolutional networks shift-invariant again")."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.networks.reflect import reflect


class BlurDown(nn.Module):
    """Halve H and W: reflect by one, blur with [1, 2, 1] x [1, 2, 1] / 16, keep every second place."""

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", (row[:, None] * row).expand(channels, 1, 3, 3).clone(), persistent=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, ceil(H / 2), ceil(W / 2)]."""
        padded = reflect(x_BCHW, 1)
        return F.conv2d(padded, self.kernel.to(x_BCHW.dtype), stride=2, groups=x_BCHW.shape[1])


class BlurUp(nn.Module):
    """Double H and W: zeros in between, blurred with [1, 3, 3, 1] x [1, 3, 3, 1] / 16, borders repeated.

    That filter is bilinear interpolation at half-pixel centres, so the library's kernel does it.
    """

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 2 H, 2 W]."""
        return F.interpolate(x_BCHW, scale_factor=2.0, mode="bilinear", align_corners=False)
