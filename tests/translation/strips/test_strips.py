"""G in strips of rows against G on the whole image."""

import pytest
import torch
from torch import Tensor, nn

from src.networks.colour import Colours
from src.networks.generator import Blur, Generator, Output
from src.translation.strips import strips
from src.translation.strips.strips import translate_in_strips, whole_bytes, working_bytes


def generator(width: int, blur: Blur = True, blocks: int = 9, output: Output = "plain") -> Generator:
    torch.manual_seed(0)
    own = {"output": output, "align": output == "residual"}
    network = Generator(width=width, blur=blur, init="xavier", gain=0.02, blocks=blocks, **own)  # type: ignore[arg-type]
    network.eval().requires_grad_(False)
    network.fit_colours(
        *(Colours(torch.full((3,), mean).double(), (0.5 + mean) ** 2 * torch.eye(3).double()) for mean in (0.0, 0.2))
    )
    for parameter in network.parameters():
        # beyond the near-grey output of fresh weights, and with biases
        nn.init.normal_(parameter, std=0.1 if width < 64 else 0.03)
    return network


def image(height: int, width: int) -> Tensor:
    coarse = torch.rand(1, 3, max(height // 8, 2), max(width // 8, 2), generator=torch.Generator().manual_seed(1))
    smooth = nn.functional.interpolate(coarse * 2 - 1, (height, width), mode="bicubic").clamp(-1, 1)
    smooth[:, :, : height // 3] *= 0.2  # a sky: strips differ in what they contain
    return smooth


@pytest.fixture
def thin_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many strips on a small image."""
    strips_of = strips._Strips.strips

    def thin(self: strips._Strips, source: strips.Map):
        self.strip = 1
        return strips_of(self, source)

    monkeypatch.setattr(strips._Strips, "strips", thin)


@pytest.mark.usefixtures("thin_strips")
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("blur", [True, False])
@pytest.mark.parametrize("output", ["plain", "residual"])
@pytest.mark.parametrize("shape", [(8, 8), (12, 20), (100, 64), (52, 116)])
def test_the_whole_images_output(keep: bool, blur: bool, output: Output, shape: tuple[int, int]):
    network, x = generator(4, blur, output=output), image(*shape)
    exact = network.double()(x.double()).float()
    # both round in single precision; a grey level is 2 / 255
    torch.testing.assert_close(translate_in_strips(network.float(), x, keep=keep), exact, atol=1e-4, rtol=0)


@pytest.mark.usefixtures("thin_strips")
@pytest.mark.parametrize(("blur", "blocks"), [("down", 6), ("up", 5), (True, 11)])
def test_the_whole_images_output_of_other_architectures(blur: Blur, blocks: int):
    network, x = generator(4, blur, blocks), image(52, 116)
    exact = network.double()(x.double()).float()
    torch.testing.assert_close(translate_in_strips(network.float(), x, keep=True), exact, atol=1e-4, rtol=0)


@pytest.mark.usefixtures("thin_strips")
@pytest.mark.parametrize("keep", [True, False])
def test_the_whole_images_output_where_winograd_is_at_work(keep: bool):
    network, x = generator(64), image(68, 48)
    exact = network.double()(x.double()).float()
    torch.testing.assert_close(translate_in_strips(network.float(), x, keep=keep), exact, atol=2e-4, rtol=0)


@pytest.mark.usefixtures("thin_strips")
def test_statistics_of_each_strip_alone_would_not_do():
    """The reference for tiles that forget the whole: far more than the tolerance away."""
    network, x = generator(4), image(96, 64)
    halves = torch.cat([network(half) for half in x.split(48, dim=2)], dim=2)
    whole = network(x)
    assert float((halves - whole).abs().max()) > 10 * 2 / 255
    assert float((translate_in_strips(network, x, keep=False) - whole).abs().max()) < 0.1 * 2 / 255


def test_means_far_from_zero_do_not_drown_the_variance():
    network, x = generator(4), image(64, 64)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.bias.fill_(20.0)  # a norm takes it out again; some 20 deviations here
    exact = network.double()(x.double()).float()
    close = 0.1 * 2 / 255
    torch.testing.assert_close(translate_in_strips(network.float(), x, keep=True), exact, atol=close, rtol=0)


def test_a_flat_image_stays_finite():
    """Nothing more can be asked: G turns rounding errors of a flat image into contrast, in any precision."""
    assert translate_in_strips(generator(4), torch.full((1, 3, 32, 32), 0.5), keep=True).isfinite().all()


def test_less_is_needed_the_more_is_computed_again():
    network = generator(16)
    size = (1052, 1916)
    needed = [
        working_bytes(network, *size, keep=False),
        working_bytes(network, *size, keep=True),
        whole_bytes(network, *size),
    ]
    assert needed == sorted(needed)
