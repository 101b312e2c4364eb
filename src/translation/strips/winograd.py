"""3x3 convolution with fewer multiplications on a CPU (Lavin and Gray 2016, Sec. 4, after Winograd 1980)."""

from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

ROWS = 6
"""Rows of output computed together; the height of what `Winograd` returns is a multiple of it."""
_TAPS = ROWS + 2
_POINTS = (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2))


class Winograd:
    """F(6, 3) down the columns: 8 multiplications a column where the definition takes 18.

    Along the rows it stays a 1x3 convolution, which the library's kernels do best: nested in both directions the
    method multiplies less but moves more, and was slower. Rounding grows to about 1e-5 of the output's deviation.

    Args:
        conv: 3x3, stride 1, its padding ignored.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        assert conv.bias is not None
        output, kernel, data = (torch.from_numpy(matrix) for matrix in _matrices())
        weight = torch.einsum("ty,oiyx->toix", kernel, conv.weight.detach().double())
        self._weight = weight.flatten(0, 1)[:, :, None].to(conv.weight.dtype).contiguous()
        self._bias = conv.bias.detach()
        self._output, self._data = output.to(conv.weight.dtype), data.to(conv.weight.dtype)
        self._scratch: dict[str, Tensor] = {}

    def __call__(self, x_1CHW: Tensor) -> Tensor:
        """[1, C, H + 2, W + 2], padded by one -> [1, O, H, W]; H a multiple of 6."""
        channels, height, width = x_1CHW.shape[1:]
        windows = (height - 2) // ROWS
        assert windows * ROWS == height - 2
        x = self._memory("windows", (_TAPS, channels * windows * width), x_1CHW)
        x.view(_TAPS, channels, windows, width).copy_(x_1CHW[0].unfold(1, _TAPS, ROWS).permute(3, 0, 1, 2))
        data = torch.mm(self._data, x, out=self._memory("data", x.shape, x))
        products = F.conv2d(data.view(1, -1, windows, width), self._weight, groups=_TAPS).view(_TAPS, -1)
        rows = torch.mm(self._output, products, out=self._memory("rows", (ROWS, products.shape[1]), x))
        # [row in window, O, window, W] -> [O, window, row in window, W]
        out = rows.view(ROWS, -1, windows, width - 2).permute(1, 2, 0, 3) + self._bias[:, None, None, None]
        return out.reshape(1, -1, windows * ROWS, width - 2)

    def _memory(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        # fresh pages for every strip would cost as much as the transforms
        if name not in self._scratch or self._scratch[name].shape != shape:
            self._scratch[name] = like.new_empty(shape)
        return self._scratch[name]


def _matrices() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """A^T, G and B^T by Lagrange interpolation: A^T [(G kernel) * (B^T data)] is the correlation of the two."""
    points = np.array([float(point) for point in _POINTS])
    others = [np.delete(points, index) for index in range(len(points))]
    scale = np.array([np.prod(point - rest) for point, rest in zip(points, others, strict=True)])
    output = np.vander(points, ROWS, increasing=True)
    kernel = np.vander(points, 3, increasing=True) / scale[:, None]
    data = np.zeros((_TAPS, _TAPS))
    for row, rest in enumerate(others):
        data[row, : len(points)] = np.poly(rest)[::-1]
    data[-1] = np.poly(points)[::-1]
    # the last point is infinity: it sees the highest power alone
    output = np.vstack([output, np.eye(ROWS)[-1]])
    kernel = np.vstack([kernel, np.eye(3)[-1]])
    return np.ascontiguousarray(output.T), kernel, data
