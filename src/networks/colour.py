"""Colour first: x brought to the colour statistics of y, those of whole sets, before G sees it.

After Reinhard et al. 2001 ("Color transfer between images"), with the statistics of the sets in place of two images',
so that a film does not flicker, and with the covariance of the channels in place of a colour space that decorrelates
them (Pitie and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping"): a game's saturation is in it.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Colours(NamedTuple):
    """Mean [3] and covariance [3, 3] of RGB over all pixels of a set, float64, in the range [-1, 1] of images."""

    mean: Tensor
    covariance: Tensor


def colours_of(images: Iterable[Tensor]) -> Colours:
    """Of images [3, H, W] in [-1, 1], of any sizes, one after the other; every pixel counts the same."""
    count, total, squares = 0, torch.zeros(3, dtype=torch.float64), torch.zeros(3, 3, dtype=torch.float64)
    for image_3HW in images:
        pixels_3P = image_3HW.flatten(1).double()
        count += pixels_3P.shape[1]
        total += pixels_3P.sum(1)
        squares += pixels_3P @ pixels_3P.T
    mean = total / count
    return Colours(mean, squares / count - mean[:, None] * mean)


LEAST = (0.1 / 127.5) ** 2
"""Variance that every colour direction of a set has at least: a tenth of a grey level."""
KNEE = 0.5
"""From where on an aligned value is pressed together instead of being cut off at the end of the range."""


class ColourAlignment(nn.Module):
    """u = A x + b a pixel, pressed into (-1, 1) beyond the knee k: c + (1 - k) tanh((u - c) / (1 - k)), c = clip(u).

    A set of more contrast asks for values beyond the range; cut off, they would leave dark houses and bright skies of
    one colour, in which G has nothing to work on. `matrix` A and `shift` b are buffers, so they travel with the weights
    and are no parameters; the unit matrix and 0 until `fit` is told of the sets.
    """

    matrix: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.eye(3))
        self.register_buffer("shift", torch.zeros(3))

    def fit(self, x: Colours, y: Colours) -> None:
        """Give x the mean and the covariance of y by the linear map that moves colours least.

            A = X^(-1/2) (X^(1/2) Y X^(1/2))^(1/2) X^(-1/2), of the covariances X and Y; b = mean_y - A mean_x

        Directions without variation in x are taken to have a deviation of a tenth of a grey level.
        """
        root, inverse = _power(x.covariance, 0.5), _power(x.covariance, -0.5)
        matrix = inverse @ _power(root @ y.covariance @ root, 0.5) @ inverse
        self.matrix.copy_(matrix)
        self.shift.copy_(y.mean - matrix @ x.mean)

    def forward(self, x_B3HW: Tensor) -> Tensor:
        """[B, 3, H, W], or one image, -> the same shape in [-1, 1]."""
        # a product that autocast leaves in fp32: in bf16 a sky would fall into bands
        columns = [self.matrix[:, j, None, None] * x_B3HW[..., j : j + 1, :, :] for j in range(3)]
        u_B3HW = columns[0] + columns[1] + columns[2] + self.shift[:, None, None]
        straight_B3HW = u_B3HW.clamp(-KNEE, KNEE)
        return straight_B3HW + (1 - KNEE) * torch.tanh((u_B3HW - straight_B3HW) / (1 - KNEE))


def _power(symmetric: Tensor, power: float) -> Tensor:
    """A power of a covariance matrix, by its eigenvalues."""
    values, vectors = torch.linalg.eigh(symmetric)
    result: Tensor = (vectors * values.clamp_min(LEAST) ** power) @ vectors.T
    return result
