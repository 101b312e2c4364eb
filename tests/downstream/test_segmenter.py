"""The segmenter's face: any size in, logits of that size out, one line for what is wrong."""

import pytest
import torch

from src.downstream.segmenter import Segmenter
from src.system.errors import UserError


@pytest.mark.parametrize("architecture", ["unet", "deeplabv3plus"])
@pytest.mark.parametrize("size", [(32, 64), (37, 50)])
def test_any_size_comes_back_at_that_size(architecture: str, size: tuple[int, int]):
    network = Segmenter(architecture, "tu-test_resnet", None, classes=5).eval()
    assert network(torch.rand(2, 3, *size) * 2 - 1).shape == (2, 5, *size)


def test_a_size_the_network_takes_is_not_padded():
    torch.manual_seed(0)
    network = Segmenter("unet", "tu-test_resnet", None, classes=5).eval()
    x = torch.rand(1, 3, 32, 64) * 2 - 1
    torch.testing.assert_close(network(x), network.network(x), atol=1e-6, rtol=1e-6)


def test_classes_are_those_of_the_resized_logits():
    torch.manual_seed(0)
    network = Segmenter("unet", "tu-test_resnet", None, classes=5).eval()
    x = torch.rand(3, 32, 64) * 2 - 1
    logits = torch.nn.functional.interpolate(network(x[None]), (50, 90), mode="bilinear")[0]
    assert torch.equal(network.classes_at(x, (50, 90)), logits.argmax(0))


@pytest.mark.parametrize(("architecture", "encoder"), [("unets", "resnet18"), ("unet", "resnet19")])
def test_an_unknown_network_is_refused_in_one_line(architecture: str, encoder: str):
    with pytest.raises(UserError, match=f"segmenter: {architecture} with {encoder}") as raised:
        Segmenter(architecture, encoder, None, classes=5)
    assert "\n" not in str(raised.value)
