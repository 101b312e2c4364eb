"""Triplet attention (Misra et al. 2021, "Rotate to attend"): three gates from three views of the feature map."""

import torch
from torch import Tensor, nn

from src.networks.attention.base import Attention, at_places, initialise


class PlaneGate(nn.Module):
    """sigmoid(norm(conv([max, mean]))): the Z-pool over one axis, then a gate on the plane of the other two.

    The publication normalises with BatchNorm. With one image a batch that is GroupNorm over the plane, which
    is used here for any batch size, so that images never influence each other.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.GroupNorm(1, 1)

    def forward(self, x_BZHW: Tensor) -> Tensor:
        """[B, Z, H, W] -> gate in (0, 1), [B, H, W]; Z is whichever axis was rotated to the front."""
        pooled = torch.stack([x_BZHW.amax(1), x_BZHW.mean(1)], dim=1)
        gate: Tensor = torch.sigmoid(self.norm(self.conv(pooled))).squeeze(1)
        return gate


class TripletAttention(Attention):
    """out = x * (gate_HW + gate_CW + gate_HC) / 3; score: the mean of the three gates at the place.

    300 parameters a tap whatever its channels. Memory grows with C * (H + W), never with H * W * C.

    Args:
        channels: of the tap; unused, as the gates pool them away.
        kernel_size: odd; 7 in the publication.
    """

    def __init__(self, channels: int, *, kernel_size: int) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd and >= 1, got {kernel_size}")
        self.places = PlaneGate(kernel_size)
        self.columns = PlaneGate(kernel_size)
        self.rows = PlaneGate(kernel_size)
        initialise(self)

    def gates(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The gates on the planes (H, W), (C, W) and (H, C), each in (0, 1)."""
        x_BHCW, x_BWHC = x_BCHW.transpose(1, 2), x_BCHW.transpose(1, 3)
        return self.places(x_BCHW), self.columns(x_BHCW), self.rows(x_BWHC)

    @torch.no_grad()
    def score(self, x_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, P]: the mean of the three gates, the cross gates averaged over channels."""
        gate_BHW, gate_BCW, gate_BHC = self.gates(x_BCHW)
        mean_BHW = (gate_BHW + gate_BCW.mean(1)[:, None, :] + gate_BHC.mean(2)[:, :, None]) / 3
        return mean_BHW.flatten(1)

    def attend(self, x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
        """Return x times the mean gate, at the chosen places only: [B, N, C]."""
        gate_BHW, gate_BCW, gate_BHC = self.gates(x_BCHW)
        width = x_BCHW.shape[-1]
        row_BN, column_BN = places_BN // width, places_BN % width
        gate_BNC = (
            at_places(gate_BHW[:, None], places_BN)
            + at_places(gate_BCW[:, :, None], column_BN)
            + at_places(gate_BHC.mT[:, :, None], row_BN)
        ) / 3
        return at_places(x_BCHW, places_BN) * gate_BNC
