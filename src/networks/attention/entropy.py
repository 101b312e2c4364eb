"""Query-selected attention, QS-Attn (Hu et al. 2022), its global variant: parameter-free, places of low entropy."""

import torch
from torch import Tensor
from torch.nn import functional as F

from src.networks.attention.base import Attention, at_places, positive
from src.networks.attention.rows import negative_row_entropy


class EntropyAttention(Attention):
    """Rows of A = softmax(cos(x_i, x_j) / T); score: negative row entropy; attended features: A x (Eq. 3 to 5 there).

    Two departures from the released code: logits are cosines over T instead of raw dot products, which saturate
    (each place then attends to itself alone and rounding decides the order); and each image is routed by its
    own matrix, where theirs routes the output by the source's. Memory N * P in `attend`; the score is streamed
    in time P * P * C, so it is used at the two block taps only, as the authors do.

    Args:
        channels: of the tap; unused, as there are no parameters.
        temperature: T.
    """

    def __init__(self, channels: int, *, temperature: float) -> None:
        super().__init__()
        positive("temperature", temperature)
        self.temperature = temperature

    @torch.no_grad()
    def score(self, x_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, P]: negative entropy of the place's attention over all places."""
        unit_BPC = F.normalize(x_BCHW.flatten(2).mT, dim=-1)
        return negative_row_entropy(unit_BPC / self.temperature, unit_BPC)

    def attend(self, x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
        """A x at the chosen places: [B, N, C]."""
        x_BPC = x_BCHW.flatten(2).mT
        query_BNC = F.normalize(at_places(x_BCHW, places_BN), dim=-1) / self.temperature
        return (query_BNC @ F.normalize(x_BPC, dim=-1).mT).softmax(-1) @ x_BPC
