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


KNEE = 0.5
"""From where on an aligned value is pressed together instead of being cut off at the end of the range."""


class ColourAlignment(nn.Module):
    """u = a x + b a channel, pressed into (-1, 1) beyond the knee k: c + (1 - k) tanh((u - c) / (1 - k)), c = clip(u).

    A set of more contrast asks for values beyond the range; cut off, they would leave dark houses and bright skies of
    one colour, in which G has nothing to work on. `scale` a and `shift` b are buffers, so they travel with the weights
    and are no parameters; 1 and 0 until `fit` is told of the sets.
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
        u_B3HW = x_B3HW * self.scale[:, None, None] + self.shift[:, None, None]
        straight_B3HW = u_B3HW.clamp(-KNEE, KNEE)
        return straight_B3HW + (1 - KNEE) * torch.tanh((u_B3HW - straight_B3HW) / (1 - KNEE))
