"""Triplet attention (Misra et al. 2021, "Rotate to attend"): three gates from three views of the feature map."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.networks.attention.base import Attention, at_places, initialise

Gates = tuple[Tensor, Tensor, Tensor]
"""On the planes (H, W), (C, W) and (H, C) of a map, each in (0, 1)."""


def z_pools(x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Maximum and mean over C, over H and over W, stacked: [B, 2, H, W], [B, 2, C, W] and [B, 2, C, H]."""
    if torch.is_grad_enabled() and x_BCHW.requires_grad:
        return _ZPools.apply(x_BCHW)  # type: ignore[no-any-return]
    over_C, over_H, over_W = (torch.stack([x_BCHW.amax(axis), x_BCHW.mean(axis)], 1) for axis in (1, 2, 3))
    return over_C, over_H, over_W


class _ZPools(torch.autograd.Function):
    """The same with one gradient for all three, written in two passes over the map; six reductions take a dozen.

    Of equal maxima the gradient goes to one.
    """

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor) -> tuple[Tensor, ...]:
        largest = [x_BCHW.max(axis) for axis in (1, 2, 3)]
        ctx.save_for_backward(*(indices for _, indices in largest))
        ctx.lengths = x_BCHW.shape[1:]
        return tuple(torch.stack([values, x_BCHW.mean(axis)], 1) for axis, (values, _) in enumerate(largest, start=1))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        means = [
            (pool[:, 1] / length).unsqueeze(axis)
            for axis, (pool, length) in enumerate(zip(gradients, ctx.lengths, strict=True), start=1)
        ]
        out = means[0] + means[1]
        out += means[2]
        for axis, (pool, indices) in enumerate(zip(gradients, ctx.saved_tensors, strict=True), start=1):
            place = indices.unsqueeze(axis)
            out.scatter_(axis, place, out.gather(axis, place) + pool[:, 0].unsqueeze(axis))
        return out  # type: ignore[no-any-return]


class PlaneGate(nn.Module):
    """sigmoid(norm(conv([max, mean]))): a gate on the plane of two axes, from the Z-pool over the third.

    The publication normalises with BatchNorm. With one image a batch that is GroupNorm over the plane, which
    is used here for any batch size, so that images never influence each other.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.GroupNorm(1, 1)

    def forward(self, pooled_B2HW: Tensor) -> Tensor:
        """[B, 2, H, W], maximum and mean -> gate in (0, 1), [B, H, W], whichever axes these are."""
        return torch.sigmoid(self.norm(self._convolved(pooled_B2HW))).squeeze(1)

    def _convolved(self, pooled_B2HW: Tensor) -> Tensor:
        if pooled_B2HW.device.type != "cpu":
            return self.conv(pooled_B2HW)  # type: ignore[no-any-return]
        # along rows for each row of the kernel, then summed down the columns: PyTorch's own, of two channels to one,
        # takes two to five times as long in backward
        side = self.conv.kernel_size[0]
        along_BIQ = F.unfold(pooled_B2HW, (1, side), padding=side // 2)
        # fold adds row i of a column to place i, where a convolution takes it from there: hence the flip
        kernel_KI = self.conv.weight[0].flip(1).transpose(0, 1).flatten(1)
        return F.fold(kernel_KI @ along_BIQ, pooled_B2HW.shape[2:], (side, 1), padding=(side - 1, 0))


class TripletAttention(Attention):
    """out = x * (gate_HW + gate_CW + gate_HC) / 3; score: the mean of the three gates at the place.

    300 parameters a tap whatever its channels. Memory grows with C * (H + W) and H * W, never with H * W * C.

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

    def gates(self, x_BCHW: Tensor) -> Gates:
        """The gates on the planes (H, W), (C, W) and (H, C), each in (0, 1)."""
        over_C, over_H, over_W = z_pools(x_BCHW)
        return self.places(over_C), self.columns(over_H), self.rows(over_W.transpose(2, 3))

    @torch.no_grad()
    def score(self, x_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, P]: the mean of the three gates, the cross gates averaged over channels."""
        return _mean_gate(self.gates(x_BCHW))

    def attend(self, x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
        """Return x times the mean gate, at the chosen places only: [B, N, C]."""
        return _gated(x_BCHW, self.gates(x_BCHW), places_BN)

    def score_then_attend(self, x_BCHW: Tensor, key_B: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Both by the same gates."""
        gates = self.gates(x_BCHW)
        return _mean_gate(gates), lambda places_BN: _gated(x_BCHW, gates, places_BN)


def _mean_gate(gates: Gates) -> Tensor:
    gate_BHW, gate_BCW, gate_BHC = gates
    mean_BHW = (gate_BHW + gate_BCW.mean(1)[:, None, :] + gate_BHC.mean(2)[:, :, None]) / 3
    return mean_BHW.flatten(1)


def _gated(x_BCHW: Tensor, gates: Gates, places_BN: Tensor) -> Tensor:
    gate_BHW, gate_BCW, gate_BHC = gates
    width = x_BCHW.shape[-1]
    row_BN, column_BN = places_BN // width, places_BN % width
    gate_BNC = (
        at_places(gate_BHW[:, None], places_BN)
        + at_places(gate_BCW[:, :, None], column_BN)
        + at_places(gate_BHC.mT[:, :, None], row_BN)
    ) / 3
    return at_places(x_BCHW, places_BN) * gate_BNC
