"""From a frame of any size to what the networks take: resize, crop jitter and flip, by albumentations."""

import os
from collections.abc import Mapping
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor

# albumentations asks a server for its newest version at import unless told not to
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A

from src.data.images import Pixels
from src.errors import UserError
from src.networks.generator import STRIDE

Fit = Literal["cover", "stretch", "width"]

LARGEST = 8192
"""Height in pixels of what is trained on; a frame of more takes more memory than any machine has."""


class Transforms:
    """Training crops of one size, and whole validation frames; both antialiased (area when shrinking, else cubic).

    Args:
        size: height of a training image in pixels, a multiple of 4 from 32 to 8192.
        aspect: its width over its height; the width is rounded to a multiple of 4.
        fit: how a frame is brought to size before the crop. "cover" keeps its aspect and covers the training
            image, so that little or nothing is cropped; "stretch" ignores its aspect (CUT's resize_and_crop);
            "width" keeps its aspect and fixes its width (CUT's scale_width_and_crop), as far as the crop allows.
        load_scale: how much larger than the training image the frame is made, for crop jitter; 286/256 in CUT.
        flip: mirror every second image, at random.
    """

    def __init__(self, *, size: int, aspect: float, fit: Fit, load_scale: float, flip: bool) -> None:
        if not 32 <= size <= LARGEST or size % STRIDE:
            near = min(max(32, round(size / STRIDE) * STRIDE), LARGEST)
            raise UserError(f"data.size must be a multiple of {STRIDE} from 32 to {LARGEST}, got {size}; try {near}")
        if not 0.1 <= aspect <= 10:
            raise UserError(f"data.aspect is width / height and must lie in [0.1, 10], got {aspect}")
        if not 1 <= load_scale <= 10:
            raise UserError(f"data.load_scale must lie in [1, 10], got {load_scale}")
        self.height, self.width = size, max(32, round(size * aspect / STRIDE) * STRIDE)
        self.fit = fit
        self.load = (round(self.height * load_scale), round(self.width * load_scale))
        self._to_size = self._resize(fit)
        crop = A.RandomCrop(self.height, self.width)
        self._augment = A.Compose([crop, A.HorizontalFlip(p=0.5 if flip else 0.0)])

    def _resize(self, fit: Fit) -> A.BasicTransform:
        filters = {"interpolation": cv2.INTER_CUBIC, "area_for_downscale": "image"}
        if fit == "stretch":
            return A.Resize(*self.load, **filters)
        if fit == "cover":
            return A.SmallestMaxSize(max_size_hw=self.load, **filters)
        if fit == "width":
            return A.SmallestMaxSize(max_size_hw=(self.height, self.load[1]), **filters)
        raise UserError(f"data.fit must be cover, stretch or width, got {fit!r}")

    @property
    def sizing(self) -> tuple[str, int, int, int]:
        """All that `to_size` depends on: fit, training height, and the size before the crop."""
        return (self.fit, self.height, *self.load)

    def to_size(self, pixels: Pixels) -> Pixels:
        """The frame at the size before the crop; nothing is drawn at random."""
        return np.asarray(self._to_size(image=pixels)["image"], dtype=np.uint8)

    def train(self, frame: Pixels, seeds: np.random.Generator) -> Tensor:
        """A training image [3, height, width] in [-1, 1] from `to_size`'s; crop and flip follow from `seeds`."""
        seeds.integers(2**32)  # was the resizing's, which needs none; seeds keep the crops and flips they stand for
        for transform in self._augment.transforms:
            # one seed each: Compose hands the same to all, which would tie the flip to the crop
            transform.set_random_seed(int(seeds.integers(2**32)))
        return to_tensor(self._augment(image=frame)["image"])

    def validation(self, pixels: Pixels) -> Tensor:
        """The whole frame, [3, H, W] in [-1, 1], without crop or flip; H and W multiples of 4 near its aspect."""
        height, width = pixels.shape[:2]
        if self.fit == "stretch":
            shape = (self.height, self.width)
        elif self.fit == "cover":
            shape = (self.height, _multiple(width * self.height / height))
        else:
            shape = (_multiple(height * self.load[1] / width), _multiple(self.load[1]))
        return to_tensor(resize(pixels, shape))


def transforms_of(settings: Mapping[str, Any] | None) -> Transforms:
    """Of a run, from the `data` of its configuration; raises UserError if that lacks a setting of them."""
    names = ("size", "aspect", "fit", "load_scale", "flip")
    try:
        return Transforms(**{name: settings[name] for name in names})  # type: ignore[index]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"data: not the settings of a translator's run ({error!r}); name another run") from error


def resize(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """To (height, width), antialiased: pixel areas when shrinking, cubic when growing."""
    height, width = shape
    shrinks = height * width < pixels.shape[0] * pixels.shape[1]
    resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(resized, dtype=np.uint8)


def to_tensor(pixels: Pixels) -> Tensor:
    """Pixels [H, W, 3] in [0, 255] -> float32 [3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 127.5 - 1


def to_pixels(image_3HW: Tensor) -> Pixels:
    """Float [3, H, W] in [-1, 1] -> pixels [H, W, 3], rounded to [0, 255]."""
    scaled = ((image_3HW.detach().float() + 1) * 127.5).round().clamp(0, 255)
    return np.asarray(scaled.permute(1, 2, 0).to(device="cpu", dtype=torch.uint8).numpy())


def _multiple(length: float) -> int:
    return max(2 * STRIDE, round(length / STRIDE) * STRIDE)
