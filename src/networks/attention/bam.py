"""Bottleneck attention module, BAM (Park et al. 2018): one gate over channels plus one over places."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from src.networks.attention.base import Attention, at_places, initialise, positive, reduced


class BottleneckAttention(Attention):
    """M(F) = sigmoid(M_c(F) + M_s(F)), out = F + F * M(F) (Eq. 1 and 2 there); score: M averaged over channels.

    The sum is the publication's; its released code multiplies the two. M_c is an average pool and a two-layer
    MLP; M_s is 1x1, two dilated 3x3 and 1x1 convolutions. BatchNorm: in M_s it becomes one GroupNorm group a
    channel, which is the same with one image a batch; in M_c, where it cannot run on one image, it is left out.
    Only the C / r channels of M_s are built at full size.

    Args:
        channels: C of the tap.
        reduction: r, 16 in the publication, clamped to leave one channel.
        dilation: of the 3x3 convolutions, 4 in the publication.
    """

    def __init__(self, channels: int, *, reduction: int, dilation: int) -> None:
        super().__init__()
        positive("reduction", reduction)
        positive("dilation", dilation)
        inner = reduced(channels, reduction)
        squeeze, expand = nn.Linear(channels, inner), nn.Linear(inner, channels)
        self.channel = nn.Sequential(squeeze, nn.ReLU(), expand)
        layers: list[nn.Module] = []
        for stage in range(3):
            before, size, padding = (channels, 1, 0) if stage == 0 else (inner, 3, dilation)
            # no bias: the norm behind it would cancel it
            conv = nn.Conv2d(before, inner, size, padding=padding, dilation=dilation, bias=False)
            layers += [conv, nn.GroupNorm(inner, inner), nn.ReLU()]
        self.spatial = nn.Sequential(*layers, nn.Conv2d(inner, 1, 1))
        initialise(self)
        # alive at the start: the pixel tap has a single unit here, and a dead one would never train
        nn.init.ones_(squeeze.bias)

    def logits(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """M_c [B, C] and M_s [B, P]."""
        return self.channel(x_BCHW.mean((2, 3))), self.spatial(x_BCHW).flatten(1)

    @torch.no_grad()
    def score(self, x_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, P]: the gate averaged over channels."""
        return _mean_gate(*self.logits(x_BCHW))

    def attend(self, x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
        """F * (1 + M) at the chosen places: [B, N, C]."""
        return _gated(x_BCHW, *self.logits(x_BCHW), places_BN)

    def score_then_attend(self, x_BCHW: Tensor, key_B: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Both by the same logits."""
        channel_BC, spatial_BP = self.logits(x_BCHW)
        score_BP = _mean_gate(channel_BC, spatial_BP)
        return score_BP, lambda places_BN: _gated(x_BCHW, channel_BC, spatial_BP, places_BN)


def _mean_gate(channel_BC: Tensor, spatial_BP: Tensor) -> Tensor:
    return torch.sigmoid(channel_BC[:, :, None] + spatial_BP[:, None]).mean(1)


def _gated(x_BCHW: Tensor, channel_BC: Tensor, spatial_BP: Tensor, places_BN: Tensor) -> Tensor:
    gate_BNC = torch.sigmoid(channel_BC[:, None] + spatial_BP.gather(1, places_BN)[:, :, None])
    return at_places(x_BCHW, places_BN) * (1 + gate_BNC)
