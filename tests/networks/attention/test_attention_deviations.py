"""Where the attention modules leave their publications on purpose: each departure, shown to be one."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from src.networks.attention.bam import BottleneckAttention
from src.networks.attention.entropy import EntropyAttention
from src.networks.attention.self import SelfAttention
from src.networks.attention.triplet import TripletAttention

KEY = torch.zeros(1, dtype=torch.int64)


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def triplet(channels: int) -> TripletAttention:
    return TripletAttention(channels, kernel_size=7).double()


def bam(channels: int) -> BottleneckAttention:
    return BottleneckAttention(channels, reduction=16, dilation=4).double()


@pytest.mark.parametrize("build", [triplet, bam])
def test_norms_are_taken_an_image_at_a_time(build):
    # an image with ten times the contrast would shift BatchNorm's statistics for its neighbour
    x = features(2, 32, 7, 9) * torch.tensor([1.0, 10.0], dtype=torch.float64)[:, None, None, None]
    places = torch.tensor([[0, 5, 62], [1, 30, 17]])
    torch.manual_seed(0)
    module = build(32)
    alone = [module.attend(x[b : b + 1], places[b : b + 1]) for b in range(2)]
    torch.testing.assert_close(module.attend(x, places), torch.cat(alone), atol=1e-12, rtol=0)  # rounding alone
    scores = [module.score(x[b : b + 1], KEY) for b in range(2)]
    torch.testing.assert_close(module.score(x, KEY.expand(2)), torch.cat(scores), atol=1e-12, rtol=0)


def test_batch_norm_would_let_images_influence_each_other():
    x = features(2, 1, 7, 9) * torch.tensor([1.0, 10.0], dtype=torch.float64)[:, None, None, None]
    together, alone = F.batch_norm(x, None, None, training=True)[:1], F.batch_norm(x[:1], None, None, training=True)
    assert (together - alone).abs().max() > 0.1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("build", [triplet, bam])
def test_training_and_evaluation_mode_agree(build, training):
    # no running statistics: BatchNorm's two modes would differ
    torch.manual_seed(0)
    module, x = build(32), features(1, 32, 6, 6)
    expected = module.score(x, KEY)
    module.train(training)
    assert module.score(x, KEY).equal(expected)
    assert not list(module.buffers())


def test_bam_reduces_three_channels_to_one():
    module = BottleneckAttention(3, reduction=16, dilation=4)
    assert module.channel[0].out_features == 1
    assert [layer.out_channels for layer in module.spatial if isinstance(layer, nn.Conv2d)] == [1, 1, 1, 1]


def test_self_reduces_three_channels_to_one():
    module = SelfAttention(3, reduction=8, max_tokens=16, significance="entropy")
    assert module.query.out_features == module.key.out_features == 1
    assert module.value.out_features == 3


def test_bam_adds_its_gates_where_a_product_would_reverse_the_order():
    torch.manual_seed(0)
    x, module = features(1, 16, 6, 8), bam(16)
    nn.init.zeros_(module.channel[2].weight)
    nn.init.constant_(module.channel[2].bias, -1.0)
    # every M_c is -1, so the sum keeps the order of M_s and the product turns it round
    spatial = module.spatial(x).flatten(1).detach()
    product = torch.sigmoid(-spatial)
    assert spatial.unique().numel() > 10
    order = spatial[0].argsort(stable=True)
    score = module.score(x, KEY)[0]
    assert (score[order].diff() >= 0).all()
    assert (product[0, order].diff() <= 0).all()
    torch.testing.assert_close(score, torch.sigmoid(spatial[0] - 1), atol=1e-12, rtol=0)


@pytest.mark.parametrize("significance", ["entropy", "received"])
@pytest.mark.parametrize("shape", [(7, 9), (11, 13), (17, 5), (31, 33), (64, 40)])
@pytest.mark.parametrize("cap", [4, 10, 16])
def test_self_attends_to_no_more_tokens_than_its_cap(shape, cap, significance):
    module = SelfAttention(4, reduction=2, max_tokens=cap, significance=significance).double()
    x = features(1, 4, *shape)
    tokens = module.tokens(x)
    assert tokens.shape[2] * tokens.shape[3] <= cap
    assert module.score(x, KEY).shape == (1, shape[0] * shape[1])


@pytest.mark.parametrize("cap", [63, 64, 1024])
def test_self_is_exact_up_to_its_cap(cap):
    module = SelfAttention(4, reduction=2, max_tokens=cap, significance="entropy")
    x = torch.randn(1, 4, 7, 9)
    assert module.tokens(x).equal(x)


@pytest.mark.parametrize("significance", ["entropy", "received"])
def test_self_scores_an_image_alike_at_any_contrast(significance):
    # SAGAN's logits grow with the square of the features: flat at 0.02, saturated at 50
    torch.manual_seed(0)
    module = SelfAttention(8, reduction=2, max_tokens=16, significance=significance).double()
    x = features(1, 8, 6, 7)
    for contrast in (0.02, 50.0):
        torch.testing.assert_close(module.score(contrast * x, KEY), module.score(x, KEY), atol=1e-10, rtol=0)


def test_self_attention_scales_with_its_features():
    torch.manual_seed(0)
    module = SelfAttention(8, reduction=2, max_tokens=16, significance="entropy").double()
    nn.init.constant_(module.gamma, 0.7)
    x, places = features(1, 8, 6, 7), torch.tensor([[0, 41, 17]])
    for contrast in (0.02, 50.0):
        expected = contrast * module.attend(x, places)
        torch.testing.assert_close(module.attend(contrast * x, places), expected, atol=1e-10, rtol=1e-10)


def test_self_takes_the_scale_of_each_image_by_itself():
    torch.manual_seed(0)
    module = SelfAttention(8, reduction=2, max_tokens=16, significance="entropy").double()
    x = features(1, 8, 6, 7)
    score = module.score(torch.cat([x, 50 * x]), KEY.expand(2))
    torch.testing.assert_close(score[0], score[1], atol=1e-10, rtol=0)


def test_self_attention_of_an_empty_map_is_finite():
    module = SelfAttention(8, reduction=2, max_tokens=16, significance="entropy")
    x = torch.zeros(1, 8, 6, 7, requires_grad=True)
    attended = module.attend(x, torch.tensor([[0, 41]]))
    attended.sum().backward()
    assert attended.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert module.score(x, KEY).isfinite().all()


def test_a_flat_map_has_the_entropy_of_its_tokens_and_not_of_its_places():
    # equal keys share the attention equally, whatever the weights: -ln 16 for 8 x 8 places pooled to 4 x 4
    module = SelfAttention(4, reduction=2, max_tokens=16, significance="entropy").double()
    score = module.score(torch.ones(1, 4, 8, 8, dtype=torch.float64), KEY)
    np.testing.assert_allclose(score.numpy(), -np.log(16), atol=1e-12)


def test_entropy_keeps_its_order_where_raw_products_saturate():
    x = features(1, 16, 6, 7) * 100
    x_PC = x.flatten(2).mT
    raw = (x_PC @ x_PC.mT).softmax(-1)
    assert raw.amax(-1).min() > 1 - 1e-12  # every place attends to one place alone
    score = EntropyAttention(16, temperature=0.07).score(x, KEY)
    assert score.unique().numel() == 42
    assert score.max() < -1e-3


def test_entropy_ignores_the_length_of_features():
    x, module = features(1, 16, 6, 7), EntropyAttention(16, temperature=0.07)
    length = torch.rand(1, 1, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 1e6 + 1
    torch.testing.assert_close(module.score(x * length, KEY), module.score(x, KEY), atol=1e-9, rtol=0)


def test_entropy_of_a_zero_feature_is_that_of_a_flat_row():
    x = features(1, 4, 3, 3)
    x[:, :, 1, 1] = 0
    score = EntropyAttention(4, temperature=0.07).score(x, KEY)
    assert float(score[0, 4]) == pytest.approx(-np.log(9), abs=1e-12)


@pytest.mark.parametrize(("height", "width", "cap"), [(1, 100, 4), (8, 64, 4), (4, 2048, 64), (64, 64, 1), (300, 2, 9)])
def test_self_never_builds_more_tokens_than_its_cap(height: int, width: int, cap: int):
    module = SelfAttention(3, reduction=8, max_tokens=cap, significance="entropy")
    tokens = module.tokens(torch.rand(1, 3, height, width))
    assert 1 <= tokens.shape[2] * tokens.shape[3] <= cap
