"""What ignored pixels mean to a method: masks are bool [B, 1, H, W], or None where a domain has none."""

import torch
from torch import Tensor


def either(x: Tensor | None, y: Tensor | None) -> Tensor | None:
    """Ignored in one or the other: shown to D like this, neither set is known by the shape of its masks."""
    if x is None or y is None:
        return y if x is None else x
    return x | y


def stacked(x: Tensor | None, y: Tensor | None) -> Tensor | None:
    """The masks of x, then those of y, [2 B, 1, H, W]; a domain without masks ignores nothing."""
    if x is None and y is None:
        return None
    some = x if x is not None else y
    assert some is not None
    nothing = torch.zeros_like(some)
    return torch.cat([nothing if x is None else x, nothing if y is None else y])


def greyed(image: Tensor, ignored: Tensor | None) -> Tensor:
    """The images with ignored pixels at 0, mid grey, through which no gradient goes; itself without a mask."""
    return image if ignored is None else image.masked_fill(ignored, 0)
