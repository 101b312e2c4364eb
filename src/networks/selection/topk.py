"""The paper's rule (Sec. 3.1): rank the places by significance and take the first N."""

from torch import Tensor

from src.networks.selection.base import Selection, descending


class TopK(Selection):
    """The N highest scores; of equal ones, those that the image's key draws.

    Examples:
        >>> import torch
        >>> row = torch.tensor([[0.1, 0.8, 0.9, 0.7, 0.1, 0.2, 0.3, 0.2]])
        >>> TopK(patches=2)(row, grid=(1, 8), key_B=torch.tensor([7]), progress=0.0)
        tensor([[2, 1]])
    """

    def select(
        self, score_BP: Tensor, grid: tuple[int, int], key_B: Tensor, progress: float | Tensor, count: int
    ) -> Tensor:
        """[B, P] -> [B, count]."""
        return descending(score_BP, key_B)[:, :count]
