"""No attention: white noise as the score, so that the top N are a uniform draw without replacement. Exactly CUT."""

import torch
from torch import Tensor

from src.networks import noise
from src.networks.attention.base import Attention, at_places


class NoAttention(Attention):
    """CUT's random patches through the code path of every other variant; no parameters."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    @torch.no_grad()
    def score(self, x_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """Fresh noise [B, P], a function of the key and the map's size alone."""
        return noise.uniform(key_B, x_BCHW[0, 0].numel(), stream=0)

    def attend(self, x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
        """The features themselves."""
        return at_places(x_BCHW, places_BN)
