"""A discriminator that looks through a frozen network (Projected GAN, Sauer et al. 2021), not at pixels.

On few images a PatchGAN soon tells every output from every photograph by what nobody would look at, and what G learns
from it is noise. Features of an ImageNet network leave such details out. The paper has a PatchGAN, our recipe this.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from src.networks.attention.base import rms
from src.networks.critic import Critic
from src.networks.efficientnet import LITE2, frozen
from src.system.unpromised import TakesAlong, efficientnet_steps

STRIDES = (4, 8, 16)
"""Pixels from a place of a level's features to the next; deeper ones have no room in pieces."""
SLOPE = 4.0
"""Spectral norm holds a head to gain 1; verdicts have to come from 0 to 1."""


class ProjectedDiscriminator(TakesAlong, Critic):
    """One verdict a place and level of EfficientNet-Lite2's features; every level counts alike.

    Of each level the channels are mixed at random into `width` (a fixed 1x1 convolution, Sec. 3.2 there; the
    mixing across levels is left out), brought to unit RMS an image, and judged by a head of one 3x3 and two 1x1
    convolutions with spectral norm. The heads alone are trained. Scores by the same network do not judge what was
    trained with it.

    Args:
        width: channels of the mixed features and of the heads.
        translation: see `DiffAugment`; 0 shifts nothing.
        cutout: see `DiffAugment`; 0 cuts nothing out.
    """

    looks_through = LITE2.name

    def __init__(self, *, width: int, translation: float = 0.0, cutout: float = 0.0) -> None:
        super().__init__(width=width, least=max(STRIDES), translation=translation, cutout=cutout)
        self.take_along(frozen(LITE2))  # the same everywhere, and so neither trained nor saved
        with torch.no_grad():
            levels = self._levels(torch.zeros(1, 3, 2 * self.least, 2 * self.least))
        for number, level in enumerate(levels):
            mixing = torch.randn(width, level.shape[1], 1, 1) / level.shape[1] ** 0.5
            self.register_buffer(f"mixing{number}", mixing)
        self.heads = nn.ModuleList(_head(width) for _ in levels)

    def forward(self, image_B3HW: Tensor, key_B: Tensor | None = None) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1] -> logits [B, 1, 3 h, w], real towards 1 and fake towards 0.

        Args:
            image_B3HW: of x translated, or of y.
            key_B: int64, one key an image, from which its augmentation follows; None judges images as they are.
        """
        levels = self._levels(self.shown(image_B3HW, key_B))
        verdicts = []
        for number, (level_BCHW, head) in enumerate(zip(levels, self.heads, strict=True)):
            mixed_BCHW = F.conv2d(level_BCHW, self.get_buffer(f"mixing{number}").to(level_BCHW.dtype))
            verdict = SLOPE * head(mixed_BCHW / rms(mixed_BCHW))
            # as many verdicts a level, so that none outweighs the others in a mean
            verdicts.append(F.interpolate(verdict, levels[0].shape[2:], mode="nearest"))
        return torch.cat(verdicts, 2)

    def _levels(self, image_B3HW: Tensor) -> list[Tensor]:
        """The last features at each of STRIDES."""
        x_BCHW, stride = image_B3HW, 1
        last: dict[int, Tensor] = {}
        for step, by in efficientnet_steps(self.along[0]):
            stride *= by
            if stride > STRIDES[-1]:
                break
            x_BCHW = step(x_BCHW)
            last[stride] = x_BCHW
        return [last[stride] for stride in STRIDES]


def _head(width: int) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, width, 1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, 1, 1)),
    )
