"""What every extractor of features offers, and how a weights file from anywhere is read."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Embedding(NamedTuple):
    """What a network says of B images: features [B, D], and class logits [B, K] or None if it is no classifier."""

    features: Tensor
    logits: Tensor | None


class Extractor(Protocol):
    """A frozen network on uint8 images.

    Attributes:
        name: in the protocol of a score.
        suffix: marks the scores made of its features; "" for Inception alone.
        weights_sha256: of its weights file.
        width: D, number of features.
        classifies: gives logits, and so an IS.
    """

    name: str
    suffix: str
    weights_sha256: str
    width: int
    classifies: bool

    def __call__(self, images_B3HW: Tensor) -> Embedding:
        """uint8 RGB [B, 3, H, W] of any size -> float32 features and logits."""

    def to(self, where: torch.device) -> object:
        """Move the network."""
