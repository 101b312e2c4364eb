"""Losses are reduced in fp32 or wider, whatever precision the networks compute in."""

from torch import Tensor


def at_least_fp32(x: Tensor) -> Tensor:
    """The same values: half precision becomes fp32, wider ones stay."""
    return x if x.dtype.itemsize >= 4 else x.float()
