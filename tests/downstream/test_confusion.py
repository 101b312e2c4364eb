"""The confusion matrix and what follows from it, against a loop over pixels and by hand."""

import math

import numpy as np
import pytest
import torch

from src.data.labels import IGNORE
from src.downstream import confusion


def draws(seed: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes + 1, (9, 11))
    labels[labels == classes] = IGNORE
    return torch.from_numpy(random.integers(0, classes, (9, 11))), torch.from_numpy(labels.astype(np.uint8))


def test_one_matrix_is_summed_over_images_of_any_size_as_a_loop_would():
    counts, expected = confusion.Confusion(4), np.zeros((4, 4))
    for seed in range(3):
        predicted, labels = draws(seed, 4)
        predicted, labels = predicted[: 9 - seed], labels[: 9 - seed]
        counts.add(predicted, labels)
        for guess, label in zip(predicted.flatten().tolist(), labels.flatten().tolist(), strict=True):
            if label != IGNORE:
                expected[label, guess] += 1
    assert np.array_equal(counts.matrix().numpy(), expected)


def test_scores_are_those_of_a_loop_over_pixels():
    predicted, labels = draws(7, 5)
    counts = confusion.Confusion(5)
    counts.add(predicted, labels)
    matrix = counts.matrix()
    pairs = [
        (p, q) for p, q in zip(predicted.flatten().tolist(), labels.flatten().tolist(), strict=True) if q != IGNORE
    ]
    assert confusion.accuracy(matrix) == pytest.approx(sum(p == q for p, q in pairs) / len(pairs))
    for k in range(5):
        both, either = sum(p == q == k for p, q in pairs), sum(k in (p, q) for p, q in pairs)
        assert float(confusion.iou(matrix)[k]) == pytest.approx(both / either)
        others, own = [p for p, q in pairs if q != k], [p for p, q in pairs if q == k]
        assert float(confusion.hallucination(matrix)[k]) == pytest.approx(others.count(k) / len(others))
        assert float(confusion.loss(matrix)[k]) == pytest.approx(1 - own.count(k) / len(own))
    assert confusion.mean_iou(matrix) == pytest.approx(float(confusion.iou(matrix).mean()))


def test_trees_painted_into_the_sky_by_hand():
    sky, tree, road = 0, 1, 2
    labels = torch.tensor([[sky, sky, sky, sky], [tree, tree, road, IGNORE]])
    judged = torch.tensor([[sky, tree, tree, sky], [tree, road, road, tree]])
    counts = confusion.Confusion(3)
    counts.add(judged, labels)
    matrix = counts.matrix()
    # five labelled pixels are no tree, two of them became one; the void pixel does not count
    assert confusion.hallucination(matrix).tolist() == pytest.approx([0, 2 / 5, 1 / 6])
    assert confusion.loss(matrix).tolist() == pytest.approx([2 / 4, 1 / 2, 0])
    assert confusion.iou(matrix).tolist() == pytest.approx([2 / 4, 1 / 4, 1 / 2])
    assert confusion.accuracy(matrix) == pytest.approx(4 / 7)


def test_a_class_without_labels_takes_no_part_in_the_mean():
    counts = confusion.Confusion(3)
    counts.add(torch.tensor([0, 0, 2]), torch.tensor([0, 0, 0]))
    matrix = counts.matrix()
    assert confusion.mean_iou(matrix) == pytest.approx(2 / 3)
    assert math.isnan(float(confusion.iou(matrix)[1]))
    assert confusion.by_name(confusion.loss(matrix), ["a", "b", "c"]) == {
        "a": pytest.approx(1 / 3),
        "b": None,
        "c": None,
    }
