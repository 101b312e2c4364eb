"""Colour first: x brought to the colour statistics of y, those of whole sets, before G sees it.

Per channel of RGB, after Reinhard et al. 2001 ("Color transfer between images", Eq. 10 and 11), with the statistics of
the sets in place of two images', so that a film does not flicker.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Colours(NamedTuple):
    """Mean and deviation of each channel over all pixels of a set, float64 [3] in the range [-1, 1] of images."""

    mean: Tensor
    std: Tensor


def colours_of(images: Iterable[Tensor]) -> Colours:
    """Of images [3, H, W] in [-1, 1], of any sizes, one after the other; every pixel counts the same."""
    count, total, squares = 0, torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for image_3HW in images:
        pixels_3P = image_3HW.flatten(1).double()
        count += pixels_3P.shape[1]
        total += pixels_3P.sum(1)
        squares += pixels_3P.square().sum(1)
    mean = total / count
    return Colours(mean, (squares / count - mean.square()).clamp_min(0).sqrt())


class ColourAlignment(nn.Module):
    """a x + b a channel, held to [-1, 1]; the identity until `fit` is told of the sets.

    `scale` a and `shift` b are buffers, so they travel with the weights and are no parameters.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(3))
        self.register_buffer("shift", torch.zeros(3))

    def fit(self, x: Colours, y: Colours) -> None:
        """Give x the mean and the deviation of y; a channel of x without variation is shifted only."""
        scale = torch.where(x.std > 1e-6, y.std / x.std.clamp_min(1e-6), torch.ones_like(x.std))
        self.scale.copy_(scale)
        self.shift.copy_(y.mean - scale * x.mean)

    def forward(self, x_B3HW: Tensor) -> Tensor:
        """[B, 3, H, W] -> the same shape in [-1, 1]."""
        return (x_B3HW * self.scale[:, None, None] + self.shift[:, None, None]).clamp(-1, 1)
