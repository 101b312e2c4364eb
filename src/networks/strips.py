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

KEPT, RECOMPUTED = 3.0, 0.75
"""Numbers a pixel and unit of width at the peak: with every map kept, and with the large ones computed again."""

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
    stem = generator.encoder.stem[0]
    assert isinstance(stem, nn.Conv2d)
    largest = image_13HW[0, 0].numel() * stem.out_channels // 2
    strip = 2 * ROWS if keep else 8 * ROWS
    return _Strips(None if keep else largest, strip).run(generator, image_13HW)


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
    """Goes through a generator's modules; `largest` is the size from which a map is not kept, None keeps all."""

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
                x, padding = _Convolved(x, module, padding or (int(module.padding[0]), "constant")), None  # type: ignore[arg-type]
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
        """z + body(z), written over z."""
        pad, conv1, norm1, _, _, conv2, norm2 = block.body
        padding = (int(pad.padding[0]), "reflect")
        inner = self.normalised(_Convolved(z, conv1, padding), norm1)
        inner.rectified = True
        outer = self.normalised(_Convolved(inner, conv2, padding), norm2)
        for first, last in self.strips(z.height):
            z.tensor[:, :, first:last] += outer.rows(first, last)
        return z

    def normalised(self, source: _Map, norm: nn.InstanceNorm2d) -> _Normalised:
        """Statistics of all rows, joined strip by strip (Chan et al. 1979); the rows are kept if they may be."""
        keep = self.largest is None or source.channels * source.height * source.width <= self.largest
        kept: Tensor | None = None
        count, mean, squares = 0, torch.zeros(1), torch.zeros(1)
        for first, last in self.strips(source.height):
            rows = source.rows(first, last)
            if keep:
                kept = _like(source, rows) if kept is None else kept
                kept[:, :, first:last] = rows
            variance, own = (value.double() for value in torch.var_mean(rows, dim=(0, 2, 3), correction=0))
            here = (last - first) * source.width
            away = own - mean.to(own)
            squares = squares.to(own) + variance * here + away.square() * (count * here / (count + here))
            mean = mean.to(own) + away * (here / (count + here))
            count += here
        return _Normalised(source if kept is None else _Kept(kept), mean, squares / count, norm.eps)

    def kept(self, source: _Map) -> _Kept:
        """All rows, in memory."""
        out: Tensor | None = None
        for first, last in self.strips(source.height):
            rows = source.rows(first, last)
            out = _like(source, rows) if out is None else out
            out[:, :, first:last] = rows
        assert out is not None
        return _Kept(out)

    def strips(self, height: int) -> Iterator[tuple[int, int]]:
        """Ranges of rows that cover a map."""
        return ((first, min(first + self.strip, height)) for first in range(0, height, self.strip))


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
        yield from part  # type: ignore[misc]
    yield from encoder.blocks
    yield from generator.decoder
