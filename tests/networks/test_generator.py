"""G: its size, its five taps and what each of them sees."""

import pytest
import torch
from torch import nn

from src.networks.generator import TAPS, Generator


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_has_the_papers_parameters_at_width_64():
    assert parameters(Generator(width=64, blur=True, init="xavier", gain=0.02)) == 11_378_179


def test_blur_pooling_costs_no_parameter():
    assert parameters(Generator(width=64, blur=False, init="xavier", gain=0.02)) == 11_378_179


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
@pytest.mark.parametrize("blur", [True, False])
def test_takes_any_multiple_of_four(shape: tuple[int, int], blur: bool):
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
