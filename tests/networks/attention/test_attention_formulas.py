"""Every attention module against its publication's formula, written out naively in float64.

Tolerance 1e-9 throughout: both sides are float64, sums have at most a few thousand terms of order one.
"""

from collections.abc import Sequence
from itertools import product
from math import floor

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.networks.attention.bam import BottleneckAttention
from src.networks.attention.base import Attention
from src.networks.attention.entropy import EntropyAttention
from src.networks.attention.external import ExternalAttention
from src.networks.attention.self import SelfAttention
from src.networks.attention.triplet import PlaneGate, TripletAttention, z_pools

KEY = torch.zeros(1, dtype=torch.int64)
SHAPES = [(8, 5, 7), (16, 6, 6), (3, 9, 4)]


def close(actual: Tensor, expected: np.ndarray | Tensor):
    expected = expected.detach().numpy() if isinstance(expected, Tensor) else expected
    np.testing.assert_allclose(actual.detach().numpy(), expected, atol=1e-9, rtol=0)


def features(shape: tuple[int, int, int]) -> Tensor:
    """Of unit root mean square: the scale at which self-attention is SAGAN's to the letter."""
    x = torch.randn(1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return x / x.square().mean().sqrt()


def randomised(module: Attention) -> Attention:
    """Every weight drawn anew, norms and gammas included, so that no initial zero or one hides a mistake."""
    draws = torch.Generator().manual_seed(2)
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5, generator=draws)
    return module


def some_places(x: Tensor) -> Tensor:
    """Half of the places, the corners among them, in no order."""
    count = x[0, 0].numel()
    order = torch.randperm(count, generator=torch.Generator().manual_seed(3))
    corners = torch.tensor([0, x.shape[-1] - 1, count - x.shape[-1], count - 1])
    return torch.cat([order[: count // 2], corners])[None]


def read(full_CHW: np.ndarray, places: Tensor) -> np.ndarray:
    """The full-size result at the places: [1, N, C]."""
    width = full_CHW.shape[2]
    return np.stack([full_CHW[:, p // width, p % width] for p in places[0].tolist()])[None]


def convolve(x_CHW: np.ndarray, conv: nn.Conv2d) -> np.ndarray:
    """Cross-correlation with zero borders that keeps the size, one output value at a time."""
    weight = conv.weight.detach().numpy()
    bias = np.zeros(len(weight)) if conv.bias is None else conv.bias.detach().numpy()
    (size, _), (dilation, _) = conv.kernel_size, conv.dilation
    border = dilation * (size // 2)
    padded = np.pad(x_CHW, ((0, 0), (border, border), (border, border)))
    span = dilation * (size - 1) + 1
    out = np.empty((len(weight), *x_CHW.shape[1:]))
    for o, row, column in np.ndindex(*out.shape):
        window = padded[:, row : row + span : dilation, column : column + span : dilation]
        out[o, row, column] = (window * weight[o]).sum() + bias[o]
    return out


def batch_norm(x_CHW: np.ndarray, affine: nn.GroupNorm) -> np.ndarray:
    """BatchNorm in training mode on a batch of one image, with the given scale and shift."""
    x = torch.from_numpy(x_CHW)[None]
    norm = F.batch_norm(x, None, None, affine.weight.detach(), affine.bias.detach(), training=True, eps=affine.eps)
    return norm[0].numpy()


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def dense(layer: nn.Linear, x_CP: np.ndarray) -> np.ndarray:
    """A 1x1 convolution: [C, P] -> [D, P]."""
    bias = 0 if layer.bias is None else layer.bias.detach().numpy()[:, None]
    return layer.weight.detach().numpy() @ x_CP + bias


# Triplet ---------------------------------------------------------------------------------------------------------


def plane_gate(x_ZAB: np.ndarray, gate: nn.Module) -> np.ndarray:
    """sigmoid(BN(conv([max_z, mean_z]))) on the plane (A, B)."""
    pooled = np.stack([x_ZAB.max(0), x_ZAB.mean(0)])
    return sigmoid(batch_norm(convolve(pooled, gate.conv), gate.norm))[0]


def triplet_gates(x: np.ndarray, module: TripletAttention) -> list[np.ndarray]:
    """The three gates at full size [C, H, W], by permuting there and back as the publication does."""
    full = []
    for axes, gate in (((0, 1, 2), module.places), ((1, 0, 2), module.columns), ((2, 1, 0), module.rows)):
        turned = x.transpose(axes)
        repeated = np.broadcast_to(plane_gate(turned, gate), turned.shape)
        full.append(repeated.transpose(axes))  # each of the three permutations is its own inverse
    return full


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kernel_size", [3, 7])
def test_triplet_attends_as_the_publication(shape, kernel_size):
    x, module = features(shape), randomised(TripletAttention(shape[0], kernel_size=kernel_size))
    image = x[0].numpy()
    first, second, third = triplet_gates(image, module)
    expected = (image * first + image * second + image * third) / 3
    places = some_places(x)
    close(module.attend(x, places), read(expected, places))


@pytest.mark.parametrize("shape", [(5, 9), (16, 3), (1, 1)])
@pytest.mark.parametrize("kernel_size", [1, 3, 7])
def test_a_gates_convolution_has_the_value_and_gradients_of_the_librarys(shape, kernel_size):
    gate = PlaneGate(kernel_size).double()
    x = torch.randn(2, 2, *shape, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 1, *shape, dtype=torch.float64)
    results = []
    for convolved in (gate._convolved(x), gate.conv(x)):
        results.append((convolved, *torch.autograd.grad((convolved * weights).sum(), (x, gate.conv.weight))))
    torch.testing.assert_close(*results, rtol=0, atol=1e-12)  # sums of up to 98 numbers, in another order


def test_the_three_pools_of_triplet_have_the_gradient_of_six_reductions():
    x = torch.randn(2, 5, 4, 7, dtype=torch.float64, requires_grad=True)
    weights = [torch.randn(2, 2, *(n for axis, n in enumerate((5, 4, 7)) if axis != out)) for out in range(3)]

    def gradient(pools: Sequence[torch.Tensor]) -> torch.Tensor:
        total = torch.stack([(pool * weight).sum() for pool, weight in zip(pools, weights, strict=True)]).sum()
        return torch.autograd.grad(total, x)[0]

    plain = [torch.stack([x.amax(axis), x.mean(axis)], 1) for axis in (1, 2, 3)]
    pools = z_pools(x)
    assert all(torch.equal(one, other) for one, other in zip(pools, plain, strict=True))
    with torch.no_grad():
        assert all(torch.equal(one, other) for one, other in zip(z_pools(x), plain, strict=True))
    torch.testing.assert_close(gradient(pools), gradient(plain), rtol=0, atol=1e-14)
    assert torch.autograd.gradcheck(z_pools, (x,))


@pytest.mark.parametrize("shape", SHAPES)
def test_triplet_scores_the_mean_of_its_three_gates(shape):
    x, module = features(shape), randomised(TripletAttention(shape[0], kernel_size=7))
    gates = triplet_gates(x[0].numpy(), module)
    expected = np.mean([gate.mean(0) for gate in gates], axis=0).reshape(1, -1)
    close(module.score(x, KEY), expected)


# External --------------------------------------------------------------------------------------------------------


def external_maps(x_CP: np.ndarray, module: ExternalAttention) -> tuple[np.ndarray, np.ndarray]:
    """Attention [S, P] after the softmax over places, and after the L1 norm over slots that follows it."""
    over_places = softmax(module.memory_key.detach().numpy() @ x_CP, axis=1)
    return over_places, over_places / over_places.sum(0, keepdims=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_external_attends_as_the_publication(shape):
    x, module = features(shape), randomised(ExternalAttention(shape[0], slots=10))
    x_CP = x[0].numpy().reshape(shape[0], -1)
    _, twice = external_maps(x_CP, module)
    expected = (x_CP + float(module.gamma.detach()) * module.memory_value.detach().numpy().T @ twice).reshape(shape)
    places = some_places(x)
    close(module.attend(x, places), read(expected, places))


@pytest.mark.parametrize("shape", SHAPES)
def test_external_scores_the_mass_before_the_second_norm(shape):
    x, module = features(shape), randomised(ExternalAttention(shape[0], slots=10))
    once, _ = external_maps(x[0].numpy().reshape(shape[0], -1), module)
    score = module.score(x, KEY)
    close(score, once.sum(0)[None])
    close(score.sum(), np.float64(10))


def test_external_attention_survives_places_that_receive_nothing():
    # exp(-2000) is 0 in float64: the division by the sum over slots would be 0 / 0
    module = ExternalAttention(2, slots=3).double()
    nn.init.constant_(module.memory_key, 1.0)
    nn.init.constant_(module.memory_value, 1.0)
    nn.init.ones_(module.gamma)
    module.memory_key.data *= 1000
    x = torch.tensor([[[[1.0, -1.0]], [[1.0, -1.0]]]], dtype=torch.float64)
    # equal slots share a place equally, so every row of A is 1/3, 1/3, 1/3 and adds the value's 1
    expected = x[0].flatten(1).T[None] + 1
    close(module.attend(x, torch.tensor([[0, 1]])), expected)


def test_external_attention_works_alike_at_every_scale():
    """Taps before a norm start near 0.02, where the memories would see nothing and drown what they are added to."""
    module = randomised(ExternalAttention(8, slots=10))
    x = features((8, 5, 7))
    places = some_places(x)
    close(module.attend(x * 1e-3, places) * 1e3, module.attend(x, places))
    close(module.score(x * 1e-3, KEY), module.score(x, KEY))


def test_external_attention_starts_as_the_features_themselves():
    x = features((8, 5, 7)) * 0.02
    places = some_places(x)
    fresh = ExternalAttention(8, slots=64).double().attend(x, places)
    close(fresh, read(x[0].numpy(), places))


# Self ------------------------------------------------------------------------------------------------------------


def pooled(x_CHW: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Average over the cells of a grid; a cell reaches from the floor of its start to the ceiling of its end."""
    (height, width), (rows, columns) = x_CHW.shape[1:], grid
    out = np.empty((len(x_CHW), rows, columns))
    for r, c in product(range(rows), range(columns)):
        top, bottom = r * height // rows, -(-(r + 1) * height // rows)
        left, right = c * width // columns, -(-(c + 1) * width // columns)
        out[:, r, c] = x_CHW[:, top:bottom, left:right].mean((1, 2))
    return out


def enlarged(map_hw: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bilinear interpolation between cell centres, constant beyond the outermost."""
    out = np.empty(shape)

    def neighbours(index: int, size: int, cells: int) -> tuple[int, int, float]:
        position = min(max((index + 0.5) * cells / size - 0.5, 0), cells - 1)
        low = floor(position)
        return low, min(low + 1, cells - 1), position - low

    for row, column in np.ndindex(*shape):
        r0, r1, v = neighbours(row, shape[0], map_hw.shape[0])
        c0, c1, u = neighbours(column, shape[1], map_hw.shape[1])
        top = (1 - u) * map_hw[r0, c0] + u * map_hw[r0, c1]
        bottom = (1 - u) * map_hw[r1, c0] + u * map_hw[r1, c1]
        out[row, column] = (1 - v) * top + v * bottom
    return out


def self_matrix(x_CHW: np.ndarray, tokens_Chw: np.ndarray, module: SelfAttention) -> np.ndarray:
    """softmax_i(f(x_i) . g(x_j)): one row a place j, one column a token i."""
    f = dense(module.key, tokens_Chw.reshape(len(tokens_Chw), -1))
    g = dense(module.query, x_CHW.reshape(len(x_CHW), -1))
    return softmax(g.T @ f, axis=1)


CASES = [  # shape, cap, grid of tokens
    ((8, 5, 7), 35, (5, 7)),
    ((3, 6, 4), 1000, (6, 4)),
    ((16, 8, 12), 24, (4, 6)),  # stride sqrt(96 / 24) = 2
    ((8, 7, 9), 16, (3, 4)),  # stride 2 = ceil(sqrt(63 / 16)); neither side divides
]


def self_attention(channels: int, cap: int, significance: str = "entropy") -> SelfAttention:
    return randomised(SelfAttention(channels, reduction=8, max_tokens=cap, significance=significance))


@pytest.mark.parametrize(("shape", "cap", "grid"), CASES)
def test_self_attends_as_sagan(shape, cap, grid):
    x, module = features(shape), self_attention(shape[0], cap)
    image = x[0].numpy()
    tokens = pooled(image, grid)
    o = dense(module.value, tokens.reshape(shape[0], -1)) @ self_matrix(image, tokens, module).T
    expected = module.gamma.item() * o.reshape(shape) + image
    places = some_places(x)
    close(module.attend(x, places), read(expected, places))


@pytest.mark.parametrize(("shape", "cap", "grid"), CASES)
def test_self_scores_negative_row_entropy(shape, cap, grid):
    x, module = features(shape), self_attention(shape[0], cap)
    matrix = self_matrix(x[0].numpy(), pooled(x[0].numpy(), grid), module)
    close(module.score(x, KEY), (matrix * np.log(matrix)).sum(1)[None])


@pytest.mark.parametrize(("shape", "cap", "grid"), CASES)
def test_self_scores_attention_received(shape, cap, grid):
    x, module = features(shape), self_attention(shape[0], cap, "received")
    columns = self_matrix(x[0].numpy(), pooled(x[0].numpy(), grid), module).sum(0).reshape(grid)
    close(module.score(x, KEY), enlarged(columns, shape[1:]).reshape(1, -1))


def test_a_bias_of_the_keys_would_change_nothing():
    x, module = features((8, 5, 7)), self_attention(8, 1000)
    biased = self_attention(8, 1000)
    biased.key.bias = nn.Parameter(torch.full((1,), 3.0, dtype=torch.float64))
    close(biased.score(x, KEY), module.score(x, KEY))
    close(biased.attend(x, some_places(x)), module.attend(x, some_places(x)).detach())


def test_self_attention_is_the_identity_until_gamma_moves():
    x, module = features((8, 5, 7)), SelfAttention(8, reduction=8, max_tokens=100, significance="entropy").double()
    places = some_places(x)
    close(module.attend(x, places), read(x[0].numpy(), places))


# BAM -------------------------------------------------------------------------------------------------------------


def bam_logits(x_CHW: np.ndarray, module: BottleneckAttention) -> tuple[np.ndarray, np.ndarray]:
    """M_c [C] and M_s [H, W]."""
    first, _, second = module.channel
    hidden = np.maximum(dense(first, x_CHW.mean((1, 2))[:, None]), 0)
    spatial = x_CHW
    *stages, last = module.spatial
    for conv, norm, _ in zip(stages[::3], stages[1::3], stages[2::3], strict=True):
        spatial = np.maximum(batch_norm(convolve(spatial, conv), norm), 0)
    return dense(second, hidden)[:, 0], convolve(spatial, last)[0]


BAM_SHAPES = [(16, 9, 11), (32, 6, 6), (3, 9, 4)]


@pytest.mark.parametrize("shape", BAM_SHAPES)
@pytest.mark.parametrize("dilation", [1, 4])
def test_bam_attends_as_the_publication(shape, dilation):
    x, module = features(shape), randomised(BottleneckAttention(shape[0], reduction=8, dilation=dilation))
    channel, spatial = bam_logits(x[0].numpy(), module)
    expected = x[0].numpy() * (1 + sigmoid(channel[:, None, None] + spatial))
    places = some_places(x)
    close(module.attend(x, places), read(expected, places))


@pytest.mark.parametrize("shape", BAM_SHAPES)
def test_bam_scores_its_gate_averaged_over_channels(shape):
    x, module = features(shape), randomised(BottleneckAttention(shape[0], reduction=8, dilation=4))
    channel, spatial = bam_logits(x[0].numpy(), module)
    close(module.score(x, KEY), sigmoid(channel[:, None, None] + spatial).mean(0).reshape(1, -1))


# Entropy ---------------------------------------------------------------------------------------------------------


def cosine_matrix(x_CP: np.ndarray, temperature: float) -> np.ndarray:
    """softmax_j(cos(x_i, x_j) / T), one place pair at a time."""
    places = x_CP.shape[1]
    logits = np.empty((places, places))
    for i, j in np.ndindex(places, places):
        a, b = x_CP[:, i], x_CP[:, j]
        logits[i, j] = (a @ b) / np.sqrt((a @ a) * (b @ b)) / temperature
    return softmax(logits, axis=1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_entropy_attends_to_all_places_by_cosine(shape, temperature):
    x, module = features(shape), EntropyAttention(shape[0], temperature=temperature)
    x_CP = x[0].numpy().reshape(shape[0], -1)
    expected = (x_CP @ cosine_matrix(x_CP, temperature).T).reshape(shape)
    places = some_places(x)
    close(module.attend(x, places), read(expected, places))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_entropy_scores_negative_row_entropy(shape, temperature):
    x, module = features(shape), EntropyAttention(shape[0], temperature=temperature)
    matrix = cosine_matrix(x[0].numpy().reshape(shape[0], -1), temperature)
    close(module.score(x, KEY), (matrix * np.log(matrix)).sum(1)[None])


# Arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TripletAttention(3, kernel_size=4), "kernel_size must be odd and >= 1, got 4"),
        (lambda: TripletAttention(3, kernel_size=-1), "kernel_size must be odd and >= 1, got -1"),
        (lambda: ExternalAttention(3, slots=0), "slots must be > 0, got 0"),
        (lambda: EntropyAttention(3, temperature=0.0), "temperature must be > 0, got 0.0"),
        (lambda: BottleneckAttention(3, reduction=0, dilation=4), "reduction must be > 0, got 0"),
        (lambda: BottleneckAttention(3, reduction=16, dilation=0), "dilation must be > 0, got 0"),
        (lambda: SelfAttention(3, reduction=0, max_tokens=4, significance="entropy"), "reduction must be > 0, got 0"),
        (lambda: SelfAttention(3, reduction=8, max_tokens=0, significance="entropy"), "max_tokens must be > 0, got 0"),
        (lambda: SelfAttention(3, reduction=8, max_tokens=4, significance="norm"), "significance must be .*'norm'"),
    ],
)
def test_a_wrong_argument_is_named_with_its_value(build, message):
    with pytest.raises(ValueError, match=message):
        build()
