"""Self-attention of SAGAN (Zhang et al. 2019), with keys and values pooled to a fixed number of tokens."""

from math import ceil, sqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.networks.attention.base import Attention, at_places, initialise, positive, reduced, rms
from src.networks.attention.rows import attention_received, negative_row_entropy


class SelfAttention(Attention):
    """o_j = sum_i softmax_i(g(x_j) . f(x_i)) h(x_i); out = gamma * o + x, gamma starting at 0 (SAGAN, Eq. 1 to 3).

    The projections see u = x / rms(x), one scale an image and tap: taps before a norm start near 0.02, where the
    softmax is flat and its gradient below what Adam's epsilon lets through. o is scaled back, so that the output
    scales with x. Maps of more than `max_tokens` places have their keys and values average-pooled to at most
    that many (a 1x1 convolution and an average commute, so x is pooled once); smaller maps are exact.

    Score: negative row entropy (a place that attends to few others is distinctive), or the attention a place
    receives. It is streamed without graph and `attend` computes its rows at the chosen places only, so memory
    grows with N * max_tokens, never with P * P; time with P * max_tokens.

    Args:
        channels: C of the tap.
        reduction: C over the width of f and g; 8 in the publication, clamped to leave one channel.
        max_tokens: cap on the number of keys and values.
        significance: "entropy" or "received"; received attention is spread from each token over its places.
    """

    def __init__(
        self, channels: int, *, reduction: int, max_tokens: int, significance: Literal["entropy", "received"]
    ) -> None:
        super().__init__()
        positive("reduction", reduction)
        positive("max_tokens", max_tokens)
        if significance not in ("entropy", "received"):
            raise ValueError(f"significance must be entropy or received, got {significance!r}")
        inner = reduced(channels, reduction)
        self.query = nn.Linear(channels, inner)
        # a bias would add the same to every logit of a row, which the softmax cancels: it could never train
        self.key = nn.Linear(channels, inner, bias=False)
        self.value = nn.Linear(channels, channels)
        self.gamma = nn.Parameter(torch.zeros(()))
        self.max_tokens = max_tokens
        self.significance = significance
        initialise(self)

    def tokens(self, x_BCHW: Tensor) -> Tensor:
        """The map averaged over a grid of at most `max_tokens` cells: [B, C, h, w]."""
        height, width = x_BCHW.shape[-2:]
        stride = ceil(sqrt(height * width / self.max_tokens))
        rows = min(max(1, height // stride), self.max_tokens)
        # on a long and narrow map one side may be shorter than the stride
        grid = (rows, min(max(1, width // stride), self.max_tokens // rows))
        return x_BCHW if grid == (height, width) else F.adaptive_avg_pool2d(x_BCHW, grid)

    @torch.no_grad()
    def score(self, x_BCHW: Tensor, key_B: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, P]: negative row entropy, or attention received."""
        scale_B111 = rms(x_BCHW)
        token_BChw = self.tokens(x_BCHW) / scale_B111
        # scaled after the projection, which is linear: no second map of full width
        weight_cC11 = self.query.weight[:, :, None, None]
        query_BPc = (F.conv2d(x_BCHW, weight_cC11) / scale_B111).flatten(2).mT + self.query.bias
        key_BKc = self.key(token_BChw.flatten(2).mT)
        if self.significance == "entropy":
            return negative_row_entropy(query_BPc, key_BKc)
        received_Bhw = attention_received(query_BPc, key_BKc).unflatten(1, token_BChw.shape[-2:])
        return F.interpolate(received_Bhw[:, None], x_BCHW.shape[-2:], mode="bilinear").flatten(1)

    def attend(self, x_BCHW: Tensor, places_BN: Tensor) -> Tensor:
        """Return gamma * o + x at the chosen places: [B, N, C]."""
        scale_B11 = rms(x_BCHW).flatten(2)
        x_BNC = at_places(x_BCHW, places_BN)
        token_BKC = self.tokens(x_BCHW).flatten(2).mT / scale_B11
        weights_BNK = (self.query(x_BNC / scale_B11) @ self.key(token_BKC).mT).softmax(-1)
        out_BNC: Tensor = x_BNC + self.gamma * scale_B11 * (weights_BNK @ self.value(token_BKC))
        return out_BNC
