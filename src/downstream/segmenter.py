"""Segmentation networks of segmentation-models-pytorch behind one small face: any size in, a class a pixel out."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.system import packages
from src.system.errors import UserError

STRIDE = 32
"""Every encoder halves the image up to five times."""


class Segmenter(nn.Module):
    """An encoder and a decoder; images [B, 3, H, W] in [-1, 1] -> logits [B, K, H, W].

    Args:
        architecture: as segmentation-models-pytorch names it (unet, deeplabv3plus, fpn, ...).
        encoder: as it names it (resnet18, resnet50, tu-..., ...).
        weights: the encoder starts from these; None starts from random numbers and needs no network.
        classes: K.

    Raises UserError if the library is missing, knows no such network or cannot get the weights.
    """

    def __init__(self, architecture: str, encoder: str, weights: str | None, *, classes: int) -> None:
        super().__init__()
        packages.demand("segmenter", "segmentation_models_pytorch", extra="segment")
        import segmentation_models_pytorch as smp

        try:
            self.network: nn.Module = smp.create_model(
                architecture, encoder_name=encoder, encoder_weights=weights, in_channels=3, classes=classes
            )
        except (KeyError, ValueError, RuntimeError, OSError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"segmenter: {architecture} with {encoder}, weights={weights}, cannot be had ({reason})"
            ) from error
        # of what the encoder was trained on; kept with the weights
        known = smp.encoders.get_preprocessing_params(encoder, weights) if weights else {}
        for name, default in (("mean", [0.5] * 3), ("std", [0.5] * 3)):
            self.register_buffer(name, torch.tensor(known.get(name) or default).view(3, 1, 1))

    def forward(self, x_B3HW: Tensor) -> Tensor:
        """Logits at the size of the images; their border is repeated up to a multiple of 32 and cut off again."""
        height, width = x_B3HW.shape[2:]
        scaled = ((x_B3HW + 1) / 2 - self.get_buffer("mean")) / self.get_buffer("std")
        padded = F.pad(scaled, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        logits: Tensor = self.network(padded)
        return logits[:, :, :height, :width]

    @torch.no_grad()
    def classes_at(self, x_3HW: Tensor, shape: tuple[int, int]) -> Tensor:
        """The likeliest class of each pixel of an image, [height, width] of `shape`; logits are resized bilinearly."""
        buffer = self.get_buffer("mean")
        logits = self(x_3HW[None].to(buffer.device, buffer.dtype))
        return F.interpolate(logits.float(), shape, mode="bilinear", align_corners=False)[0].argmax(0)
