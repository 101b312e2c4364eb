"""What every attention module keeps, found by listing conf/attention: adding a variant adds its tests."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from src.networks.attention.base import Attention
from src.networks.attention.none import NoAttention

FOLDER = Path(__file__).parents[3] / "conf" / "attention"
VARIANTS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
TAPS = (3, 128, 256, 256, 256)  # channels of pixels, down1, down2, block1, block5 at width 64

each_variant = pytest.mark.parametrize("variant", VARIANTS)
each_width = pytest.mark.parametrize("channels", [3, 64])


def build(variant: str, channels: int) -> Attention:
    torch.manual_seed(0)
    module = instantiate(OmegaConf.load(FOLDER / f"{variant}.yaml").module)(channels)
    with torch.no_grad():
        for parameter in module.parameters():  # a gamma of zero would hide half of the module
            parameter.add_(0.1)
    return module


def features(channels: int, shape: tuple[int, int] = (9, 6), dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(3, channels, *shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def keys() -> Tensor:
    return torch.tensor([5, -7, 2**40])


def places(count: int, patches: int = 10) -> Tensor:
    draws = torch.Generator().manual_seed(2)
    return torch.stack([torch.randperm(count, generator=draws)[:patches] for _ in range(3)])


def test_the_folder_holds_the_papers_four_and_the_two_controls():
    assert {"none", "triplet", "external", "self", "bam", "entropy"} <= set(VARIANTS)


@each_variant
@each_width
@pytest.mark.parametrize("shape", [(8, 8), (9, 6), (5, 13)])
def test_score_is_one_finite_number_a_place(variant, channels, shape):
    score = build(variant, channels).score(features(channels, shape), keys())
    assert score.shape == (3, shape[0] * shape[1])
    assert score.isfinite().all()
    assert all(image.unique().numel() > 1 for image in score)


@each_variant
@each_width
def test_score_carries_no_graph(variant, channels):
    x = features(channels).requires_grad_()
    score = build(variant, channels).score(x, keys())
    assert not score.requires_grad
    assert score.grad_fn is None


@each_variant
@each_width
def test_both_from_one_pass_are_what_either_gives_alone(variant, channels):
    module, x, chosen = build(variant, channels), features(channels), places(54)
    with torch.no_grad():
        score, attend = module.score_then_attend(x, keys())
        assert score.equal(module.score(x, keys()))
        assert attend(chosen).equal(module.attend(x, chosen))


@each_variant
@each_width
@pytest.mark.parametrize("shape", [(8, 8), (9, 6), (5, 13)])
def test_attend_gives_the_taps_channels_at_every_chosen_place(variant, channels, shape):
    attended = build(variant, channels).attend(features(channels, shape), places(shape[0] * shape[1]))
    assert attended.shape == (3, 10, channels)
    assert attended.isfinite().all()


@each_variant
@each_width
def test_attend_carries_a_graph_to_the_features(variant, channels):
    x = features(channels).requires_grad_()
    build(variant, channels).attend(x, places(54)).square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(image.abs().max() > 0 for image in x.grad)


@each_variant
@each_width
def test_every_parameter_is_part_of_the_graph(variant, channels):
    module, x = build(variant, channels), features(channels).requires_grad_()
    module.attend(x, places(54)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@each_variant
@each_width
def test_the_order_of_places_only_orders_the_result(variant, channels):
    module, x, chosen = build(variant, channels), features(channels), places(54)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    # a matrix product may round its rows differently by position: a few units in the last place
    torch.testing.assert_close(
        module.attend(x, chosen[:, order]), module.attend(x, chosen)[:, order], atol=1e-5, rtol=1e-5
    )


@each_variant
def test_a_place_is_attended_the_same_whatever_else_was_chosen(variant):
    module, x, chosen = build(variant, 64), features(64), places(54)
    torch.testing.assert_close(module.attend(x, chosen[:, :3]), module.attend(x, chosen)[:, :3], atol=1e-5, rtol=1e-5)


@each_variant
@each_width
def test_images_of_a_batch_do_not_influence_each_other(variant, channels):
    module, x, chosen = build(variant, channels).double(), features(channels, dtype=torch.float64), places(54)
    x = x * torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)[:, None, None, None]
    together, attended = module.score(x, keys()), module.attend(x, chosen)
    for b in range(3):
        one = slice(b, b + 1)
        torch.testing.assert_close(module.score(x[one], keys()[one]), together[one], atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(module.attend(x[one], chosen[one]), attended[one], atol=1e-12, rtol=1e-12)


@each_variant
@each_width
def test_double_precision_agrees_with_single(variant, channels):
    module, x, chosen = build(variant, channels), features(channels, dtype=torch.float64), places(54)
    score, attended = module.score(x.float(), keys()), module.attend(x.float(), chosen)
    module.double()
    assert module.attend(x, chosen).dtype == torch.float64
    # float32 has 7 digits; logits divided by a temperature of 0.07 lose one or two
    torch.testing.assert_close(module.score(x, keys()).float(), score, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(module.attend(x, chosen).float(), attended, atol=1e-4, rtol=1e-4)


@each_variant
def test_features_are_not_written_to(variant):
    module, x = build(variant, 64), features(64)
    before = x.clone()
    module.score(x, keys())
    module.attend(x, places(54))
    assert x.equal(before)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "none"])
def test_only_a_random_score_depends_on_the_key(variant):
    module, x = build(variant, 64), features(64)
    assert module.score(x, keys()).equal(module.score(x, keys() + 1))


def test_no_attention_scores_by_the_key_and_not_by_the_features():
    module = NoAttention(4)
    x, other = features(4), features(4) * 7 + 1
    assert module.score(x, keys()).equal(module.score(other, keys()))
    assert not module.score(x, keys()).equal(module.score(x, keys() + 1))
    same = module.score(x, torch.tensor([5, 5, 6]))
    assert same[0].equal(same[1])
    assert not same[0].equal(same[2])


def test_no_attention_returns_the_features_themselves():
    x = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).float()
    attended = NoAttention(3).attend(x, torch.tensor([[0, 19, 7], [4, 4, 15]]))
    expected = [
        [x[0, :, 0, 0], x[0, :, 3, 4], x[0, :, 1, 2]],
        [x[1, :, 0, 4], x[1, :, 0, 4], x[1, :, 3, 0]],
    ]
    assert attended.equal(torch.stack([torch.stack(image) for image in expected]))


def test_top_n_of_no_attention_is_a_uniform_draw_without_replacement():
    draws, count, patches = 5000, 16, 4
    key = torch.randint(-(2**62), 2**62, (draws,), generator=torch.Generator().manual_seed(0))
    score = NoAttention(1).score(torch.zeros(draws, 1, 4, 4), key)
    chosen = torch.zeros(draws, count).scatter_(1, score.topk(patches).indices, 1.0)
    assert (chosen.sum(1) == patches).all()
    # a frequency f over n independent draws deviates by sqrt(f (1 - f) / n); five deviations: odds of 1e-6 each
    single = patches / count
    assert (chosen.mean(0) - single).abs().max() < 5 * (single * (1 - single) / draws) ** 0.5
    pair = patches * (patches - 1) / (count * (count - 1))
    together = chosen.T @ chosen / draws
    together.fill_diagonal_(pair)
    assert (together - pair).abs().max() < 5 * (pair * (1 - pair) / draws) ** 0.5


# Parameter counts ------------------------------------------------------------------------------------------------


def parameters(variant: str, channels: int) -> int:
    return sum(p.numel() for p in build(variant, channels).parameters())


@pytest.mark.parametrize("variant", ["none", "entropy"])
@pytest.mark.parametrize("channels", TAPS)
def test_the_controls_have_no_parameters(variant, channels):
    assert parameters(variant, channels) == 0


@pytest.mark.parametrize("channels", TAPS)
def test_triplet_has_300_parameters_whatever_the_tap(channels):
    assert parameters("triplet", channels) == 3 * (2 * 7 * 7 + 2) == 300


def test_triplet_has_1500_parameters_over_five_taps():
    assert sum(parameters("triplet", c) for c in TAPS) == 1500


@pytest.mark.parametrize("channels", TAPS)
def test_external_has_two_memories_of_64_slots_and_a_weight(channels):
    assert parameters("external", channels) == 2 * channels * 64 + 1


def test_external_has_115077_parameters_over_five_taps():
    assert sum(parameters("external", c) for c in TAPS) == 115_077


def test_self_has_the_published_parameters_less_the_bias_of_its_keys():
    inner = [max(1, c // 8) for c in TAPS]
    # f and g: C -> C/8, h: C -> C, each with biases, and gamma
    published = [2 * (c * i + i) + c * c + c + 1 for c, i in zip(TAPS, inner, strict=True)]
    assert sum(published) == 267_385
    assert sum(parameters("self", c) for c in TAPS) == 267_385 - sum(inner)


def test_bam_has_the_published_parameters_less_one_norm_and_three_biases():
    inner = [max(1, c // 16) for c in TAPS]
    published = []
    for c, i in zip(TAPS, inner, strict=True):
        channel = (c * i + i) + 2 * i + (i * c + c)
        spatial = (c * i + i) + 2 * (9 * i * i + i) + 3 * 2 * i + (i + 1)
        published.append(channel + spatial)
    assert sum(published) == 56_584
    norm_of_channel_gate, biases_before_norms = 2 * sum(inner), 3 * sum(inner)
    assert sum(parameters("bam", c) for c in TAPS) == 56_584 - norm_of_channel_gate - biases_before_norms
