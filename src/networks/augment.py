"""Differentiable augmentation of what D sees (Zhao et al. 2020, "... for data-efficient GAN training").

Real and translated images alike are shifted and lose a rectangle, so a D that knows a small set by heart gains nothing,
and G, whose gradient passes through, learns no shift. Colours are left alone: they are what G has to learn.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from src.networks import noise

_SHIFT, _HOLE = 0x73, 0x68


class DiffAugment:
    """Translation, then cutout; both follow from the sample's key.

    Args:
        translation: largest shift, as a share of each side; what comes in is 0, mid grey. 0.125 in the paper.
        cutout: sides of the rectangle that becomes 0, as a share; its centre may lie anywhere. 0.5 in the paper.
    """

    def __init__(self, *, translation: float, cutout: float) -> None:
        for name, value in (("translation", translation), ("cutout", cutout)):
            if not 0 <= value < 1:
                raise ValueError(f"discriminator.{name} is a share and must lie in [0, 1), got {value}")
        self.translation = translation
        self.cutout = cutout

    def __call__(self, image_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape, with the images' gradient."""
        if self.translation:
            image_BCHW = self._shifted(image_BCHW, noise.uniform(key_B, 2, _SHIFT))
        if self.cutout:
            image_BCHW = self._cut(image_BCHW, noise.uniform(key_B, 2, _HOLE))
        return image_BCHW

    def _shifted(self, image_BCHW: Tensor, uniform_B2: Tensor) -> Tensor:
        channels, height, width = image_BCHW.shape[1:]
        down, right = round(height * self.translation), round(width * self.translation)
        padded = F.pad(image_BCHW, (right, right, down, down))
        # a shift in whole pixels, each of the 2 n + 1 as likely
        top_B1 = (uniform_B2[:, :1] * (2 * down + 1)).long()
        left_B1 = (uniform_B2[:, 1:] * (2 * right + 1)).long()
        rows_BH = top_B1 + torch.arange(height, device=image_BCHW.device)
        columns_BW = left_B1 + torch.arange(width, device=image_BCHW.device)
        taken = padded.gather(2, rows_BH[:, None, :, None].expand(-1, channels, -1, padded.shape[3]))
        return taken.gather(3, columns_BW[:, None, None].expand(-1, channels, height, -1))

    def _cut(self, image_BCHW: Tensor, uniform_B2: Tensor) -> Tensor:
        inside = []
        for side, length in enumerate(image_BCHW.shape[2:]):
            hole = round(length * self.cutout)
            centre_B1 = (uniform_B2[:, side : side + 1] * (length + 1 - hole % 2)).long()
            place_L = torch.arange(length, device=image_BCHW.device)
            inside.append((place_L >= centre_B1 - hole // 2) & (place_L < centre_B1 - hole // 2 + hole))
        rows_BH, columns_BW = inside
        return image_BCHW.masked_fill(rows_BH[:, None, :, None] & columns_BW[:, None, None], 0)
