"""What every discriminator does before it judges: refuse images that are too small, and augment the others."""

from torch import Tensor, nn

from src.networks.augment import DiffAugment
from src.networks.initialise import WIDEST


class Critic(nn.Module):
    """Base of the discriminators.

    Args:
        width: of its convolutions.
        least: pixels a side that it needs.
        translation: see `DiffAugment`; 0 shifts nothing.
        cutout: see `DiffAugment`; 0 cuts nothing out.
    """

    looks_through: str | None = None
    """The frozen network whose features it judges; None where it judges pixels."""

    def __init__(self, *, width: int, least: int, translation: float, cutout: float) -> None:
        super().__init__()
        if not 1 <= width <= WIDEST:
            raise ValueError(f"discriminator.width must lie in [1, {WIDEST}], got {width}")
        self.augment = DiffAugment(translation=translation, cutout=cutout)
        self.least = least

    def shown(self, image_B3HW: Tensor, key_B: Tensor | None) -> Tensor:
        """What is judged of images [B, 3, H, W]: the images, augmented from their keys if there are any."""
        if min(image_B3HW.shape[-2:]) < self.least:
            size = f"{self.least}x{self.least}"
            raise ValueError(f"the discriminator needs at least {size} pixels, got {tuple(image_B3HW.shape[-2:])}")
        return image_B3HW if key_B is None else self.augment(image_B3HW, key_B)


def looked_through(method: nn.Module) -> str | None:
    """The frozen network that a discriminator of `method` looks through; None if none does."""
    return next((part.looks_through for part in method.modules() if isinstance(part, Critic)), None)
