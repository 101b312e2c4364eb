"""Instance norm (Ulyanov et al. 2016) whose gradient is right in every memory layout."""

from torch import Tensor, nn
from torch.nn import functional as F


class InstanceNorm(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d`, without weights or running statistics, and the same numbers to the bit.

    PyTorch's own (2.14.1, on a CPU) takes the gradient of a single image in the wrong order where it comes with
    channels innermost in memory: off by 1.4 of its norm, and silent. Here the gradient reaches the kernel contiguous.
    """

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape: zero mean and unit deviation over each image's channel."""
        # an image's channel is a channel of one image: so does the library
        flat_1CHW = F.batch_norm(x_BCHW.contiguous().flatten(0, 1)[None], None, None, training=True, eps=self.eps)
        if flat_1CHW.grad_fn is not None:
            # on the kernel's own node: a ReLU that writes in place replaces those of the views behind it
            flat_1CHW.grad_fn.register_prehook(_contiguous)
        return flat_1CHW.view_as(x_BCHW)


def _contiguous(gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    return tuple(gradient if gradient is None else gradient.contiguous() for gradient in gradients)
