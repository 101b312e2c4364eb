"""Gumbel top-N (Kool et al. 2019): a draw without replacement in proportion to exp(score / temperature)."""

import torch
from torch import Tensor

from src.networks import noise
from src.networks.selection.base import Selection

_STREAM = 0x6B  # apart from the noise a score may have drawn from the same key


class Gumbel(Selection):
    """Top N of standardised score / temperature + Gumbel noise; from near random (CUT) to near top-N (the paper).

    The temperature falls geometrically from `start` to `end` over training, in standard deviations of the
    image's own scores.

    Args:
        patches: N.
        start: temperature at the first step.
        end: temperature at the last.
        ranked: see `Selection`.
    """

    def __init__(self, *, patches: int, start: float, end: float, ranked: float = 1.0) -> None:
        super().__init__(patches=patches, ranked=ranked)
        if not start >= end > 0:
            raise ValueError(f"temperatures must satisfy start >= end > 0, got start={start}, end={end}")
        self.start = start
        self.end = end

    def select(
        self, score_BP: Tensor, grid: tuple[int, int], key_B: Tensor, progress: float | Tensor, count: int
    ) -> Tensor:
        """[B, P] -> [B, count]."""
        temperature = self.start * (self.end / self.start) ** progress
        # measured from the highest, not the mean: the order is the same, and equal scores give 0 without rounding
        below_BP, std_B1 = score_BP - score_BP.amax(1, keepdim=True), score_BP.std(1, keepdim=True)
        standard_BP = below_BP / std_B1.clamp_min(torch.finfo(score_BP.dtype).tiny)
        uniform_BP = noise.uniform(key_B, score_BP.shape[1], _STREAM).to(score_BP.dtype)
        perturbed_BP: Tensor = standard_BP / temperature - (-uniform_BP.log()).log()
        return perturbed_BP.topk(count).indices
