"""White noise as a function of keys: its law, its independence, and its arithmetic in unlimited integers."""

from itertools import pairwise
from math import log, sqrt

import pytest
import torch
from torch import Tensor

from src.networks import noise

MASK, GOLDEN = 0xFFFFFFFF, 0x9E3779B9
KEYS = [0, 1, 2, 12345, -1, -2, 2**31, 2**32 - 1, 2**32, 2**40 + 17, 2**63 - 1, -(2**63), 0x1234567890ABCDEF]


def fmix32(h: int) -> int:
    """MurmurHash3's finaliser as published."""
    h ^= h >> 16
    h = h * 0x85EBCA6B & MASK
    h ^= h >> 13
    h = h * 0xC2B2AE35 & MASK
    return h ^ h >> 16


def draw(key: int, count: int, stream: int = 0) -> Tensor:
    return noise.uniform(torch.tensor([key]), count, stream)[0]


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1])


def unrelated(a: Tensor, b: Tensor) -> bool:
    """Correlation within five deviations (1 / sqrt n) of zero, of the values and of their distances from 1/2."""
    bound = 5 / sqrt(len(a))
    return max(abs(correlation(a, b)), abs(correlation((a - 0.5).abs(), (b - 0.5).abs()))) < bound


# Arithmetic ------------------------------------------------------------------------------------------------------


def test_mix_gives_the_published_hashes_of_an_empty_string():
    # MurmurHash3_x86_32 of no bytes is the finaliser of its seed; values of the SMHasher test vectors
    seeds, expected = [0, 1, 0xFFFFFFFF], [0, 0x514E28B7, 0x81F16F39]
    assert noise._mix(torch.tensor(seeds)).tolist() == expected
    assert [fmix32(seed) for seed in seeds] == expected


def test_mix_equals_the_finaliser_in_unlimited_integers():
    words = torch.randint(0, 2**32, (2000,), generator=torch.Generator().manual_seed(0))
    words = torch.cat([words, torch.tensor([0, 1, MASK, MASK - 1, 2**31, 2**31 - 1])])
    assert noise._mix(words).tolist() == [fmix32(word) for word in words.tolist()]


def test_mix_maps_different_words_to_different_words():
    words = torch.arange(2**16) * 65_537 & MASK
    assert noise._mix(words).unique().numel() == 2**16


# Law -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("stream", [0, 1, 107])
def test_draws_are_uniform(key, stream):
    count = 20_000
    u = draw(key, count, stream).double()
    # five deviations of the mean (1 / sqrt(12 n)) and of the variance (sqrt(1 / 180 n)) of uniform draws
    assert abs(u.mean() - 1 / 2) < 5 * sqrt(1 / (12 * count))
    assert abs(u.var() - 1 / 12) < 5 * sqrt(1 / (180 * count))
    # Dvoretzky, Kiefer, Wolfowitz: sup |F_n - F| > e with probability below 2 exp(-2 n e^2), here 1e-6
    ordered, steps = u.sort().values, torch.arange(count + 1) / count
    distance = torch.maximum(steps[1:] - ordered, ordered - steps[:-1]).max()
    assert distance < sqrt(log(2 / 1e-6) / (2 * count))


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(torch.arange(1, 4001), id="small keys"),
        pytest.param(-torch.arange(1, 4001), id="small negative keys"),
        pytest.param(torch.arange(4000) << 32, id="keys of high bits"),
        pytest.param(torch.arange(4000) * 0x9E3779B97F4A7C15, id="keys all over"),
    ],
)
@pytest.mark.parametrize("stream", [0, 1])
def test_each_place_is_uniform_over_keys(keys, stream):
    u = noise.uniform(keys, 12, stream).double()
    # five deviations over 4000 keys; a place that always loses would show as a mean of 0
    assert (u.mean(0) - 1 / 2).abs().max() < 5 * sqrt(1 / (12 * 4000))
    assert (u.var(0) - 1 / 12).abs().max() < 5 * sqrt(1 / (180 * 4000))


def test_draws_lie_strictly_between_zero_and_one():
    u = noise.uniform(torch.tensor(KEYS), 100_000, stream=0)
    assert u.dtype == torch.float32
    assert u.min() > 0
    assert u.max() < 1
    assert u.log().isfinite().all()
    assert (-u.log()).log().isfinite().all()


def test_every_hash_lands_strictly_between_zero_and_one(monkeypatch):
    # the two extreme hashes, which a search would meet once in four billion draws
    for word, expected in ((0, 0.5 / 2**23), (MASK, 1 - 0.5 / 2**23)):
        monkeypatch.setattr(noise, "_mix", lambda h, word=word: torch.full_like(h, word))
        assert draw(0, 1).item() == expected


# Independence ----------------------------------------------------------------------------------------------------

COUNT = 16_384


@pytest.mark.parametrize("lag", [1, 2, 3, 64, 256])
def test_places_of_one_draw_are_unrelated(lag):
    u = draw(12345, COUNT + lag)
    assert unrelated(u[:-lag], u[lag:])


@pytest.mark.parametrize("key", [0, 1, 12345, -1])
def test_neighbouring_keys_are_unrelated(key):
    a = draw(key, COUNT)
    assert all(unrelated(a, draw(key + step, COUNT)) for step in (1, 2, 16, 2**31, 2**32, GOLDEN))


def test_streams_of_one_key_are_unrelated():
    sequences = [draw(12345, COUNT, stream) for stream in (0, 1, 2, 3, 107)]
    assert all(unrelated(a, b) for i, a in enumerate(sequences) for b in sequences[:i])


@pytest.mark.parametrize("key", [0, 0x1234567890ABCDEF])
def test_all_64_bits_of_a_key_count(key):
    flipped = [key] + [key ^ (1 << bit) if bit < 63 else key - 2**63 for bit in range(64)]
    u = noise.uniform(torch.tensor(flipped), 1024, stream=0)
    bound = 5 / sqrt(1024)
    related = torch.corrcoef(u.double()).fill_diagonal_(0)
    assert related.abs().max() < bound
    assert ((u[0] == u[1:]).float().mean(1) < 0.01).all()


# Determinism -----------------------------------------------------------------------------------------------------


def test_the_same_key_draws_the_same_whatever_else_was_drawn():
    first = draw(7, 100)
    torch.rand(3)
    draw(8, 50)
    assert draw(7, 100).equal(first)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    noise.fork(torch.tensor(KEYS), 1)
    noise.uniform(torch.tensor(KEYS), 10, 0)
    assert torch.get_rng_state().equal(before)


def test_a_batch_draws_what_its_keys_draw_alone():
    together = noise.uniform(torch.tensor(KEYS), 33, stream=2)
    assert together.shape == (len(KEYS), 33)
    for key, row in zip(KEYS, together, strict=True):
        assert draw(key, 33, stream=2).equal(row)


def test_a_place_draws_the_same_whatever_the_size_of_the_map():
    assert draw(7, 1000)[:10].equal(draw(7, 10))


# Fork ------------------------------------------------------------------------------------------------------------


def test_fork_gives_other_keys():
    keys = torch.tensor([key for key in KEYS if key])
    forks = [keys, *(noise.fork(keys, stream) for stream in range(6))]
    assert all(fork.dtype == torch.int64 and fork.shape == keys.shape for fork in forks)
    assert torch.cat(forks).unique().numel() == 7 * len(keys)


@pytest.mark.parametrize("step", [1, 2**32, 0x9E3779B97F4A7C15])
def test_different_keys_fork_to_different_keys(step):
    assert noise.fork(torch.arange(10_000) * step, 1).unique().numel() == 10_000


def test_fork_is_unrelated_to_its_key_and_to_other_forks():
    key = torch.tensor([12345])
    sequences = [noise.uniform(k, COUNT, 0)[0] for k in (key, *(noise.fork(key, s) for s in range(4)))]
    assert all(unrelated(a, b) for i, a in enumerate(sequences) for b in sequences[:i])


@pytest.mark.parametrize("stream", range(5))
def test_each_place_is_uniform_over_forks_of_small_keys(stream):
    u = noise.uniform(noise.fork(torch.arange(4000), stream), 12, 0).double()
    assert (u.mean(0) - 1 / 2).abs().max() < 5 * sqrt(1 / (12 * 4000))
    assert all(unrelated(a, b) for a, b in pairwise(u.T))
