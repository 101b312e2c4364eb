"""The schedule against the reference's formula."""

import pytest

from src.training.schedule import linear_decay, steps


@pytest.mark.parametrize(
    ("epoch", "factor"), [(0, 1.0), (199, 1.0), (200, 1 - 1 / 201), (201, 1 - 2 / 201), (399, 1 / 201)]
)
def test_equals_the_references_values_for_200_and_200_epochs(epoch: int, factor: float):
    assert linear_decay(epoch, max_epochs=400, decay=0.5) == pytest.approx(factor, abs=1e-15)


def test_without_decay_the_rate_is_constant():
    assert {linear_decay(epoch, max_epochs=7, decay=0.0) for epoch in range(7)} == {1.0}


def test_a_run_of_one_epoch_trains():
    assert linear_decay(0, max_epochs=1, decay=0.5) == 1.0
    assert linear_decay(0, max_epochs=1, decay=1.0) == 0.5


def test_steps_are_counted_by_windows_of_which_an_epochs_last_may_be_short():
    """Epochs of five batches, windows of two: three steps an epoch, the third of one batch."""
    assert [steps(batches, 5, 2) for batches in (2, 4, 5, 7, 9, 10, 12)] == [1, 2, 3, 4, 5, 6, 7]
