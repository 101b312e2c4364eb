"""How much fine detail an image shows: the deviation of its Laplacian, which blur lowers and noise or ringing raises.

As a measure of focus it is due to Pech-Pacheco et al. 2000 ("Diatom autofocusing in brightfield microscopy").
"""

import torch
from torch import Tensor
from torch.nn import functional as F

SHARPNESS = "sharpness"
GREY = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the luma of Rec. 601."""
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def laplacian_deviation(image_3HW: Tensor) -> Tensor:
    """Deviation over all pixels of the Laplacian of the grey image, in grey levels of 0 to 255; float64, a scalar.

    Borders are mirrored without repeating the edge.

    Args:
        image_3HW: uint8 RGB, at least 2 x 2.

    Examples:
        >>> grey = torch.full((3, 8, 8), 128, dtype=torch.uint8)
        >>> stripes = torch.tensor([0, 255], dtype=torch.uint8).repeat(4).expand(3, 8, 8)
        >>> f"{laplacian_deviation(grey):.1f}, {laplacian_deviation(stripes):.1f}"
        '0.0, 510.0'
    """
    weights = torch.tensor(GREY, dtype=torch.float64, device=image_3HW.device)
    grey_11HW = (weights[:, None, None] * image_3HW.double()).sum(0)[None, None]
    kernel = torch.tensor(LAPLACIAN, dtype=torch.float64, device=image_3HW.device)[None, None]
    response = F.conv2d(F.pad(grey_11HW, (1, 1, 1, 1), mode="reflect"), kernel)
    return response.std(correction=0)


def sharpness(images_M: Tensor, real_N: Tensor) -> dict[str, float]:
    """`sharpness`: the mean deviation of images over that of real ones; nothing if those are of one colour each."""
    of_real = float(real_N.mean())
    return {SHARPNESS: float(images_M.mean()) / of_real} if of_real > 0 else {}
