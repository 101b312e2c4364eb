"""The ResNet generator G of the paper (Sec. 3.2) as an encoder with five named taps and a decoder.

Johnson et al. 2016 by way of CycleGAN and CUT. Shapes: B images, C channels, H x W pixels.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from src.networks.colour import ColourAlignment, Colours
from src.networks.initialise import WIDEST, Init, initialise
from src.networks.norm import InstanceNorm
from src.networks.output import PlainOutput, ResidualOutput
from src.networks.recompute import recomputed
from src.networks.reflect import Reflect
from src.networks.resample import BlurDown, BlurUp

TAPS = ("pixels", "down1", "down2", "block1", "block5")
"""Where PatchNCE reads features; receptive fields 1, 9, 15, 35 and 99 pixels (the paper, Sec. 4.2).

`pixels` is the image with its reflected border; `down1` and `down2` are the outputs of the down-sampling
convolutions before normalisation (and before the blur that halves them); `block1` and `block5` the outputs of
the first and fifth residual block. The released CUT code numbers them 0, 4, 8, 12 and 16.
"""

REFLECTED = 3
"""Rows and columns at each border of `pixels` that are the image's own reflection."""

STRIDE = 4
"""H and W of an image must be multiples of this, and at least twice it (the blocks reflect their border)."""

ENCODED = 5
"""Residual blocks of the encoder; the decoder has the others."""
MOST_BLOCKS = 64

Blur = bool | Literal["down", "up"]
"""Blur-pooled resampling: both ways, neither, or only on the way down or up."""

Output = Literal["plain", "residual"]
"""What the last convolution gives: the image, or what is added to the input."""


class Architecture(NamedTuple):
    """All that decides which weights a generator has, and what it does with them."""

    width: int
    blur: Blur
    blocks: int
    output: Output = "plain"
    align: bool = False


class ResBlock(nn.Module):
    """x + IN(conv(ReLU(IN(conv(x))))) with 3x3 convolutions and reflected borders."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Reflect(1),
            nn.Conv2d(channels, channels, 3),
            InstanceNorm(channels),
            nn.ReLU(inplace=True),
            Reflect(1),
            nn.Conv2d(channels, channels, 3),
            InstanceNorm(channels),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        out: Tensor = x_BCHW + self.body(x_BCHW)
        return out


class Encoder(nn.Module):
    """G's first half: everything before the sixth residual block (the paper, Sec. 3.2)."""

    def __init__(self, width: int, blur: bool, recompute: bool) -> None:
        super().__init__()
        self.recompute = recompute
        self.pad = Reflect(REFLECTED)
        self.stem = nn.Sequential(nn.Conv2d(3, width, 7), InstanceNorm(width), nn.ReLU(inplace=True))
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=1 if blur else 2, padding=1)
        self.after1 = _norm_relu(2 * width, BlurDown(2 * width) if blur else None)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=1 if blur else 2, padding=1)
        self.after2 = _norm_relu(4 * width, BlurDown(4 * width) if blur else None)
        self.blocks = nn.ModuleList(ResBlock(4 * width) for _ in range(ENCODED))

    def forward(self, x_B3HW: Tensor) -> dict[str, Tensor]:
        """Images [B, 3, H, W] in [-1, 1] -> features by tap; `block5`, [B, 4 width, H / 4, W / 4], is the code."""
        height, width = x_B3HW.shape[-2:]
        if height % STRIDE or width % STRIDE or min(height, width) < 2 * STRIDE:
            raise ValueError(f"height and width must be multiples of {STRIDE} from 8 up, got {height}x{width}")
        pixels = self.pad(x_B3HW)
        run = recomputed if self.recompute else _plain
        down1 = run(lambda x: self.down1(self.stem(x)), pixels)
        down2 = run(lambda x: self.down2(self.after1(x)), down1)
        z = run(self.after2, down2)
        blocks = []
        for block in self.blocks:
            z = run(block, z)
            blocks.append(z)
        return {"pixels": pixels, "down1": down1, "down2": down2, "block1": blocks[0], "block5": blocks[4]}


class Decoder(nn.ModuleList):
    """G's second half: the other residual blocks, two doublings, and the image."""

    def __init__(self, width: int, blur: bool, blocks: int, output: Output, recompute: bool) -> None:
        super().__init__([*_decoder(width, blur, blocks), PlainOutput() if output == "plain" else ResidualOutput()])
        self.recompute = recompute

    def forward(self, z_BCHW: Tensor, x_B3HW: Tensor) -> Tensor:
        """The code, [B, 4 width, H / 4, W / 4], and the image it came from -> an image [B, 3, H, W] in [-1, 1]."""
        run = recomputed if self.recompute else _plain
        for part in self._parts() if self.recompute else list(self)[:-1]:
            z_BCHW = run(part, z_BCHW)
        image: Tensor = self[-1](z_BCHW, x_B3HW)
        return image

    def _parts(self) -> Iterator[nn.Sequential]:
        """A block or a convolution each, with what lies before it; the last with what lies behind it."""
        layers = list(self)[:-1]
        ends = [n + 1 for n, layer in enumerate(layers) if isinstance(layer, ResBlock | nn.Conv2d | nn.ConvTranspose2d)]
        for start, end in pairwise([0, *ends[:-1], len(layers)]):
            yield nn.Sequential(*layers[start:end])


class Generator(nn.Module):
    """One-way translator G: x -> y; 11,378,179 parameters at width 64.

    Args:
        width: channels after the first convolution (64 in the paper).
        blur: blur-pooled resampling as in CUT; False gives CycleGAN's strided and transposed convolutions.
        init: of the weights, see `initialise`.
        gain: of `init`.
        blocks: residual blocks, at least the encoder's five; the configurations of older runs do not name it.
        recompute: keep convolutions' outputs alone for the backward pass, and compute what lies between them again.
            Numbers stay the same to the bit; the memory that G's maps take is about halved.
        output: "plain", the paper's, paints every pixel anew; "residual" adds to the input what G learns, and starts as
            the identity: see `ResidualOutput`. Neither has parameters of its own.
        align: bring x to the colour statistics of y first, see `ColourAlignment`. No parameters.
    """

    def __init__(
        self,
        *,
        width: int,
        blur: Blur,
        init: Init,
        gain: float,
        blocks: int = 9,
        recompute: bool = False,
        output: Output = "plain",
        align: bool = False,
    ) -> None:
        super().__init__()
        if not 1 <= width <= WIDEST:
            raise ValueError(f"generator.width must lie in [1, {WIDEST}], got {width}")
        if not ENCODED <= blocks <= MOST_BLOCKS:
            raise ValueError(f"generator.blocks must lie in [{ENCODED}, {MOST_BLOCKS}], got {blocks}")
        if output not in ("plain", "residual"):
            raise ValueError(f"generator.output must be plain or residual, got {output!r}")
        self.architecture = Architecture(width, blur, blocks, output, align)
        self.align = ColourAlignment() if align else nn.Identity()
        self.encoder = Encoder(width, blur in (True, "down"), recompute)
        self.decoder = Decoder(width, blur in (True, "up"), blocks - ENCODED, output, recompute)
        # channels of each tap, in the order of TAPS
        self.channels = dict(zip(TAPS, (3, 2 * width, 4 * width, 4 * width, 4 * width), strict=True))
        initialise(self, init, gain)
        if output == "residual":
            last = self.decoder[-2]
            assert isinstance(last, nn.Conv2d)
            nn.init.zeros_(last.weight)  # G starts as the identity

    def forward(self, x_B3HW: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1], H and W multiples of 4 -> images of the same shape and range."""
        return self.core(self.align(x_B3HW))

    def core(self, image_B3HW: Tensor) -> Tensor:
        """G of images that have the colours of y already: aligned ones, and those of y itself."""
        out: Tensor = self.decoder(self.encoder(image_B3HW)["block5"], image_B3HW)
        return out

    def fit_colours(self, x: Colours, y: Colours) -> None:
        """Tell the alignment, if there is one, the colours of both training sets."""
        if isinstance(self.align, ColourAlignment):
            self.align.fit(x, y)

    def layers(self) -> Iterator[nn.Module]:
        """The layers of `core`, the output of each the input of the next; the last one takes the image too."""
        encoder = self.encoder
        yield encoder.pad
        for part in (encoder.stem, [encoder.down1], encoder.after1, [encoder.down2], encoder.after2):
            yield from part
        yield from encoder.blocks
        yield from self.decoder


def blank(architecture: Architecture) -> Generator:
    """A generator without memory for its weights: names and shapes. Raises ValueError as the constructor does."""
    with torch.device("meta"):
        return Generator(**architecture._asdict(), init="normal", gain=1.0)


def restore(architecture: Architecture, tensors: Mapping[str, Tensor]) -> Generator:
    """A generator with given weights, float32 in evaluation mode.

    Raises ValueError, naming the first, if names or shapes are not this architecture's, before anything is built, or
    if a value is not finite.
    """
    expected = blank(architecture).state_dict()
    for key in {**expected, **tensors}:
        there, here = (tuple(one[key].shape) if key in one else None for one in (tensors, expected))
        if there != here:
            raise ValueError(f"{key} is {there or 'missing'} there, and {here or 'nothing'} is expected")
    for key, value in tensors.items():
        if not value.isfinite().all():
            raise ValueError(f"{key} holds NaN or infinity")
    with torch.random.fork_rng(devices=[]):  # what is drawn here is overwritten
        network = Generator(**architecture._asdict(), init="normal", gain=1.0)
    network.load_state_dict(dict(tensors))
    return network.eval().requires_grad_(False)


def _plain(part: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return part(x)


def _norm_relu(channels: int, down: nn.Module | None) -> nn.Sequential:
    layers = [InstanceNorm(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, *([down] if down else []))


def _decoder(width: int, blur: bool, blocks: int) -> Iterator[nn.Module]:
    for _ in range(blocks):
        yield ResBlock(4 * width)
    for wide, narrow in pairwise((4 * width, 2 * width, width)):
        if blur:
            yield BlurUp()
            yield nn.Conv2d(wide, narrow, 3, padding=1)
        else:
            yield nn.ConvTranspose2d(wide, narrow, 3, stride=2, padding=1, output_padding=1)
        yield InstanceNorm(narrow)
        yield nn.ReLU(inplace=True)
    yield Reflect(3)
    yield nn.Conv2d(width, 3, 7)
