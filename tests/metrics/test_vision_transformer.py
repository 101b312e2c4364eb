"""DINOv2 and CLIP: features against other implementations on random weights, and what is refused."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch_fidelity.feature_extractor_clip import VisionTransformer as PublishedCLIP

from src.metrics.vision_transformer import SIDE, VisionTransformer
from src.system.errors import UserError

SMALL = "vit_small_patch14_dinov2.lvd142m"
CLIP = "vit_base_patch32_clip_quickgelu_224.openai"


def images(count: int = 2, side: int = SIDE) -> Tensor:
    return torch.randint(256, (count, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, Path]:
    """A random network for 518 pixels, as the published one is."""
    torch.manual_seed(0)
    network = timm.create_model(SMALL, pretrained=False).eval()
    path = tmp_path_factory.mktemp("dinov2") / "model.safetensors"
    save_file(network.state_dict(), path)
    return network, path


def test_dinov2_gives_the_class_token_of_the_normalised_image(dinov2: tuple[torch.nn.Module, Path]):
    network, path = dinov2
    ours = VisionTransformer(name="dinov2", model=SMALL, weights=str(path))
    x = images(2, 518)
    at_224 = torch.nn.functional.interpolate(x.float(), (SIDE, SIDE), mode="bicubic", antialias=True) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])  # of ImageNet
    normalised = (at_224 - mean[:, None, None]) / std[:, None, None]
    network.set_input_size((SIDE, SIDE))
    with torch.no_grad():
        expected = network.forward_features(normalised)[:, 0]
    features, logits = ours(x)
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)
    assert features.shape == (2, ours.width) == (2, 384)
    assert logits is None
    assert not ours.classifies
    assert ours.suffix == "_dinov2"


def test_clip_gives_the_published_networks_embedding(tmp_path: Path):
    torch.manual_seed(0)
    published = PublishedCLIP(SIDE, patch_size=32, width=768, layers=12, heads=12, output_dim=512).eval()
    torch.save({f"visual.{key}": value for key, value in published.state_dict().items()}, tmp_path / "clip.pt")
    ours = VisionTransformer(name="clip", model=CLIP, weights=str(tmp_path / "clip.pt"))
    x = images()
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    with torch.no_grad():
        expected = published((x / 255 - mean) / std)
    features, logits = ours(x)
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)
    assert features.shape == (2, ours.width) == (2, 512)
    assert logits is None


def test_other_weights_and_names_are_refused_with_the_way_out(tmp_path: Path, dinov2: tuple[torch.nn.Module, Path]):
    save_file({"layer": torch.zeros(2)}, tmp_path / "other.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(dinov2[1].read_bytes()[:1000])
    for name, message in (
        ("other", "not the weights of"),
        ("torn", "not a plain weights file"),
        ("none", "no vit_small"),
    ):
        with pytest.raises(UserError, match=rf"{name}\.safetensors: {message}.*extractor\.weights=<file>"):
            VisionTransformer(name="dinov2", model=SMALL, weights=str(tmp_path / f"{name}.safetensors"))
    for model, message in (("vit_enormous", "no network of timm's"), ("resnet18.a1_in1k", "not a vision transformer")):
        with pytest.raises(UserError, match=f"extractor.model={model}: {message}"):
            VisionTransformer(name="dinov2", model=model, weights=str(dinov2[1]))


def test_without_a_network_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("no route\nand more")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    with pytest.raises(UserError, match=r"weights cannot be downloaded \(no route\); give a path"):
        VisionTransformer(name="dinov2", model=SMALL, weights=None)
