"""The PatchGAN discriminator D (the paper, Sec. 3.3; Isola et al. 2017): one verdict a patch, not one an image."""

from torch import Tensor, nn

from src.networks.critic import Critic
from src.networks.initialise import Init, initialise
from src.networks.norm import InstanceNorm
from src.networks.resample import BlurDown


class Discriminator(Critic):
    """Halvings, then two more convolutions; with three, 2,764,737 parameters at width 64.

    Each verdict sees 84 x 84 pixels with three halvings and blur-pooling, 70 x 70 without blur-pooling.

    Args:
        width: channels after the first convolution (64 in the paper).
        halvings: of height and width (3 in the paper); each verdict sees about half as far with one fewer.
        blur: blur-pooled halving as in CUT; False gives CycleGAN's strided convolutions.
        init: of the weights, see `initialise`.
        gain: of `init`.
        translation: see `DiffAugment`; 0 shifts nothing.
        cutout: see `DiffAugment`; 0 cuts nothing out.
    """

    def __init__(
        self,
        *,
        width: int,
        halvings: int,
        blur: bool,
        init: Init,
        gain: float,
        translation: float = 0.0,
        cutout: float = 0.0,
    ) -> None:
        if not 1 <= halvings <= 8:
            raise ValueError(f"discriminator.halvings must lie in [1, 8], got {halvings}")
        super().__init__(width=width, least=4 * 2**halvings, translation=translation, cutout=cutout)
        layers: list[nn.Module] = []
        before = 3
        for stage in range(halvings + 1):
            channels = width * 2 ** min(stage, 3)
            halve = stage < halvings
            layers.append(nn.Conv2d(before, channels, 4, stride=2 if halve and not blur else 1, padding=1))
            if stage > 0:
                layers.append(InstanceNorm(channels))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            if halve and blur:
                layers.append(BlurDown(channels))
            before = channels
        layers.append(nn.Conv2d(before, 1, 4, padding=1))
        self.body = nn.Sequential(*layers)
        initialise(self, init, gain)

    def forward(self, image_B3HW: Tensor, key_B: Tensor | None = None) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1] -> logits [B, 1, h, w], real towards 1 and fake towards 0.

        Args:
            image_B3HW: of x translated, or of y.
            key_B: int64, one key an image, from which its augmentation follows; None judges images as they are.
        """
        logits: Tensor = self.body(self.shown(image_B3HW, key_B))
        return logits
