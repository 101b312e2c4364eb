"""KID's contributions and their mean: the published sums, torchmetrics, and what an unbiased estimate must do."""

import pytest
import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from src.metrics import kid as module
from src.metrics.kid import kid as over_subsets
from src.metrics.kid import kid_contributions, kid_error


def features(count: int, width: int = 7, seed: int = 0) -> Tensor:
    return torch.randn(count, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def kid(x: Tensor, y: Tensor) -> float:
    return float(kid_contributions(x, y).mean())


def naive(x: list[list[float]], y: list[list[float]]) -> float:
    def kernel(a: list[float], b: list[float]) -> float:
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    m, n = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    within_y = sum(kernel(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return within_x + within_y - 2 * sum(kernel(a, b) for a in x for b in y) / (m * n)


@pytest.mark.parametrize(("m", "n"), [(2, 2), (9, 9), (5, 12), (12, 5)])
def test_equals_a_naive_double_loop(m, n):
    x, y = features(m), features(n, seed=1) + 0.3
    assert kid(x, y) == pytest.approx(naive(x.tolist(), y.tolist()), abs=1e-11)  # float64


def test_a_contribution_is_what_the_image_itself_adds():
    x, y = features(6), features(4, seed=1) + 0.3
    kernel = lambda a, b: (float(a @ b) / 7 + 1) ** 3  # noqa: E731
    within_y = sum(kernel(y[j], y[k]) for j in range(4) for k in range(4) if j != k) / 12
    for i, found in enumerate(kid_contributions(x, y).tolist()):
        own = sum(kernel(x[i], x[j]) for j in range(6) if j != i) / 5
        assert found == pytest.approx(own + within_y - 2 * sum(kernel(x[i], b) for b in y) / 4, abs=1e-11)


def test_images_of_a_kind_the_real_ones_lack_contribute_most():
    x = features(20, 16)
    x[::2] += 1
    contributions = kid_contributions(x, features(20, 16, seed=1))
    assert contributions[::2].mean() > 3 * contributions[1::2].mean().abs()


def test_rows_held_at_a_time_change_nothing(monkeypatch):
    x, y = features(11), features(5, seed=1)
    expected = kid_contributions(x, y)
    monkeypatch.setattr(module, "ROWS", 3)
    torch.testing.assert_close(kid_contributions(x, y), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("count", [2, 9, 40])
def test_equals_torchmetrics_for_sets_of_one_size(count):
    x, y = features(count, 32), features(count, 32, seed=1) * 1.2
    assert kid(x, y) == pytest.approx(float(poly_mmd(x, y)), abs=1e-11)


def test_a_closed_form_for_two_points_a_set():
    # k(0, anything) = 1 and k(1, 1) = (1 + 1)^3 = 8 in one dimension
    assert kid(torch.zeros(2, 1), torch.ones(2, 1)) == pytest.approx(1 + 8 - 2, abs=1e-12)


def test_sets_of_one_repeated_point_are_at_distance_zero():
    same = torch.full((4, 3), 0.7)
    assert kid(same, same[:3]) == pytest.approx(0, abs=1e-12)


def test_identical_sets_score_below_zero():
    # x against itself keeps the i = j terms in the cross sum alone: -2/n (mean of k_ii - mean of k_ij, i != j)
    x = features(6)
    kernel = torch.tensor([[(float(a @ b) / 7 + 1) ** 3 for b in x] for a in x], dtype=torch.float64)
    own = kernel.diagonal().mean()
    others = (kernel.sum() - kernel.diagonal().sum()) / 30
    assert kid(x, x) == pytest.approx(float(-2 / 6 * (own - others)), abs=1e-11)
    assert kid(x, x) < 0


def test_two_draws_of_one_distribution_differ_by_zero_in_expectation():
    values = torch.tensor([kid(features(8, 4, seed=2 * s), features(12, 4, seed=2 * s + 1)) for s in range(400)])
    assert abs(values.mean()) < 5 * values.std() / 400**0.5  # five standard errors
    assert (values < 0).float().mean() > 0.3


def test_order_within_a_set_is_irrelevant():
    x, y = features(9), features(5, seed=1)
    assert kid(x.flip(0), y[torch.tensor([3, 0, 4, 2, 1])]) == pytest.approx(kid(x, y), abs=1e-12)


def test_the_two_sets_are_interchangeable():
    x, y = features(9), features(5, seed=1)
    assert kid(x, y) == pytest.approx(kid(y, x), abs=1e-12)


def test_a_shift_moves_the_sets_apart():
    x, y = features(30), features(30, seed=1)
    assert kid(x, y) < kid(x, y + 1) < kid(x, y + 2)


def test_single_precision_features_are_summed_in_double():
    # sums of large equal terms cancel: in float32 the result would be off by tens
    x, y = (features(20) * 20).float(), (features(20, seed=1) * 20).float()
    assert kid(x, y) == pytest.approx(naive(x.tolist(), y.tolist()), rel=1e-9)


@pytest.mark.parametrize(("m", "n"), [(1, 5), (5, 1), (1, 1), (0, 3)])
def test_fewer_than_two_images_are_refused_with_both_numbers(m, n):
    with pytest.raises(ValueError, match=f"at least 2 images a set, got {m} and {n}"):
        kid_contributions(features(m), features(n))


@pytest.mark.parametrize(("m", "n"), [(3, 3), (7, 5), (4, 12)])
def test_the_error_is_the_jackknifes_with_every_estimate_computed_anew(m, n):
    x, y = features(m), features(n, seed=1) + 0.3
    without_x = torch.tensor([kid(torch.cat([x[:i], x[i + 1 :]]), y) for i in range(m)])
    without_y = torch.tensor([kid(x, torch.cat([y[:i], y[i + 1 :]])) for i in range(n)])
    # the sum of squares is (m - 1) times the variance
    expected = (m - 1) ** 2 / m * without_x.var() + (n - 1) ** 2 / n * without_y.var()
    assert kid_error(x, y) == pytest.approx(float(expected.sqrt()), rel=1e-6)


def test_the_error_is_what_fresh_sets_scatter_by_where_subsets_say_a_fifth():
    """249 and 233 images, as on CARLA -> CamVid: 20 directions that vary unequally, of two distributions."""
    scale = torch.linspace(2.0, 0.2, 20, dtype=torch.float64)
    pairs = [(features(249, 20, seed=2 * s), features(233, 20, seed=2 * s + 1)) for s in range(40)]
    fresh = [(x * scale, y * scale + 0.4) for x, y in pairs]
    scatter = float(torch.tensor([kid(*pair) for pair in fresh]).std())
    errors = torch.tensor([kid_error(*pair) for pair in fresh[:10]])
    # 40 sets tell their deviation to 11 %
    assert float(errors.mean()) == pytest.approx(scatter, rel=0.25)
    assert over_subsets(*fresh[0], subsets=20, size=233)[1] < scatter / 3


def test_the_error_of_one_distribution_errs_upwards_only():
    fresh = [(features(100, 8, seed=2 * s), features(100, 8, seed=2 * s + 1)) for s in range(60)]
    scatter = float(torch.tensor([kid(*pair) for pair in fresh]).std())
    error = float(torch.tensor([kid_error(*pair) for pair in fresh]).mean())
    assert scatter < error < 2 * scatter
