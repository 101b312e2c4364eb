"""Local maxima first: pure top-N picks neighbours, near-duplicates that PatchNCE then takes for negatives."""

from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional as F

from src.networks.selection.base import Selection, descending


class Spread(Selection):
    """The highest local maxima; where they are fewer than N, the highest of the other places fill up.

    Of equal scores, those that the image's key draws.

    Args:
        patches: N.
        separation: radius within which a maximum must stand alone, as a share of the mean spacing
            sqrt(P / N) of N places; 0.2 gives a 7x7 window for 256 of 65,536 places and 3x3 for 256 of 4,096.
        ranked: see `Selection`.

    Examples:
        >>> row = torch.tensor([[0.1, 0.8, 0.9, 0.7, 0.1, 0.2, 0.3, 0.2]])  # maxima at 2 and 6
        >>> rule = Spread(patches=2, separation=0.5)
        >>> rule(row, grid=(1, 8), key_B=torch.tensor([7]), progress=0.0)  # the two highest are 2 and 1
        tensor([[2, 6]])
    """

    def __init__(self, *, patches: int, separation: float, ranked: float = 1.0) -> None:
        super().__init__(patches=patches, ranked=ranked)
        if not 0 <= separation <= 10:
            raise ValueError(f"selection.separation must lie in [0, 10], got {separation}")
        self.separation = separation

    def select(
        self, score_BP: Tensor, grid: tuple[int, int], key_B: Tensor, progress: float | Tensor, count: int
    ) -> Tensor:
        """[B, P] -> [B, count]."""
        radius = round(self.separation * sqrt(score_BP.shape[1] / self.patches))
        score_B1HW = score_BP.unflatten(1, grid)[:, None]
        highest = F.max_pool2d(score_B1HW, 2 * radius + 1, stride=1, padding=radius)
        is_peak_BP = (score_B1HW == highest).flatten(1)
        # ranks, not scores, so that the two classes can be added without overlap whatever the score's range
        rank_BP = descending(score_BP, key_B).flip(1).argsort(dim=1)
        order_BP: Tensor = rank_BP + is_peak_BP.to(torch.int64) * score_BP.shape[1]
        return order_BP.topk(count).indices
