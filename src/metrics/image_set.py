"""A set of images with their features: one pass of the extractor an image, in batches, on the translator's device."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from src.metrics.extractor import Embedding, Extractor


@dataclass(frozen=True)
class ImageSet:
    """What all scores are computed from; on the CPU.

    Attributes:
        squares: uint8 [N, 3, side, side], for SWD.
        features: float32 [N, D], for FID and KID.
        logits: float32 [N, K], for IS; None if the extractor is no classifier.
        sharpness: float64 [N], the deviation of each image's Laplacian at the image's own size, in grey levels.
    """

    squares: Tensor
    features: Tensor
    logits: Tensor | None
    sharpness: Tensor

    def __len__(self) -> int:
        """Number of images."""
        return len(self.squares)

    def part(self, indices: slice | list[int]) -> "ImageSet":
        """A subset, without computing anything again."""
        logits = None if self.logits is None else self.logits[indices]
        return ImageSet(self.squares[indices], self.features[indices], logits, self.sharpness[indices])


def embed(images: Iterable[Tensor], extractor: Extractor, batch_size: int, where: torch.device) -> Embedding:
    """Features of uint8 images [3, H, W]; a batch ends early where the size changes. Results on the CPU."""
    extractor.to(where)
    features, logits = [], []
    for batch in _batches(images, batch_size):
        with exact():
            output = extractor(batch.to(where))
        features.append(output.features.float().cpu())
        if output.logits is not None:
            logits.append(output.logits.float().cpu())
    return Embedding(torch.cat(features), torch.cat(logits) if logits else None)


def square(image_3HW: Tensor, side: int) -> Tensor:
    """Float [3, H, W] in [-1, 1] -> uint8 [3, side, side]: bicubic, antialiased, rounded to 8 bits as a file is."""
    with exact():
        return to_bytes(F.interpolate(image_3HW[None].float(), (side, side), mode="bicubic", antialias=True)[0])


def to_bytes(image_3HW: Tensor) -> Tensor:
    """Float in [-1, 1] -> uint8, rounded."""
    return ((image_3HW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


@contextmanager
def exact() -> Iterator[None]:
    """Full float32 in convolutions, whatever training uses: TF32 alone moves features in the third digit."""
    flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with flags, torch.no_grad():
        yield


def _batches(images: Iterable[Tensor], batch_size: int) -> Iterator[Tensor]:
    batch: list[Tensor] = []
    for image in images:
        if batch and (len(batch) == batch_size or batch[0].shape != image.shape):
            yield torch.stack(batch)
            batch = []
        batch.append(image)
    if batch:
        yield torch.stack(batch)
