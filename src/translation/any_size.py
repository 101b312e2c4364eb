"""G on images of any size: padded to one it takes, whole or in strips of rows, whichever is faster and fits."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.networks.generator import STRIDE, Generator
from src.system.errors import UserError
from src.translation.strips.strips import strips_pay, translate_in_strips, whole_bytes, working_bytes

BATCH = 8
"""Images of one size that are computed together, if they fit."""
MEMORY_LIMIT = 4.0
"""GiB; a frame of 1914x1052 at width 64 takes 1.6 on a CPU."""


@torch.inference_mode()
def translate_images(network: nn.Module, images_B3HW: Tensor, memory_limit: float = MEMORY_LIMIT) -> Tensor:
    """G of images of any size, [B, 3, H, W] in [-1, 1]: a border is repeated up to a size G takes, then cut off.

    A generator works on strips of rows, with the statistics of the whole image, where that is faster (a wide one on a
    CPU) or where whole images would take more than the limit; the output is the same within a tenth of a grey level.
    Other networks take whole images.

    Args:
        network: on the images' device.
        images_B3HW: of one size.
        memory_limit: GiB the computation may take, apart from the weights and the program.

    Raises UserError if even strips take more.
    """
    height, width = images_B3HW.shape[2:]
    padded = F.pad(images_B3HW, (0, _missing(width), 0, _missing(height)), mode="replicate")
    if not isinstance(network, Generator):
        output: Tensor = network(padded)
    else:
        size, limit = (padded.shape[2], padded.shape[3]), memory_limit * 2**30
        whole = whole_bytes(network, *size)
        if whole <= limit and not (padded.device.type == "cpu" and strips_pay(network, *size)):
            batch = min(BATCH, int(limit // whole))
            output = torch.cat([network(images) for images in padded.split(batch)])
        else:
            keep = working_bytes(network, *size, keep=True) <= limit
            least = working_bytes(network, *size, keep=False)
            if not keep and least > limit:
                raise UserError(
                    f"memory_limit={memory_limit}: a frame of {width}x{height} needs {least / 2**30:.1f} GiB; "
                    "raise the limit, or work at a smaller height with size="
                )
            output = torch.cat([translate_in_strips(network, image[None], keep=keep) for image in padded])
    return output[:, :, :height, :width]


def _missing(length: int) -> int:
    return max(2 * STRIDE, -(-length // STRIDE) * STRIDE) - length
