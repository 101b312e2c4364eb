"""The contract of a selection rule: a score for every place in, N different places out.

Shapes: B images, P = H * W places of a feature map, N chosen places.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from src.networks import noise

_TIES, _REST = 0x74, 0x6F  # apart from the noise that scores and rules draw from the same key


class Selection(ABC):
    """Chooses `patches` different places an image; stateless, on the score's device, without graph.

    Args:
        patches: N; the other N - 1 are each place's negatives.
        ranked: share of N that the rule chooses, in [0, 1]; the rest is drawn at random from the places left.
    """

    def __init__(self, *, patches: int, ranked: float = 1.0) -> None:
        if patches < 2:
            raise ValueError(f"patches must be >= 2 to have a negative, got {patches}")
        if not 0 <= ranked <= 1:
            raise ValueError(f"selection.ranked is a share and must lie in [0, 1], got {ranked}")
        self.patches = patches
        self.ranked = ranked

    def __call__(
        self,
        score_BP: Tensor,
        grid: tuple[int, int],
        key_B: Tensor,
        progress: float | Tensor,
        last_BP: Tensor | None = None,
    ) -> Tensor:
        """Places [B, N], int64, each in [0, P): those of the rule first, then those drawn at random.

        Args:
            score_BP: significance; higher is chosen first.
            grid: (H, W) of the map.
            key_B: int64, one key a sample, from which a random rule draws.
            progress: share of training done, in [0, 1].
            last_BP: bool, places that are chosen after all others, whatever their score.
        """
        if self.patches > score_BP.shape[1]:
            raise ValueError(f"selection.patches={self.patches} exceeds the {score_BP.shape[1]} places of the map")
        count = round(self.ranked * self.patches)
        chosen_BN = self._by_rule(score_BP, grid, key_B, progress, last_BP, count)
        if count == self.patches:
            return chosen_BN
        noise_BP = noise.uniform(key_B, score_BP.shape[1], _REST)
        if last_BP is not None:
            noise_BP = noise_BP - last_BP.to(noise_BP.dtype)  # in (-1, 0), below all others
        rest_BN = noise_BP.scatter(1, chosen_BN, -torch.inf).topk(self.patches - count).indices
        return torch.cat([chosen_BN, rest_BN], 1)

    def _by_rule(
        self,
        score_BP: Tensor,
        grid: tuple[int, int],
        key_B: Tensor,
        progress: float | Tensor,
        last_BP: Tensor | None,
        count: int,
    ) -> Tensor:
        if last_BP is None:
            return self.select(score_BP, grid, key_B, progress, count)
        # with the lowest score of the others they outshine no neighbour; where there are no others, all are alike
        lowest_B1 = score_BP.masked_fill(last_BP, torch.inf).amin(1, keepdim=True).nan_to_num(posinf=0.0)
        scored_BP = torch.where(last_BP, lowest_B1, score_BP)
        ranked_BP = self.select(scored_BP, grid, key_B, progress, score_BP.shape[1])
        order_BP = last_BP.gather(1, ranked_BP).to(torch.uint8).argsort(dim=1, stable=True)
        return ranked_BP.gather(1, order_BP)[:, :count]

    @abstractmethod
    def select(
        self, score_BP: Tensor, grid: tuple[int, int], key_B: Tensor, progress: float | Tensor, count: int
    ) -> Tensor:
        """As `__call__`: the first `count` of at least as many places, [B, count]."""


def descending(score_BP: Tensor, key_B: Tensor) -> Tensor:
    """All places [B, P] from the highest score down; those of equal score in an order drawn from the image's key.

    Dead units tie most places of some taps, and the order of their indices would heap the chosen ones in one corner.

    Examples:
        >>> descending(torch.tensor([[0.1, 0.9, 0.5]]), key_B=torch.tensor([7]))
        tensor([[1, 2, 0]])
        >>> tied = torch.zeros(2, 5)
        >>> orders = descending(tied, key_B=torch.tensor([7, 8]))
        >>> orders.sort(dim=1).values.tolist()
        [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
        >>> torch.equal(orders, descending(tied, key_B=torch.tensor([7, 8])))  # the key's, not the moment's
        True
    """
    shuffled_BP = noise.uniform(key_B, score_BP.shape[1], _TIES).argsort(dim=1, stable=True)
    return shuffled_BP.gather(1, score_BP.gather(1, shuffled_BP).argsort(dim=1, descending=True, stable=True))
