"""The weight average by hand."""

import pytest
import torch
from torch import nn

from src.system.errors import UserError
from src.training.average import WeightAverage


def test_follows_the_recurrence_with_its_ramp():
    network = nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, decay=0.5)
    expected = float(network.weight.detach())
    for step in range(1, 30):
        with torch.no_grad():
            network.weight.fill_(step)
        average.update(network.parameters(), step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert float(average.network.weight) == pytest.approx(expected, rel=1e-5)


def test_does_not_train():
    assert not any(parameter.requires_grad for parameter in WeightAverage(nn.Linear(2, 2), decay=0.9).parameters())


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_refuses_a_decay_outside_its_range(decay: float):
    with pytest.raises(UserError, match=r"module\.ema_decay must lie in"):
        WeightAverage(nn.Linear(1, 1), decay=decay)
