"""What every extractor of features offers, and how a weights file from anywhere is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from safetensors.torch import load_file
from torch import Tensor

from src.system.errors import UserError
from src.system.files import sha256

REMEDY = "give a path with extractor.weights=<file>, or (not with resume=) choose extractor=efficientnet_lite0"


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


def read_weights(path: Path, what: str) -> tuple[Mapping[str, Tensor], str]:
    """The tensors of a weights file, safetensors or torch's, and its sha256; nothing in the file is run.

    Raises UserError, naming `what` it should hold, if it is missing or holds anything but named tensors.
    """
    if not path.is_file():
        raise UserError(f"{path}: no {what} weights there; {REMEDY}")
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load fails in many ways on what is not its own
        raise UserError(f"{path}: not a plain weights file; {REMEDY}") from error
    if not (isinstance(content, dict) and all(isinstance(value, Tensor) for value in content.values())):
        raise UserError(f"{path}: not a dictionary of tensors; {REMEDY}")
    return content, sha256(path)
