"""G: its size, its five taps and what each of them sees."""

from pathlib import Path

import pytest
import torch
from torch import nn

from src.networks.generator import TAPS, Blur, Generator

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_has_the_papers_parameters_at_width_64():
    assert parameters(Generator(width=64, blur=True, init="xavier", gain=0.02)) == 11_378_179


def test_blur_pooling_costs_no_parameter():
    assert parameters(Generator(width=64, blur=False, init="xavier", gain=0.02)) == 11_378_179


def test_a_residual_block_is_two_convolutions():
    wide = [parameters(Generator(width=4, blur=True, init="xavier", gain=0.02, blocks=blocks)) for blocks in (5, 6, 9)]
    block = 2 * (16 * 16 * 9 + 16)
    assert [more - wide[0] for more in wide] == [0, block, 4 * block]


def without_norms(module: nn.Module) -> nn.Module:
    """Norms see the whole image; receptive fields are those of the convolutions."""
    for name, child in module.named_children():
        if isinstance(child, nn.InstanceNorm2d):
            setattr(module, name, nn.Identity())
        elif isinstance(child, nn.ReLU):
            setattr(module, name, nn.Identity())  # a dead unit would hide a path
        else:
            without_norms(child)
    return module


@pytest.mark.parametrize(("tap", "expected"), list(zip(TAPS, (1, 9, 15, 35, 99), strict=True)))
def test_taps_see_the_papers_receptive_fields(tap: str, expected: int):
    torch.manual_seed(0)
    generator = without_norms(Generator(width=2, blur=True, init="xavier", gain=1.0)).double()
    image = torch.randn(1, 3, 160, 160, dtype=torch.float64, requires_grad=True)
    feature = generator.encoder(image)[tap]
    feature[0, :, feature.shape[2] // 2, feature.shape[3] // 2].sum().backward()
    assert image.grad is not None
    rows = image.grad.abs().sum((0, 1, 3)).nonzero()
    columns = image.grad.abs().sum((0, 1, 2)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == expected
    assert int(columns.max() - columns.min()) + 1 == expected


def test_taps_have_the_stated_channels_and_sizes():
    generator = Generator(width=4, blur=True, init="xavier", gain=0.02)
    taps = generator.encoder(torch.randn(2, 3, 32, 48))
    assert list(taps) == list(TAPS) == list(generator.channels)
    sizes = {"pixels": (38, 54), "down1": (32, 48), "down2": (16, 24), "block1": (8, 12), "block5": (8, 12)}
    for tap, feature in taps.items():
        assert feature.shape == (2, generator.channels[tap], *sizes[tap])


@pytest.mark.parametrize("shape", [(8, 8), (12, 40), (36, 20), (64, 64), (100, 8)])
@pytest.mark.parametrize("blur", [True, False, "down", "up"])
def test_takes_any_multiple_of_four(shape: tuple[int, int], blur: Blur):
    output = Generator(width=2, blur=blur, init="xavier", gain=0.02)(torch.randn(1, 3, *shape))
    assert output.shape == (1, 3, *shape)
    assert float(output.detach().abs().max()) <= 1


@pytest.mark.parametrize("shape", [(30, 32), (32, 33), (4, 32)])
def test_refuses_other_sizes_by_name(shape: tuple[int, int]):
    with pytest.raises(ValueError, match=f"multiples of 4 from 8 up, got {shape[0]}x{shape[1]}"):
        Generator(width=2, blur=True, init="xavier", gain=0.02)(torch.randn(1, 3, *shape))


def test_images_of_a_batch_do_not_influence_each_other():
    generator = Generator(width=4, blur=True, init="xavier", gain=0.02).double()
    images = torch.randn(3, 3, 16, 20, dtype=torch.float64)
    apart = torch.cat([generator(image[None]) for image in images])
    torch.testing.assert_close(generator(images), apart, atol=1e-12, rtol=0)


def test_starts_with_xavier_weights_of_gain_002_and_zero_biases():
    generator = Generator(width=64, blur=True, init="xavier", gain=0.02)
    convolution = generator.encoder.down2
    fan_in, fan_out = 128 * 9, 256 * 9
    # 294,912 draws: the deviation of their deviation is 0.13 %
    assert float(convolution.weight.detach().std()) == pytest.approx(0.02 * (2 / (fan_in + fan_out)) ** 0.5, rel=0.01)
    assert convolution.bias is not None
    assert float(convolution.bias.detach().abs().max()) == 0


@pytest.mark.parametrize("blur", [True, False])
def test_recomputing_changes_no_bit_of_outputs_and_gradients(blur):
    image = torch.rand(2, 3, 16, 20) * 2 - 1
    results = []
    for recompute in (False, True):
        torch.manual_seed(0)
        generator = Generator(width=4, blur=blur, init="xavier", gain=0.5, recompute=recompute)
        features = generator.encoder(image)
        output = generator.decoder(features["block5"], image)
        again = generator.encoder(output)  # as PatchNCE reads it
        terms = [output.square().mean(), *(x.abs().mean() for x in (*features.values(), *again.values()))]
        torch.stack(terms).sum().backward()
        results.append([output, *(parameter.grad for parameter in generator.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_recomputing_keeps_about_half_for_the_backward_pass(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from growth import Live

    kept = []
    for recompute in (False, True):
        generator = Generator(width=8, blur=True, init="xavier", gain=0.02, recompute=recompute)
        with Live() as live:
            output = generator(torch.rand(1, 3, 64, 64))
        kept.append(live.now)
        assert output.requires_grad
    assert kept[1] < 0.55 * kept[0]
