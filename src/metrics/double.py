"""Sums in double precision wherever the features are."""

from torch import Tensor


def in_double(x: Tensor) -> Tensor:
    """Float64 on the tensor's device, or on the CPU where that is Apple's GPU (MPS), which has none."""
    return (x.cpu() if x.device.type == "mps" else x).double()
