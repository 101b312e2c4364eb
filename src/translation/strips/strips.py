"""G on a large image, a strip of rows at a time, with the whole image's normalisation statistics.

Rows of the output ask for rows of the maps below, a few more for every kernel. Only a norm needs all of its map before
it can give the first row, so there the map is gone through once in advance. The output is the whole image's, but for
rounding.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from src.networks.generator import Generator, ResBlock
from src.networks.output import PlainOutput, ResidualOutput
from src.networks.resample import BlurDown, BlurUp
from src.translation.strips.maps import NARROW, Convolved, Doubled, Halved, Kept, Map, Normalised, Padding
from src.translation.strips.winograd import ROWS

WHOLE, KEPT, RECOMPUTED = 10.0, 3.0, 0.75
"""Numbers a pixel and unit of width at the peak: by the library, in strips, and with large maps computed again."""

SCRATCH = 2**27
"""Bytes a strip takes on its way, windows and products of Winograd included."""


@torch.inference_mode()
def translate_in_strips(generator: Generator, image_13HW: Tensor, *, keep: bool) -> Tensor:
    """G(image), [1, 3, H, W] in [-1, 1]; H and W multiples of 4, at least 8.

    Args:
        generator: in evaluation mode.
        image_13HW: on the generator's device.
        keep: hold every map once it is computed. Without it, maps of more than half the width in numbers a pixel are
            computed again whenever they are read (about two fifths more time, a quarter of the memory).
    """
    largest = image_13HW[0, 0].numel() * width(generator) // 2
    # a taller strip asks for fewer rows twice, where a row is computed and not just read
    strips = _Strips(None, 1_000_000) if keep else _Strips(largest, 2_000_000)
    return strips.run(generator, image_13HW)


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
    return width(generator) >= NARROW and height * wide >= 2**16


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
        image_13HW = generator.align(image_13HW)
        x: Map = Kept(image_13HW)
        padding: Padding | None = None
        for module in generator.layers():
            if isinstance(module, nn.ReflectionPad2d):
                padding = (int(module.padding[0]), "reflect")
            elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                x, padding = Convolved(x, module, padding or (int(module.padding[0]), "constant")), None
            elif isinstance(module, nn.InstanceNorm2d):
                x = self.normalised(x, module)
            elif isinstance(module, nn.ReLU):
                assert isinstance(x, Normalised)
                x.rectified = True
            elif isinstance(module, BlurDown):
                x = self.kept(Halved(x, module))
            elif isinstance(module, BlurUp):
                x = Doubled(x, module)
            elif isinstance(module, ResBlock):
                x = self.block(x if isinstance(x, Kept) else self.kept(x), module)
            elif isinstance(module, PlainOutput | ResidualOutput):
                output: Tensor = module(self.kept(x).tensor, image_13HW)
                return output
            else:
                raise TypeError(f"no rule for {type(module).__name__} by rows")
        raise TypeError("the generator ends in no image")

    def block(self, z: Kept, block: ResBlock) -> Kept:
        """What the block adds is written onto z."""
        first_conv, second_conv = (module for module in block.body if isinstance(module, nn.Conv2d))
        first_norm, second_norm = (module for module in block.body if isinstance(module, nn.InstanceNorm2d))
        inner = self.normalised(Convolved(z, first_conv, (1, "reflect")), first_norm)
        inner.rectified = True
        outer = self.normalised(Convolved(inner, second_conv, (1, "reflect")), second_norm)
        for first, last in self.strips(z):
            z.tensor[:, :, first:last] += outer.rows(first, last)
        return z

    def normalised(self, source: Map, norm: nn.InstanceNorm2d) -> Normalised:
        """Mean and variance over all rows; the rows are kept if they may be."""
        if self.largest is None or source.channels * source.height * source.width <= self.largest:
            source = self.kept(source)
        moments: list[Tensor] = []
        for first, last in self.strips(source):
            rows = source.rows(first, last)
            # as a norm, which is 50 times faster than var_mean and loses less than squares that are summed
            length = torch.linalg.vector_norm(rows, dim=(0, 2, 3))
            moments.append(torch.stack([rows.sum((0, 2, 3)).double(), length.double().square()]))
        mean, square = torch.stack(moments).sum(0) / (source.height * source.width)
        variance = (square - mean.square()).clamp_min(0)
        return Normalised(source, mean, variance, norm.eps)

    def kept(self, source: Map) -> Kept:
        """All rows, in memory."""
        out: Tensor | None = None
        for first, last in self.strips(source):
            rows = source.rows(first, last)
            out = rows.new_empty(1, source.channels, source.height, source.width) if out is None else out
            out[:, :, first:last] = rows
        assert out is not None
        return Kept(out)

    def strips(self, source: Map) -> Iterator[tuple[int, int]]:
        """Ranges of rows that cover a map; small enough for a cache, whole windows for Winograd."""
        windows = max(1, round(self.strip / (source.channels * source.width * ROWS)))
        step = windows * ROWS
        return ((first, min(first + step, source.height)) for first in range(0, source.height, step))
