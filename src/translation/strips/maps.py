"""Feature maps computed row by row: whoever asks one for rows makes it ask the map below for those it needs."""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.networks.resample import BlurDown, BlurUp
from src.translation.strips.winograd import ROWS, Winograd

NARROW = 64
"""Channels from which fewer multiplications pay for the transforms."""

Padding = tuple[int, str]
"""Rows and columns at each border, and the mode of `torch.nn.functional.pad`."""


class Map(Protocol):
    """[1, channels, height, width], given in rows."""

    channels: int
    height: int
    width: int

    def rows(self, first: int, last: int) -> Tensor:
        """Rows first .. last - 1, [1, channels, last - first, width]; the caller may not write to them."""


class Kept:
    """A map in memory."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.channels, self.height, self.width = tensor.shape[1:]

    def rows(self, first: int, last: int) -> Tensor:
        return self.tensor[:, :, first:last]


class Convolved:
    """A convolution of stride 1 or 2, or CycleGAN's transposed one that doubles."""

    def __init__(self, source: Map, conv: nn.Conv2d | nn.ConvTranspose2d, padding: Padding) -> None:
        self.source, self.conv, self.padding = source, conv, padding
        self.channels = conv.out_channels
        self.doubles = isinstance(conv, nn.ConvTranspose2d)
        self.stride = int(conv.stride[0])
        if self.doubles:
            self.height, self.width = source.height * 2, source.width * 2
        else:
            self.height, self.width = source.height // self.stride, source.width // self.stride
        narrow = min(conv.in_channels, conv.out_channels) < NARROW
        pays = conv.weight.device.type == "cpu" and conv.kernel_size == (3, 3) and self.stride == 1 and not narrow
        self.winograd = Winograd(conv) if pays and isinstance(conv, nn.Conv2d) else None

    def rows(self, first: int, last: int) -> Tensor:
        if self.doubles:
            below = self.source.rows(first // 2, min(-(-last // 2) + 1, self.source.height))
            return self.conv(below)[:, :, first % 2 : first % 2 + last - first]  # type: ignore[no-any-return]
        edge = self.padding[0]
        missing = -(last - first) % ROWS if self.winograd else 0
        begin, end = first * self.stride - edge, (last - 1) * self.stride + edge + 1
        x = _padded(self.source, begin, end, edge, self.padding[1])
        if self.winograd:
            return self.winograd(F.pad(x, (0, 0, 0, missing)) if missing else x)[:, :, : last - first]
        assert isinstance(self.conv, nn.Conv2d)
        return F.conv2d(x, self.conv.weight, self.conv.bias, stride=self.stride)


class Normalised:
    """Instance norm by the statistics of the whole map, then ReLU where asked for."""

    def __init__(self, source: Map, mean_C: Tensor, variance_C: Tensor, eps: float) -> None:
        self.source = source
        self.channels, self.height, self.width = source.channels, source.height, source.width
        scale = (variance_C + eps).rsqrt()
        self.scale, self.shift = scale[:, None, None].float(), (-mean_C * scale)[:, None, None].float()
        self.rectified = False

    def rows(self, first: int, last: int) -> Tensor:
        x = torch.addcmul(self.shift, self.source.rows(first, last), self.scale)
        return x.relu_() if self.rectified else x


class Halved:
    """BlurDown."""

    def __init__(self, source: Map, blur: BlurDown) -> None:
        self.source, self.blur = source, blur
        self.channels, self.height, self.width = source.channels, source.height // 2, source.width // 2

    def rows(self, first: int, last: int) -> Tensor:
        x = _padded(self.source, 2 * first - 1, 2 * last, 1, "reflect")
        return F.conv2d(x, self.blur.kernel, stride=2, groups=self.channels)


class Doubled:
    """BlurUp."""

    def __init__(self, source: Map, blur: BlurUp) -> None:
        self.source, self.blur = source, blur
        self.channels, self.height, self.width = source.channels, source.height * 2, source.width * 2

    def rows(self, first: int, last: int) -> Tensor:
        # a row more on either side, where there is one: the library repeats the border only at the true border
        begin, end = max(first // 2 - 1, 0), min((last + 1) // 2 + 1, self.source.height)
        doubled: Tensor = self.blur(self.source.rows(begin, end))
        return doubled[:, :, first - 2 * begin : last - 2 * begin]


def _padded(source: Map, begin: int, end: int, edge: int, mode: str) -> Tensor:
    """Rows begin .. end - 1 and `edge` columns on either side; what lies outside the map is padding."""
    top, bottom = max(-begin, 0), max(end - source.height, 0)
    return F.pad(source.rows(begin + top, end - bottom), (edge, edge, top, bottom), mode=mode)
