"""Files of the released CUT and CycleGAN code, read without running them."""

from pathlib import Path

import torch
from torch import Tensor

from src.networks.generator import Generator, restore
from src.system.errors import UserError
from src.translation.weights.released import from_released


def read(path: Path) -> Generator:
    """The generator of a `latest_net_G.pth`; raises UserError, naming the weight, for one that cannot be taken."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load fails in many ways on what is not its own
        raise UserError(
            f"{path}: not a plain weights file of torch; name a latest_net_G.pth, or a file that src.export wrote"
        ) from error
    if not (isinstance(content, dict) and content and all(isinstance(value, Tensor) for value in content.values())):
        raise UserError(f"{path}: not a dictionary of weights; name a latest_net_G.pth")
    try:
        return restore(*from_released({str(key): value for key, value in content.items()}))
    except ValueError as error:
        raise UserError(f"{path}: {error}; name a latest_net_G.pth of netG=resnet_9blocks or resnet_6blocks") from error
