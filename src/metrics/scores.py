"""One set of images against the real one: features once an image, real statistics once a run."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from src.errors import UserError
from src.metrics.kid import kid
from src.metrics.sliced_wasserstein import sliced_wasserstein


class Extractor(Protocol):
    """A frozen network from images to features; `suffix` marks the scores made of them, none for Inception."""

    name: str
    suffix: str
    weights_sha256: str

    def __call__(self, images_B3HW: Tensor) -> Tensor:
        """uint8 RGB [B, 3, H, W] -> features [B, D]."""


class ImageSet:
    """Images at one square size, with their features; what scores are computed from.

    Args:
        images: float [3, H, W] in [-1, 1], any sizes; each is resized to `side` x `side`, bicubic and antialiased,
            and rounded to 8 bits, as a file would be.
        extractor: gives the features.
        side: pixels.
    """

    def __init__(self, images: Iterable[Tensor], extractor: Extractor, side: int) -> None:
        squares, features = [], []
        for image in images:
            square = _square(image, side)
            squares.append(square)
            features.append(extractor(square[None]))
        if len(squares) < 2:
            raise UserError(f"scores need at least 2 images a set, got {len(squares)}; add images")
        self.images = torch.stack(squares)
        self.features = torch.cat(features)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def part(self, indices: slice) -> "ImageSet":
        """A subset, without computing anything again."""
        subset = object.__new__(ImageSet)
        subset.images, subset.features = self.images[indices], self.features[indices]
        return subset


class Scores:
    """KID and both SWDs of an image set against a real one.

    Args:
        extractor: names the KID.
        side: square size in pixels at which all sets are compared.
        seeds: SWD is averaged over this many draws of places and directions.
    """

    def __init__(self, *, extractor: Extractor, side: int, seeds: int) -> None:
        if side < 16:
            raise UserError(f"metrics.side must be >= 16, got {side}")
        if seeds < 1:
            raise UserError(f"metrics.seeds must be >= 1, got {seeds}")
        self.extractor = extractor
        self.side = side
        self.seeds = seeds
        self.names = [f"kid{extractor.suffix}", "swd_unit", "swd_std"]

    def gather(self, images: Iterable[Tensor]) -> ImageSet:
        """Images as `ImageSet` takes them."""
        return ImageSet(images, self.extractor, self.side)

    def __call__(self, images: ImageSet, real: ImageSet) -> dict[str, float]:
        """By `names`: `kid` with the extractor's suffix, `swd_unit` and `swd_std`; lower is closer for all three."""
        # SWD compares sorted lists, so both sets give the same number, evenly spaced over each
        count = min(len(images), len(real))
        pair = [_spaced(part.images, count) for part in (images, real)]
        draws = [sliced_wasserstein(*pair, seed=seed) for seed in range(self.seeds)]
        distance = kid(images.features, real.features)
        values = (distance, _mean([draw.unit for draw in draws]), _mean([draw.std for draw in draws]))
        return dict(zip(self.names, values, strict=True))

    def floor(self, real: ImageSet) -> dict[str, float]:
        """The same scores of real images against real ones, at least four: every second one against the others."""
        return self(real.part(slice(0, None, 2)), real.part(slice(1, None, 2)))

    def protocol(self) -> dict[str, object]:
        """What a number needs beside it to mean anything."""
        return {
            "side": self.side,
            "resize": "bicubic, antialiased, to a square, rounded to 8 bits",
            "extractor": self.extractor.name,
            "extractor_sha256": self.extractor.weights_sha256,
            "kid": "unbiased, polynomial kernel of degree 3, whole sets",
            "swd": f"7x7, 128 patches, 512 directions, x1000, mean of {self.seeds} projection seeds, equal n",
        }


def _square(image_3HW: Tensor, side: int) -> Tensor:
    resized = F.interpolate(image_3HW[None].cpu(), (side, side), mode="bicubic", antialias=True)[0]
    return ((resized + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _spaced(images: Tensor, count: int) -> Tensor:
    return images[torch.arange(count) * len(images) // count].float()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
