"""Cycle consistency (Zhu et al. 2017, Eq. 2): an image that goes to the other domain and back comes back."""

from torch import Tensor

from src.losses.precision import at_least_fp32


def cycle_loss(returned_B3HW: Tensor, image_B3HW: Tensor) -> Tensor:
    """E[|F(G(x)) - x|], the mean over images, channels and pixels; >= 0, in units of the images' [-1, 1].

    The identity loss (Sec. 5.2 there) is the same distance, with F(x) in the place of F(G(x)).

    Examples:
        >>> import torch
        >>> grey = torch.zeros(1, 3, 4, 4)
        >>> cycle_loss(grey + 0.5, grey).item()
        0.5
    """
    return (at_least_fp32(returned_B3HW) - at_least_fp32(image_B3HW)).abs().mean()
