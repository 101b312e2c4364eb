"""FID against scipy's matrix root, torch-fidelity and closed forms."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from src.metrics.frechet import frechet_distance


def features(count: int, width: int = 7, seed: int = 0) -> Tensor:
    return torch.randn(count, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("m", "n"), [(30, 30), (8, 50), (200, 21)])
def test_equals_the_formula_with_a_matrix_root(m: int, n: int):
    x, y = features(m) * 1.3 + 0.2, features(n, seed=1) @ features(7, seed=2)
    own, real = np.cov(x.T), np.cov(y.T)
    means = ((x.mean(0) - y.mean(0)) ** 2).sum()
    expected = float(means) + np.trace(own + real - 2 * sqrtm(own @ real).real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("m", "n"), [(300, 280), (40, 25), (2, 3)])
def test_equals_torch_fidelity_with_more_images_than_features_and_with_fewer(m: int, n: int):
    x, y = features(m, 64).float(), features(n, 64, seed=1).float() * 1.2 + 0.1
    expected = fid_statistics_to_metric(fid_features_to_statistics(x), fid_features_to_statistics(y), verbose=False)
    # of singular covariances it takes eigenvalues that are 0 but for rounding
    assert frechet_distance(x, y) == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)


def test_of_one_feature_it_is_the_distance_of_means_and_deviations():
    x, y = features(50, 1) * 3 + 1, features(60, 1, seed=1)
    expected = (x.mean() - y.mean()) ** 2 + (x.std() - y.std()) ** 2
    assert frechet_distance(x, y) == pytest.approx(float(expected), rel=1e-9)


def test_of_a_shift_it_is_its_squared_length():
    x = features(5, 30)
    assert frechet_distance(x, x + 0.5) == pytest.approx(30 * 0.25, rel=1e-9)


@pytest.mark.parametrize(("count", "width"), [(5, 100), (100, 5)])
def test_identical_sets_in_any_order_are_at_distance_zero(count: int, width: int):
    x = features(count, width)
    assert frechet_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-10)


def test_fewer_images_of_the_same_kind_are_farther():
    distances = [frechet_distance(features(n, 64), features(n, 64, seed=1)) for n in (10, 40, 640)]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 5 * distances[2]


@pytest.mark.parametrize(("m", "n"), [(1, 5), (5, 0)])
def test_fewer_than_two_images_are_refused(m: int, n: int):
    with pytest.raises(ValueError, match=f"at least 2 images a set, got {m} and {n}"):
        frechet_distance(features(m), features(n))
