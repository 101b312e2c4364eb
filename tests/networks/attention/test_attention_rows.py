"""Streamed statistics of attention matrices against the dense matrix, in value and in memory."""

from math import log

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from src.networks.attention import rows
from src.networks.attention.base import Attention
from src.networks.attention.entropy import EntropyAttention
from src.networks.attention.external import ExternalAttention
from src.networks.attention.rows import attention_received, negative_row_entropy
from src.networks.attention.self import SelfAttention
from src.networks.attention.triplet import TripletAttention


def pair(queries: int = 23, keys: int = 9, batch: int = 2, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(0)
    query = torch.randn(batch, queries, 5, generator=draws, dtype=torch.float64)
    return query * scale, torch.randn(batch, keys, 5, generator=draws, dtype=torch.float64)


def dense(query: Tensor, key: Tensor) -> np.ndarray:
    """softmax(query key^T) [B, P, K] in float64, a row at a time."""
    matrix = np.empty((*query.shape[:2], key.shape[1]))
    for b, p in np.ndindex(*query.shape[:2]):
        logits = np.array([float(query[b, p] @ k) for k in key[b]])
        e = np.exp(logits - logits.max())
        matrix[b, p] = e / e.sum()
    return matrix


# 1 row a block, blocks that leave a remainder of 23 rows, and all in one
each_block = pytest.mark.parametrize("block", [1, 18, 5 * 18, 7 * 18 + 3, 23 * 18, 1 << 20])


@each_block
def test_entropy_equals_the_dense_one_across_blocks(monkeypatch, block):
    monkeypatch.setattr(rows, "BLOCK", block)
    query, key = pair()
    p = dense(query, key)
    np.testing.assert_allclose(negative_row_entropy(query, key).numpy(), (p * np.log(p)).sum(-1), atol=1e-12)


@each_block
def test_attention_received_equals_the_dense_column_sums_across_blocks(monkeypatch, block):
    monkeypatch.setattr(rows, "BLOCK", block)
    query, key = pair()
    received = attention_received(query, key).numpy()
    np.testing.assert_allclose(received, dense(query, key).sum(1), atol=1e-12)
    np.testing.assert_allclose(received.sum(1), 23, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e2, 1e4, 1e8])
def test_extreme_logits_give_numbers_in_the_range_of_an_entropy(dtype, scale):
    query, key = (t.to(dtype) for t in pair(scale=scale))
    entropy = negative_row_entropy(query, key)
    assert entropy.dtype == dtype
    assert entropy.isfinite().all()
    assert entropy.min() >= -log(9)
    assert entropy.max() <= 0
    received = attention_received(query, key)
    assert received.isfinite().all()
    torch.testing.assert_close(received.sum(1), torch.full((2,), 23, dtype=dtype), atol=1e-4, rtol=0)


def test_entropy_is_zero_where_one_key_takes_all():
    # p of the other keys underflows to 0 exactly: log p must not turn that into 0 * -inf
    unit = torch.eye(6)[None]
    entropy = negative_row_entropy(1e4 * unit, unit)
    assert (entropy == 0).all()
    assert attention_received(1e4 * unit, unit).equal(torch.ones(1, 6))


@pytest.mark.parametrize("keys", [1, 2, 1000])
def test_entropy_is_that_of_a_uniform_draw_where_attention_is_flat(keys):
    entropy = negative_row_entropy(torch.zeros(1, 4, 5), torch.randn(1, keys, 5))
    torch.testing.assert_close(entropy, torch.full((1, 4), -log(keys)), atol=1e-5, rtol=0)  # a sum of float32


# Memory ----------------------------------------------------------------------------------------------------------


class LargestAllocation(TorchDispatchMode):
    """Elements of the largest storage that any operation returned; those of the arguments do not count."""

    def __init__(self, *given: Tensor) -> None:
        super().__init__()
        self.given = {tensor.untyped_storage().data_ptr() for tensor in given}
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and tensor.untyped_storage().data_ptr() not in self.given:
                self.elements = max(self.elements, tensor.untyped_storage().nbytes() // tensor.element_size())
        return out


SIDE, CHANNELS, PATCHES, TOKENS = 128, 8, 32, 256
PLACES = SIDE * SIDE


def largest(module: Attention, method: str, side: int = SIDE) -> int:
    x = torch.randn(1, CHANNELS, side, side, generator=torch.Generator().manual_seed(0)).requires_grad_()
    second = torch.zeros(1, dtype=torch.int64) if method == "score" else torch.arange(PATCHES)[None] * 100
    with LargestAllocation(x, *module.parameters()) as seen:
        result = getattr(module, method)(x, second)
        if result.requires_grad:
            result.sum().backward()
    return seen.elements


def self_attention(significance: str) -> SelfAttention:
    return SelfAttention(CHANNELS, reduction=8, max_tokens=TOKENS, significance=significance)


def test_the_recorder_sees_a_matrix_of_all_pairs_of_places():
    x = torch.randn(200, 2)
    with LargestAllocation(x) as seen:
        (x @ x.T).softmax(-1).sum()
    assert seen.elements == 200 * 200


@pytest.mark.parametrize("significance", ["entropy", "received"])
def test_scoring_by_self_attention_holds_one_block(significance):
    # P x tokens would be 4 times the block
    assert largest(self_attention(significance), "score") <= rows.BLOCK < PLACES * TOKENS


def test_scoring_by_entropy_holds_one_block():
    # 64 x 64, the size of the taps it is meant for: all pairs would be 16 times the block
    module = EntropyAttention(CHANNELS, temperature=0.07)
    assert largest(module, "score", side=64) <= rows.BLOCK < (64 * 64) ** 2


def test_attending_by_self_attention_holds_the_chosen_rows_and_the_map():
    assert largest(self_attention("entropy"), "attend") <= max(PATCHES * TOKENS, CHANNELS * PLACES)


def test_attending_by_entropy_holds_the_chosen_rows():
    assert largest(EntropyAttention(CHANNELS, temperature=0.07), "attend") <= PATCHES * PLACES


@pytest.mark.parametrize("method", ["score", "attend"])
def test_external_attention_holds_one_logit_a_slot_and_place(method):
    assert largest(ExternalAttention(CHANNELS, slots=16), method) <= 16 * PLACES


def test_triplet_attention_builds_a_planes_neighbours_along_a_row_and_nothing_of_the_maps_size():
    module = TripletAttention(CHANNELS, kernel_size=7)
    x = torch.randn(1, 64, 64, 64)
    for method, second in (("score", torch.zeros(1, dtype=torch.int64)), ("attend", torch.arange(PATCHES)[None])):
        with LargestAllocation(x, *module.parameters()) as seen:
            getattr(module, method)(x, second)
        # a plane has two pooled channels and three rows of padding at either side; the map has 64 channels
        assert seen.elements <= 2 * 7 * (64 + 2 * 3) * 64 < 64 * 64 * 64 / 4
