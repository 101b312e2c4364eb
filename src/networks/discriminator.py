"""The PatchGAN discriminator D (the paper, Sec. 3.3; Isola et al. 2017): one verdict a patch, not one an image."""

from torch import Tensor, nn

from src.networks.initialise import WIDEST, Init, initialise
from src.networks.resample import BlurDown


class Discriminator(nn.Module):
    """Three halvings, two more convolutions; 2,764,737 parameters at width 64.

    Each verdict sees 84 x 84 pixels with blur-pooling, 70 x 70 without.

    Args:
        width: channels after the first convolution (64 in the paper).
        blur: blur-pooled halving as in CUT; False gives CycleGAN's strided convolutions.
        init: of the weights, see `initialise`.
        gain: of `init`.
    """

    def __init__(self, *, width: int, blur: bool, init: Init, gain: float) -> None:
        super().__init__()
        if not 1 <= width <= WIDEST:
            raise ValueError(f"discriminator.width must lie in [1, {WIDEST}], got {width}")
        layers: list[nn.Module] = []
        before = 3
        for stage, channels in enumerate((width, 2 * width, 4 * width, 8 * width)):
            halve = stage < 3
            layers.append(nn.Conv2d(before, channels, 4, stride=2 if halve and not blur else 1, padding=1))
            if stage > 0:
                layers.append(nn.InstanceNorm2d(channels))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            if halve and blur:
                layers.append(BlurDown(channels))
            before = channels
        layers.append(nn.Conv2d(before, 1, 4, padding=1))
        self.body = nn.Sequential(*layers)
        initialise(self, init, gain)

    def forward(self, image_B3HW: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1] -> logits [B, 1, h, w], real towards 1 and fake towards 0."""
        if min(image_B3HW.shape[-2:]) < 32:
            raise ValueError(f"the discriminator needs at least 32x32 pixels, got {tuple(image_B3HW.shape[-2:])}")
        logits: Tensor = self.body(image_B3HW)
        return logits
