"""Double precision on every device; Apple's is stood in for, as it has no float64 to compute with."""

from types import SimpleNamespace

import pytest
import torch

from src.metrics.double import in_double
from src.metrics.frechet import frechet_distance
from src.metrics.kid import kid_contributions, kid_error

FEATURES = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))


class OnApple:
    """What features on MPS do: they refuse to become double there."""

    device = SimpleNamespace(type="mps")

    def __len__(self) -> int:
        return len(FEATURES)

    def cpu(self) -> torch.Tensor:
        return FEATURES

    def double(self) -> torch.Tensor:
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.")


@pytest.mark.parametrize("score", [frechet_distance, kid_error, lambda x, y: float(kid_contributions(x, y).mean())])
def test_scores_of_features_on_apples_gpu_are_those_on_the_cpu(score):
    assert score(OnApple(), FEATURES + 1) == score(FEATURES, FEATURES + 1)


def test_others_stay_where_they_are():
    found = in_double(FEATURES)
    assert (found.dtype, found.device) == (torch.float64, FEATURES.device)
