"""PatchNCE against a naive double loop, closed forms and invariances."""

from math import exp, log

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from src.losses.patch_nce import patch_nce


def features(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), dim=-1)


def naive(query: Tensor, key: Tensor, temperature: float) -> float:
    losses = []
    for image in range(query.shape[0]):
        for s in range(query.shape[1]):
            similarity = [exp(float(query[image, s] @ key[image, n]) / temperature) for n in range(key.shape[1])]
            losses.append(-log(similarity[s] / sum(similarity)))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_equals_a_naive_double_loop(temperature: float):
    query, key = features(3, 11, 5), features(3, 11, 5, seed=1)
    expected = naive(query, key, temperature)
    assert float(patch_nce(query, key, temperature)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("patches", [2, 8, 256])
def test_equal_features_cost_log_n(patches: int):
    same = F.normalize(torch.ones(2, patches, 4, dtype=torch.float64), dim=-1)
    assert float(patch_nce(same, same, 0.07)) == pytest.approx(log(patches), abs=1e-12)


def test_order_of_patches_is_irrelevant():
    query, key = features(2, 9, 6), features(2, 9, 6, seed=1)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        patch_nce(query[:, order], key[:, order], 0.07), patch_nce(query, key, 0.07), atol=1e-12, rtol=0
    )


def test_a_batch_costs_the_mean_of_its_images():
    query, key = features(4, 7, 5), features(4, 7, 5, seed=1)
    parts = [patch_nce(query[b : b + 1], key[b : b + 1], 0.07) for b in range(4)]
    torch.testing.assert_close(patch_nce(query, key, 0.07), torch.stack(parts).mean(), atol=1e-12, rtol=0)


def test_keys_receive_no_gradient():
    query, key = features(1, 4, 3).requires_grad_(), features(1, 4, 3, seed=1).requires_grad_()
    patch_nce(query, key, 0.07).backward()
    assert query.grad is not None
    assert query.grad.abs().max() > 0
    assert key.grad is None


def test_gradient_is_that_of_the_formula():
    key = features(1, 4, 3, seed=1)
    assert torch.autograd.gradcheck(lambda q: patch_nce(q, key, 0.5), features(1, 4, 3).requires_grad_())


def test_half_precision_is_widened():
    query, key = features(1, 64, 32).float(), features(1, 64, 32, seed=1).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = patch_nce(query, key, 0.07)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, patch_nce(query, key, 0.07), atol=0, rtol=0)
