"""MoNCE's weights against a linear program's limit, a naive loop, and PatchNCE where all negatives are alike."""

from math import exp, log

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp
from torch import Tensor
from torch.nn.functional import normalize

from src.losses.hard_negatives import hard_negatives
from src.losses.patch_nce import patch_nce
from src.system.errors import UserError
from tests.conftest import batch, cut
from tests.losses.test_patch_nce import features


def naive_plan(query: Tensor, key: Tensor, epsilon: float) -> np.ndarray:
    """Of one image, by scaling rows and columns in turn until nothing moves."""
    n = len(query)
    plan = np.array(
        [[exp((-10 if i == j else float(query[i] @ key[j])) / epsilon) for j in range(n)] for i in range(n)]
    )
    for _ in range(2000):
        plan /= plan.sum(1, keepdims=True)
        plan /= plan.sum(0, keepdims=True)
    return plan


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 5.0])
def test_equals_rows_and_columns_scaled_in_turn(epsilon: float):
    query, key = features(2, 9, 5), features(2, 9, 5, seed=1)
    weights = hard_negatives(query, key, epsilon)
    for image in range(2):
        expected = 8 * naive_plan(query[image], key[image], epsilon)
        np.testing.assert_allclose(weights[image].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("epsilon", [0.04, 0.011, 0.004, 0.001])
@pytest.mark.parametrize("alike", [0.0, 0.95])
def test_a_small_epsilon_overflows_nothing_in_fp32(alike: float, epsilon: float):
    common = features(1, 1, 8)
    query, key = ((1 - alike) * features(2, 33, 8, seed=seed) + alike * common for seed in (1, 2))
    query, key = (normalize(x_BND, dim=-1).float() for x_BND in (query, key))
    weights = hard_negatives(query, key, epsilon)
    for image in range(2):
        cosine = query[image].double().numpy() @ key[image].double().numpy().T
        np.fill_diagonal(cosine, -10)
        row, column = np.zeros((33, 1)), np.zeros((1, 33))
        for _ in range(50):  # as many as in the released code; fewer than until nothing moves
            row = -logsumexp(cosine / epsilon + column, axis=1, keepdims=True)
            column = -logsumexp(cosine / epsilon + row, axis=0, keepdims=True)
        expected = 32 * np.exp(cosine / epsilon + row + column)
        # an fp32 cosine is good to 1e-7, its exponent to that over epsilon; of weights up to 32
        np.testing.assert_allclose(weights[image].numpy(), expected, atol=32 * 3e-7 / epsilon)


def test_every_query_and_every_key_has_the_weight_of_plain_patch_nce():
    weights = hard_negatives(features(2, 64, 16), features(2, 64, 16, seed=1), 1.0)
    torch.testing.assert_close(weights.sum(1), torch.full((2, 64), 63.0, dtype=torch.float64), atol=1e-4, rtol=0)
    torch.testing.assert_close(weights.sum(2), torch.full((2, 64), 63.0, dtype=torch.float64), atol=1e-4, rtol=0)


def test_a_plan_that_is_hardly_even_is_the_best_assignment():
    query, key = features(1, 6, 4), features(1, 6, 4, seed=3)
    cost = -(query[0] @ key[0].mT).numpy()
    np.fill_diagonal(cost, 10)
    rows, columns = linear_sum_assignment(cost)
    weights = hard_negatives(query, key, 0.02)[0]
    assert (weights.argmax(1).numpy()[rows] == columns).all()


def test_even_weights_are_patch_nce():
    query, key = features(3, 11, 5), features(3, 11, 5, seed=1)
    weights = hard_negatives(query, key, 1e9)
    plain = patch_nce(query, key, 0.07)
    # the pair of a patch with itself takes its share of the plan, 1 / N
    torch.testing.assert_close(weights, torch.full_like(weights, 10 / 11), atol=1e-6, rtol=0)
    weighted = patch_nce(query, key, 0.07, torch.ones_like(weights))
    torch.testing.assert_close(weighted, plain, atol=0, rtol=0)


def test_weighted_patch_nce_equals_a_naive_double_loop():
    query, key = features(2, 7, 5), features(2, 7, 5, seed=1)
    weights = hard_negatives(query, key, 1.0)
    losses = []
    for image in range(2):
        for s in range(7):
            terms = [exp(float(query[image, s] @ key[image, n]) / 0.07) for n in range(7)]
            negatives = sum(float(weights[image, s, n]) * terms[n] for n in range(7) if n != s)
            losses.append(-log(terms[s] / (terms[s] + negatives)))
    assert float(patch_nce(query, key, 0.07, weights)) == pytest.approx(sum(losses) / len(losses), abs=1e-12)


def test_weights_are_constants():
    query = features(1, 5, 3).requires_grad_()
    key = features(1, 5, 3, seed=1)
    weights = hard_negatives(query, key, 1.0)
    assert not weights.requires_grad
    patch_nce(query, key, 0.07, weights).backward()
    assert query.grad is not None


def test_half_precision_is_weighed_in_fp32():
    query, key = features(1, 16, 8).bfloat16(), features(1, 16, 8, seed=1).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        weights = hard_negatives(query, key, 1.0)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, hard_negatives(query.float(), key.float(), 1.0))


def test_an_epsilon_that_is_none_is_refused():
    with pytest.raises(UserError, match=r"^method: hard_negatives must be > 0, or null for none, got 0$"):
        cut("method.hard_negatives=0")


def test_the_method_trains_with_them():
    plain, weighted = (cut(name, "attention=none") for name in ("method=cut", "method=monce"))
    images = batch(2)
    terms = [method.generator_terms(method.forward_pass(images)) for method in (plain, weighted)]
    assert terms[0]["gan"] == terms[1]["gan"]
    assert terms[0]["nce_x"] != terms[1]["nce_x"]
    state = weighted.forward_pass(images)
    taps = []
    for tap, query in weighted.H(weighted.G.encoder(state.outputs), state.places).items():
        key = weighted.H(state.features, state.places)[tap]
        part = slice(0, len(images.x))
        weights = hard_negatives(query[part], key[part], 1.0)
        taps.append(patch_nce(query[part], key[part], weighted.temperature, weights))
    expected = torch.stack(taps).mean() * weighted.lambda_x / (2 if weighted.lambda_y else 1)
    torch.testing.assert_close(terms[1]["nce_x"], expected)
