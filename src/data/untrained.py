"""What learns nothing, made of source frames: a translator has to do better than either."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from src.data.colour_transfer import transfer_colours
from src.data.images import Pixels, read_image
from src.data.transforms import Transforms, to_pixels, to_tensor
from src.data.unpaired import in_random_order, spaced
from src.networks.colour import ColourAlignment, Colours, colours_of
from src.system.ranks import shared_failure

COLOURS = 256
"""Frames of a domain that its colour statistics are taken from."""


class Untrained:
    """Gives frames the colours of the photographs.

    Args:
        x_train: source frames of the training set.
        y_train: photographs of the training set.
        transforms: of the run.
        white: see read_image.
    """

    def __init__(self, x_train: Sequence[Path], y_train: Sequence[Path], transforms: Transforms, white: int) -> None:
        self.x_train, self.y_train = x_train, y_train
        self.transforms = transforms
        self.white = white

    @cached_property
    def colours(self) -> tuple[Colours, Colours]:
        """Of the training frames of x and of y at their loading size, of at most COLOURS of each, evenly spaced."""
        return self._colours(self.x_train), self._colours(self.y_train)

    def transferred(self, x_3HW: Tensor, place: int) -> Tensor:
        """With the colours of one photograph (Reinhard), which the place of the frame in its set decides.

        Args:
            x_3HW: in [-1, 1].
            place: of the frame.
        """
        like = in_random_order(self.y_train, place, 0, 1)
        with shared_failure():
            colours = self._sized(like)
        return to_tensor(transfer_colours(to_pixels(x_3HW), colours))

    @torch.no_grad()
    def aligned(self, x_3HW: Tensor) -> Tensor:
        """With the colours of all of them, as `generator.align` does: [3, H, W] in [-1, 1]."""
        aligned: Tensor = self._alignment(x_3HW)
        return aligned

    @cached_property
    def _alignment(self) -> ColourAlignment:
        alignment = ColourAlignment()
        alignment.fit(*self.colours)
        return alignment

    def _colours(self, files: Sequence[Path]) -> Colours:
        with ThreadPoolExecutor() as pool:
            return colours_of(to_tensor(frame) for frame in pool.map(self._sized, spaced(files, COLOURS)))

    def _sized(self, path: Path) -> Pixels:
        return self.transforms.to_size(read_image(path, self.white))
