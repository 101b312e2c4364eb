"""External attention (Guo et al. 2021, "Beyond self-attention"): places against two small learned memories."""

import torch
from torch import Tensor, nn

from src.networks.attention.base import Attention, at_places, positive, rms


class ExternalAttention(Attention):
    """A = Norm(U M_k^T), F_out = F + gamma rms(F) A M_v, U = F / rms(F) (Eq. 5 and 6 there), with S memory slots.

    The publication adds A M_v to features of unit variance, behind a norm of its own. The taps before a norm start near
    0.02, where A is flat and A M_v, the same at every place, would drown them: of what PatchNCE compares nothing
    would be left at three taps of five. So the memories see one scale an image and tap, what they add is scaled back,
    and gamma, which is learnt, starts at 0 as in self-attention.

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
        self.gamma = nn.Parameter(torch.zeros(()))
        nn.init.xavier_normal_(self.memory_key)
        nn.init.xavier_normal_(self.memory_value)

    @torch.no_grad()
    def score(self, x_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, P]: sum over slots of the softmax over places."""
        return self._logits(x_BCHW, rms(x_BCHW).flatten(2)).softmax(dim=2).sum(1)

    def attend(self, x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
        """Return F + gamma rms(F) A M_v at the chosen places: [B, N, C]."""
        scale_B11 = rms(x_BCHW).flatten(2)
        total_BS = self._logits(x_BCHW, scale_B11).logsumexp(dim=2)
        chosen_BNC = at_places(x_BCHW, places_BN)
        log_mass_BNS = chosen_BNC / scale_B11 @ self.memory_key.T - total_BS[:, None]
        # L1 over the slots of exp(log mass) is a softmax of the log mass: exact, and safe where the mass underflows
        out_BNC: Tensor = chosen_BNC + self.gamma * scale_B11 * (log_mass_BNS.softmax(dim=2) @ self.memory_value)
        return out_BNC

    def _logits(self, x_BCHW: Tensor, scale_B11: Tensor) -> Tensor:
        """M_k U^T: [B, S, P]."""
        # `@` would copy the map, transposed, because the memory asks for a gradient
        return torch.bmm(self.memory_key / scale_B11, x_BCHW.flatten(2))
