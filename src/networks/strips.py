"""G on a large image, a strip of rows at a time, with the whole image's normalisation statistics.

A feature map here is a function from a range of rows to those rows; asking for rows of the image asks for rows of the
maps below, a few more for every kernel. Only a norm needs all of its map before it can give the first row, so only
there the map is gone through once in advance. The output is the whole image's, but for rounding.
"""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from src.networks.generator import Generator, ResBlock
from src.networks.resample import BlurDown, BlurUp
from src.networks.winograd import ROWS, Winograd

WHOLE, KEPT, RECOMPUTED = 10.0, 3.0, 0.75
"""Numbers a pixel and unit of width at the peak: by the library, in strips, and with large maps computed again."""

SCRATCH = 2**27
"""Bytes a strip takes on its way, windows and products of Winograd included."""

_NARROW = 64  # channels from which fewer multiplications pay for the transforms
Padding = tuple[int, str]


@torch.inference_mode()
def translate_in_strips(generator: Generator, image_13HW: Tensor, *, keep: bool) -> Tensor:
    """G(image), [1, 3, H, W] in [-1, 1]; H and W multiples of 4, at least 8.

    Args:
        generator: in evaluation mode.
        image_13HW: on the generator's device.
        keep: hold every map once it is computed. Without it, maps of more than half the width in numbers a pixel are
            computed again whenever they are read (about a fifth more time, a quarter of the memory).
    """
    largest = image_13HW[0, 0].numel() * width(generator) // 2
    # a taller strip asks for fewer rows twice, where a row is computed and not just read
    return (
        _Strips(None, 1_000_000).run(generator, image_13HW)
        if keep
        else _Strips(largest, 2_000_000).run(generator, image_13HW)
    )


def width(generator: Generator) -> int:
    """Channels after its first convolution."""
    return generator.channels["down1"] // 2


def working_bytes(generator: Generator, height: int, wide: int, *, keep: bool) -> int:
    """Memory that an image of height x wide takes at the peak, apart from the weights."""
    numbers = (KEPT if keep else RECOMPUTED) * width(generator) + 6  # image and output
    return round(4 * numbers * height * wide) + (SCRATCH if keep else 2 * SCRATCH)


def whole_bytes(generator: Generator, height: int, wide: int) -> int:
    """Memory that an image takes at the peak where the library goes through all of it, layer by layer."""
    return round(4 * (WHOLE * width(generator) + 6) * height * wide)


def strips_pay(generator: Generator, height: int, wide: int) -> bool:
    """Whether strips are the faster way on a CPU: fewer multiplications, against some dozen calls a strip."""
    return width(generator) >= _NARROW and height * wide >= 2**16


class _Map(Protocol):
    """[1, channels, height, width], given in rows."""

    channels: int
    height: int
    width: int

    def rows(self, first: int, last: int) -> Tensor:
        """Rows first .. last - 1, [1, channels, last - first, width]; the caller may not write to them."""


class _Kept:
    """A map in memory."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.channels, self.height, self.width = tensor.shape[1:]

    def rows(self, first: int, last: int) -> Tensor:
        return self.tensor[:, :, first:last]


class _Convolved:
    """A convolution of stride 1 or 2, or CycleGAN's transposed one that doubles."""

    def __init__(self, source: _Map, conv: nn.Conv2d | nn.ConvTranspose2d, padding: Padding) -> None:
        self.source, self.conv, self.padding = source, conv, padding
        self.channels = conv.out_channels
        self.doubles = isinstance(conv, nn.ConvTranspose2d)
        self.stride = int(conv.stride[0])
        if self.doubles:
            self.height, self.width = source.height * 2, source.width * 2
        else:
            self.height, self.width = source.height // self.stride, source.width // self.stride
        narrow = min(conv.in_channels, conv.out_channels) < _NARROW
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


class _Normalised:
    """Instance norm by the statistics of the whole map, then ReLU where asked for."""

    def __init__(self, source: _Map, mean_C: Tensor, variance_C: Tensor, eps: float) -> None:
        self.source = source
        self.channels, self.height, self.width = source.channels, source.height, source.width
        scale = (variance_C + eps).rsqrt()
        self.scale, self.shift = scale[:, None, None].float(), (-mean_C * scale)[:, None, None].float()
        self.rectified = False

    def rows(self, first: int, last: int) -> Tensor:
        x = torch.addcmul(self.shift, self.source.rows(first, last), self.scale)
        return x.relu_() if self.rectified else x


class _Halved:
    """BlurDown."""

    def __init__(self, source: _Map, blur: BlurDown) -> None:
        self.source, self.blur = source, blur
        self.channels, self.height, self.width = source.channels, source.height // 2, source.width // 2

    def rows(self, first: int, last: int) -> Tensor:
        x = _padded(self.source, 2 * first - 1, 2 * last, 1, "reflect")
        return F.conv2d(x, self.blur.kernel, stride=2, groups=self.channels)


class _Doubled:
    """BlurUp."""

    def __init__(self, source: _Map, blur: BlurUp) -> None:
        self.source, self.blur = source, blur
        self.channels, self.height, self.width = source.channels, source.height * 2, source.width * 2

    def rows(self, first: int, last: int) -> Tensor:
        # a row more on either side, where there is one: the library repeats the border only at the true border
        begin, end = max(first // 2 - 1, 0), min((last + 1) // 2 + 1, self.source.height)
        doubled: Tensor = self.blur(self.source.rows(begin, end))
        return doubled[:, :, first - 2 * begin : last - 2 * begin]


class _Strips:
    """Goes through a generator's modules.

    Args:
        largest: numbers of the largest map that is kept; None keeps all.
        strip: numbers a strip should have.
    """

    def __init__(self, largest: int | None, strip: int) -> None:
        self.largest = largest
        self.strip = strip

    def run(self, generator: Generator, image_13HW: Tensor) -> Tensor:
        x: _Map = _Kept(image_13HW)
        padding: Padding | None = None
        for module in _flat(generator):
            if isinstance(module, nn.ReflectionPad2d):
                padding = (int(module.padding[0]), "reflect")
            elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                x, padding = _Convolved(x, module, padding or (int(module.padding[0]), "constant")), None
            elif isinstance(module, nn.InstanceNorm2d):
                x = self.normalised(x, module)
            elif isinstance(module, nn.ReLU):
                assert isinstance(x, _Normalised)
                x.rectified = True
            elif isinstance(module, BlurDown):
                x = self.kept(_Halved(x, module))
            elif isinstance(module, BlurUp):
                x = _Doubled(x, module)
            elif isinstance(module, ResBlock):
                x = self.block(x if isinstance(x, _Kept) else self.kept(x), module)
            elif isinstance(module, nn.Tanh):
                return self.kept(x).tensor.tanh_()
            else:
                raise TypeError(f"no rule for {type(module).__name__} by rows")
        raise TypeError("the generator does not end in Tanh")

    def block(self, z: _Kept, block: ResBlock) -> _Kept:
        """What the block adds is written onto z."""
        first_conv, second_conv = (module for module in block.body if isinstance(module, nn.Conv2d))
        first_norm, second_norm = (module for module in block.body if isinstance(module, nn.InstanceNorm2d))
        inner = self.normalised(_Convolved(z, first_conv, (1, "reflect")), first_norm)
        inner.rectified = True
        outer = self.normalised(_Convolved(inner, second_conv, (1, "reflect")), second_norm)
        for first, last in self.strips(z):
            z.tensor[:, :, first:last] += outer.rows(first, last)
        return z

    def normalised(self, source: _Map, norm: nn.InstanceNorm2d) -> _Normalised:
        """Mean and variance over all rows; the rows are kept if they may be."""
        keep = self.largest is None or source.channels * source.height * source.width <= self.largest
        kept: Tensor | None = None
        moments: list[Tensor] = []
        for first, last in self.strips(source):
            rows = source.rows(first, last)
            if keep:
                kept = _like(source, rows) if kept is None else kept
                kept[:, :, first:last] = rows
            # as a norm, which is 50 times faster than var_mean and loses less than squares that are summed
            length = torch.linalg.vector_norm(rows, dim=(0, 2, 3))
            moments.append(torch.stack([rows.sum((0, 2, 3)).double(), length.double().square()]))
        mean, square = torch.stack(moments).sum(0) / (source.height * source.width)
        variance = (square - mean.square()).clamp_min(0)
        return _Normalised(source if kept is None else _Kept(kept), mean, variance, norm.eps)

    def kept(self, source: _Map) -> _Kept:
        """All rows, in memory."""
        out: Tensor | None = None
        for first, last in self.strips(source):
            rows = source.rows(first, last)
            out = _like(source, rows) if out is None else out
            out[:, :, first:last] = rows
        assert out is not None
        return _Kept(out)

    def strips(self, source: _Map) -> Iterator[tuple[int, int]]:
        """Ranges of rows that cover a map; small enough for a cache, whole windows for Winograd."""
        windows = max(1, round(self.strip / (source.channels * source.width * ROWS)))
        step = windows * ROWS
        return ((first, min(first + step, source.height)) for first in range(0, source.height, step))


def _like(source: _Map, rows: Tensor) -> Tensor:
    return rows.new_empty(1, source.channels, source.height, source.width)


def _padded(source: _Map, begin: int, end: int, edge: int, mode: str) -> Tensor:
    """Rows begin .. end - 1 and `edge` columns on either side; what lies outside the map is padding."""
    top, bottom = max(-begin, 0), max(end - source.height, 0)
    return F.pad(source.rows(begin + top, end - bottom), (edge, edge, top, bottom), mode=mode)


def _flat(generator: Generator) -> Iterator[nn.Module]:
    encoder = generator.encoder
    yield encoder.pad
    for part in (encoder.stem, [encoder.down1], encoder.after1, [encoder.down2], encoder.after2):
        yield from part
    yield from encoder.blocks
    yield from generator.decoder
