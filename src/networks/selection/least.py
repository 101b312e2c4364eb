"""The control of the paper's rule: the places that attention calls least significant."""

from torch import Tensor

from src.networks.selection.base import Selection, descending


class Least(Selection):
    """The N lowest scores: what ranking is worth, `TopK` against this one says, at equal counts of places.

    Examples:
        >>> import torch
        >>> row = torch.tensor([[0.1, 0.8, 0.9, 0.7, 0.4, 0.2, 0.3, 0.6]])
        >>> Least(patches=2)(row, grid=(1, 8), key_B=torch.tensor([7]), progress=0.0)
        tensor([[0, 5]])
    """

    def select(
        self, score_BP: Tensor, grid: tuple[int, int], key_B: Tensor, progress: float | Tensor, count: int
    ) -> Tensor:
        """[B, P] -> [B, count]."""
        return descending(-score_BP, key_B)[:, :count]
