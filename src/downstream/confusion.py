"""One confusion matrix over a whole set, and what follows from it: IoU, accuracy, invented and lost classes."""

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from src.data.labels import IGNORE


class Confusion:
    """Sums the confusion matrix of predictions against labels; pixels labelled IGNORE do not count.

    Args:
        classes: their number K.
    """

    def __init__(self, classes: int) -> None:
        self._metric = MulticlassConfusionMatrix(classes, ignore_index=IGNORE, validate_args=False)

    def add(self, predicted_HW: Tensor, labels_HW: Tensor) -> None:
        """Train ids of the same shape."""
        self._metric.update(predicted_HW.reshape(-1).long().cpu(), labels_HW.reshape(-1).long().cpu())

    def matrix(self) -> Tensor:
        """[K, K] float64: pixels labelled as the row and predicted as the column."""
        return self._metric.confmat.double()


def iou(matrix_KK: Tensor) -> Tensor:
    """True positives over all pixels labelled or predicted as the class, [K] in [0, 1]; NaN where there are none."""
    hits = matrix_KK.diagonal()
    return hits / (matrix_KK.sum(0) + matrix_KK.sum(1) - hits)


def mean_iou(matrix_KK: Tensor) -> float:
    """Mean IoU over the classes that some label of the set has; NaN if none has."""
    return float(iou(matrix_KK)[matrix_KK.sum(1) > 0].mean())


def accuracy(matrix_KK: Tensor) -> float:
    """Share of the labelled pixels predicted as labelled."""
    return float(matrix_KK.diagonal().sum() / matrix_KK.sum())


def hallucination(matrix_KK: Tensor) -> Tensor:
    """Of the pixels labelled as another class, the share predicted as this one, [K] in [0, 1]; NaN without any."""
    labelled = matrix_KK.sum(1)
    return (matrix_KK.sum(0) - matrix_KK.diagonal()) / (labelled.sum() - labelled)


def loss(matrix_KK: Tensor) -> Tensor:
    """Of the pixels labelled as the class, the share predicted as another, [K] in [0, 1]; NaN without any."""
    labelled = matrix_KK.sum(1)
    return (labelled - matrix_KK.diagonal()) / labelled


def by_name(values_K: Tensor, names: list[str]) -> dict[str, float | None]:
    """Values under their classes' names; None where there is none, as JSON has no NaN."""
    return {
        name: None if bool(torch.isnan(value)) else float(value) for name, value in zip(names, values_K, strict=True)
    }
