"""External attention (Guo et al. 2021, "Beyond self-attention"): places against two small learned memories."""

import torch
from torch import Tensor, nn

from src.networks.attention.base import Attention, at_places, positive


class ExternalAttention(Attention):
    """A = Norm(F M_k^T), F_out = F + A M_v (Eq. 5 and 6 there), with S memory slots.

    Norm is the double normalisation of its Eq. 7 to 9: a softmax over the places, then L1 over the slots.
    Score: the total mass a place receives from the softmax over places, before the second normalisation; it
    sums to S. The released code wraps this core in two 1x1 convolutions, BatchNorm and a ReLU, which are left
    out here; the residual is kept. Memory: S * P for the logits; time 2 * C * S * P.

    Args:
        channels: C of the tap.
        slots: S, 64 in the publication.
    """

    def __init__(self, channels: int, *, slots: int) -> None:
        super().__init__()
        positive("slots", slots)
        self.memory_key = nn.Parameter(torch.empty(slots, channels))
        self.memory_value = nn.Parameter(torch.empty(slots, channels))
        nn.init.xavier_normal_(self.memory_key)
        nn.init.xavier_normal_(self.memory_value)

    def log_mass(self, x_BCHW: Tensor) -> Tensor:
        """Logarithm of the softmax over places, one distribution a slot: [B, S, P]."""
        logits_BSP = self.memory_key @ x_BCHW.flatten(2)
        return logits_BSP.log_softmax(dim=2)

    @torch.no_grad()
    def score(self, x_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, P]: sum over slots of the softmax over places."""
        return self.log_mass(x_BCHW).exp().sum(1)

    def attend(self, x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
        """F + A M_v at the chosen places: [B, N, C]."""
        log_mass_BSP = self.log_mass(x_BCHW)
        chosen_BNS = log_mass_BSP.gather(2, places_BN[:, None].expand(-1, log_mass_BSP.shape[1], -1)).mT
        # L1 over the slots of exp(log mass) is a softmax of the log mass: exact, and safe where the mass underflows
        return at_places(x_BCHW, places_BN) + chosen_BNS.softmax(dim=2) @ self.memory_value
