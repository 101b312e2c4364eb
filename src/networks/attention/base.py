"""The contract of an attention module: which places matter, and what is compared at those that were chosen.

Shapes: B images, C channels, H x W a feature map, P = H * W its places, N chosen places.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn


class Attention(nn.Module, ABC):
    """One instance a tap; lives in the patch sampler, so G and D gain no parameters.

    Two methods instead of one, so that nothing of the size of the feature map is built for a graph.
    `score` picks places and carries no gradient: what trains the module is `attend`, whose features are
    compared by PatchNCE. On the source both are asked of one map: a module whose `score` and `attend` begin with
    the same work does it once in `score_then_attend`.
    """

    @abstractmethod
    def score(self, x_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """Significance [B, P] of every place; only its order is used. No graph.

        Args:
            x_BCHW: features of the source image at this tap.
            key_B: int64, one key a sample, from which a random score draws; others ignore it.
        """

    @abstractmethod
    def attend(self, x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
        """Attended features [B, N, C] at `places_BN` (int64, each in [0, P)), with graph."""

    def score_then_attend(self, x_BCHW: Tensor, key_B: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Score of a map, and what attends to the same map once places are chosen; called without graph."""
        return self.score(x_BCHW, key_B), lambda places_BN: self.attend(x_BCHW, places_BN)


def at_places(x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
    """Read the map at the chosen places: [B, C, H, W], [B, N] -> [B, N, C]."""
    channels = x_BCHW.shape[1]
    return x_BCHW.flatten(2).gather(2, places_BN[:, None].expand(-1, channels, -1)).mT


def rms(x_BCHW: Tensor) -> Tensor:
    """Root of the mean square of each image, without graph: [B, 1, 1, 1]; never zero."""
    norm_B111 = torch.linalg.vector_norm(x_BCHW.detach(), dim=(1, 2, 3), keepdim=True)
    root: Tensor = norm_B111 / x_BCHW[0].numel() ** 0.5
    return root.clamp_min(1e-8)


def reduced(channels: int, reduction: int) -> int:
    """Channels after a reduction, at least one: the pixel tap has three."""
    return max(1, channels // reduction)


def positive(name: str, value: float) -> None:
    """Raise ValueError unless `value` > 0."""
    if value <= 0:
        raise ValueError(f"{name} must be > 0, got {value}")


def initialise(module: nn.Module) -> None:
    """Xavier normal with gain 1 and zero biases, over every projection below `module`.

    G's gain of 0.02 would leave softmaxes flat and gates at one half, and their order to rounding.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
