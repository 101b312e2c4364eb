"""The paper's rule (Sec. 3.1): rank the places by significance and take the first N."""

from torch import Tensor

from src.networks.selection.base import Selection, descending


class TopK(Selection):
    """The N highest scores; of equal ones, those that the image's key draws."""

    def select(
        self, score_BP: Tensor, grid: tuple[int, int], key_B: Tensor, progress: float | Tensor, count: int
    ) -> Tensor:
        """[B, P] -> [B, count]."""
        return descending(score_BP, key_B)[:, :count]
