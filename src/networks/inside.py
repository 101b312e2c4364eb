"""Which places of a tap may be chosen: those that look at the image, not at the mirrored pixels around it.

A convolution fills what lies outside the image by reflection, which makes edges that no image has, and attention ranks
them first. Shapes: B images, P = H * W places of a map, N chosen ones.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from src.networks.generator import REFLECTED, TAPS

RECEPTIVE_FIELDS = dict(zip(TAPS, (1, 9, 15, 35, 99), strict=True))
"""Pixels a side that a place of a tap looks at (the paper, Sec. 4.2)."""
SHARE = 8
"""A border takes at most one in so many of the shorter side: deep taps see beyond a small image from everywhere."""


@dataclass(frozen=True)
class Inside:
    """The map without a border.

    Attributes:
        grid: (H, W) of the map.
        border: rows and columns that are left out at each side.
    """

    grid: tuple[int, int]
    border: int

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of what is left."""
        return self.grid[0] - 2 * self.border, self.grid[1] - 2 * self.border

    def take(self, score_BP: Tensor) -> Tensor:
        """Scores of the places that are left, row after row."""
        rows, columns = (slice(self.border, side - self.border) for side in self.grid)
        inner_BHW: Tensor = score_BP.unflatten(1, self.grid)[:, rows, columns]
        return inner_BHW.flatten(1)

    def places(self, inner_BN: Tensor) -> Tensor:
        """From places of what is left to those of the map, int64."""
        width = self.size[1]
        rows_BN, columns_BN = inner_BN // width + self.border, inner_BN % width + self.border
        return rows_BN * self.grid[1] + columns_BN


def inside(tap: str, grid: tuple[int, int], stride: int, patches: int, *, ranked: bool) -> Inside:
    """The places of a map that `patches` are chosen among.

    The reflected rows and columns of `pixels` are never places. Where places are ranked, so are none whose patch, the
    tap's receptive field, reaches over the image's border; the border that this leaves out is at most an eighth of the
    shorter side, and less where fewer than `patches` places would remain. Random draws (CUT) keep all others.

    Args:
        tap: its name.
        grid: (H, W) of its map.
        stride: pixels from a place to the next.
        patches: N.
        ranked: whether a score decides.
    """
    least = REFLECTED if tap == "pixels" else 0
    border = least
    if ranked:
        # pixels beyond the centre of a patch, in places of this tap
        reach = -(-(RECEPTIVE_FIELDS[tap] // 2) // stride)
        border = max(least, min(least + reach, min(grid) // SHARE))
    while border > least and Inside(grid, border).size[0] * Inside(grid, border).size[1] < patches:
        border -= 1
    return Inside(grid, border)


def at_centres(tap: str, grid: tuple[int, int], stride: int, image_B1HW: Tensor) -> Tensor:
    """The pixels of an image at the centres of a map's places, [B, P]; of a reflected place, the pixel nearest to it.

    Args:
        tap: its name.
        grid: (H, W) of its map.
        stride: pixels from a place to the next; BlurDown keeps even places, so the first lies on the first pixel.
        image_B1HW: one value a pixel.
    """
    before = REFLECTED if tap == "pixels" else 0
    rows, columns = (
        (torch.arange(places, device=image_B1HW.device) * stride - before).clamp(0, pixels - 1)
        for places, pixels in zip(grid, image_B1HW.shape[2:], strict=True)
    )
    return image_B1HW[:, 0, rows][:, :, columns].flatten(1)
