"""Instance norm (Ulyanov et al. 2016) whose gradient is right in every memory layout."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class InstanceNorm(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d`, without weights or running statistics, and the same numbers to the bit.

    PyTorch's own (2.14.1, on a CPU) takes the gradient of a single image in the wrong order where it comes with
    channels innermost in memory: off by 1.4 of its norm, and silent. Here the gradient reaches the kernel contiguous.
    Under torch.compile it is the definition, which the compiler fuses, and the same numbers but for rounding.
    """

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape: zero mean and unit deviation over each image's channel."""
        if torch.compiler.is_compiling():
            return _by_definition(x_BCHW, self.eps)
        # an image's channel is a channel of one image: so does the library
        flat_1CHW = F.batch_norm(x_BCHW.contiguous().flatten(0, 1)[None], None, None, training=True, eps=self.eps)
        if flat_1CHW.grad_fn is not None:
            # on the kernel's own node: a ReLU that writes in place replaces those of the views behind it
            flat_1CHW.grad_fn.register_prehook(_contiguous)
        return flat_1CHW.view_as(x_BCHW)


def _by_definition(x_BCHW: Tensor, eps: float) -> Tensor:
    # a graph to be compiled has no nodes to reach yet; of plain operations its gradient is right in every layout
    wide_BCHW = x_BCHW if x_BCHW.dtype.itemsize >= 4 else x_BCHW.float()
    variance_BC11, mean_BC11 = torch.var_mean(wide_BCHW, dim=(2, 3), keepdim=True, correction=0)
    return ((wide_BCHW - mean_BC11) * (variance_BC11 + eps).rsqrt()).to(x_BCHW.dtype)


def _contiguous(gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    return tuple(gradient if gradient is None else gradient.contiguous() for gradient in gradients)
