"""Features of a vision transformer by timm: DINOv2 (Oquab et al. 2023) and CLIP (Radford et al. 2021)."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.metrics.extractor import REMEDY, Embedding, read_weights
from src.system import packages
from src.system.errors import UserError

SIDE = 224
"""Images are resized to SIDE x SIDE, bicubic and antialiased, before the network sees them."""


class VisionTransformer(nn.Module):
    """The image embedding: the class token after the last norm, and after CLIP's projection where there is one.

    No class is told apart, so there is no IS.

    Args:
        name: "dinov2" or "clip"; marks the scores.
        model: timm's name of the network.
        weights: file with its weights, timm's own or as first published, safetensors or .pth; None downloads timm's
            from the Hugging Face hub, once.

    Raises UserError if timm or the weights are not to be had, or the file holds anything but them.
    """

    classifies = False
    mean: Tensor
    std: Tensor

    def __init__(self, *, name: str, model: str, weights: str | None) -> None:
        super().__init__()
        packages.demand(f"extractor={name}", "timm", extra="vit")
        import timm
        from timm.models.vision_transformer import VisionTransformer as Network
        from timm.models.vision_transformer import checkpoint_filter_fn

        config = timm.models.get_pretrained_cfg(model)
        if config is None:
            raise UserError(f"extractor.model={model}: no network of timm's; see timm.list_models(pretrained=True)")
        self.name, self.suffix = name, f"_{name}"
        path = Path(weights) if weights is not None else _download(config.hf_hub_id)
        tensors, self.weights_sha256 = read_weights(path, model)
        try:
            network = timm.create_model(model, pretrained=False, img_size=SIDE)
        except TypeError:  # a convolutional one takes no size
            network = None
        if not isinstance(network, Network):
            raise UserError(f"extractor.model={model}: not a vision transformer; see timm.list_models('vit*')")
        self.network = network
        try:
            self.network.load_state_dict(checkpoint_filter_fn(dict(tensors), self.network))
        except (RuntimeError, KeyError) as error:
            raise UserError(f"{path}: not the weights of {model}; {REMEDY}") from error
        self.width = self.network.num_classes or self.network.num_features
        self.register_buffer("mean", 255 * torch.tensor(config.mean)[:, None, None])
        self.register_buffer("std", 255 * torch.tensor(config.std)[:, None, None])
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> Embedding:
        """uint8 RGB images [B, 3, H, W] of any size -> float32 features [B, D]."""
        images = F.interpolate(images_B3HW.float(), (SIDE, SIDE), mode="bicubic", antialias=True)
        return Embedding(self.network((images - self.mean) / self.std), None)


def _download(repository: str | None) -> Path:
    from huggingface_hub import hf_hub_download

    if repository is None:
        raise UserError(f"timm has no weights of this network; {REMEDY}")
    try:
        return Path(hf_hub_download(repository, "model.safetensors"))
    except Exception as error:  # the hub's client raises whatever its transport does
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{repository}: weights cannot be downloaded ({detail}); {REMEDY}") from error
