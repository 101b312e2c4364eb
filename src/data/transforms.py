"""From a frame of any size to what the networks take: resize, crop jitter and flip, by albumentations."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor

# albumentations asks a server for its newest version at import unless told not to
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A

from src.data.images import Pixels
from src.networks.generator import STRIDE
from src.system.errors import UserError

Fit = Literal["cover", "stretch", "width"]

LARGEST = 8192
"""Height in pixels of what is trained on; a frame of more takes more memory than any machine has."""


class Transforms:
    """Training crops of one size, and whole validation frames at the same scale; both antialiased.

    A frame is brought to the height `load` first. Where that is more than `size`, G and D are shown pieces of it, so D
    judges texture and not the layout of whole frames, while validation and translation work on whole ones.

    Args:
        size: height of a training image in pixels, a multiple of 4 from 32 to 8192.
        aspect: its width over its height; the width is rounded to a multiple of 4.
        load: height of the frame it is cut from, pixels; None is `size`.
        fit: how a frame is brought to that height. "cover" keeps its aspect, and makes it larger where it would not
            cover the training image; "stretch" gives every frame the aspect of the training image (CUT's
            resize_and_crop); "width" keeps its aspect and fixes its width by `load_scale` (CUT's scale_width_and_crop),
            as far as the crop allows.
        load_scale: how much larger than that the frame is made for training, for crop jitter; 286/256 in CUT.
        flip: mirror every second image, at random.
        like_places: how far apart the crops of x and y may lie in height, as a share of the way that a crop has: roads
            lie below and skies above in both sets. None draws them independently.
    """

    def __init__(
        self,
        *,
        size: int,
        aspect: float,
        fit: Fit,
        load_scale: float,
        flip: bool,
        load: int | None = None,
        like_places: float | None = None,
    ) -> None:
        if not 32 <= size <= LARGEST or size % STRIDE:
            near = min(max(32, round(size / STRIDE) * STRIDE), LARGEST)
            raise UserError(f"data.size must be a multiple of {STRIDE} from 32 to {LARGEST}, got {size}; try {near}")
        if not 0.1 <= aspect <= 10:
            raise UserError(f"data.aspect is width / height and must lie in [0.1, 10], got {aspect}")
        if not 1 <= load_scale <= 10:
            raise UserError(f"data.load_scale must lie in [1, 10], got {load_scale}")
        if fit not in ("cover", "stretch", "width"):
            raise UserError(f"data.fit must be cover, stretch or width, got {fit!r}")
        if load is not None and not size <= load <= LARGEST:
            raise UserError(f"data.load must lie in [data.size, {LARGEST}], got {load} with data.size={size}")
        if load not in (None, size) and fit == "width":
            raise UserError(
                "data.load: data.fit=width brings frames to a width, by data.load_scale; leave data.load out"
            )
        if like_places is not None and not 0 <= like_places <= 1:
            raise UserError(f"data.like_places is a share and must lie in [0, 1], got {like_places}")
        self.height, self.width = size, max(32, round(size * aspect / STRIDE) * STRIDE)
        self.load = size if load is None else load
        self.fit = fit
        self.load_scale = load_scale
        self.like_places = like_places
        crop = A.RandomCrop(self.height, self.width)
        self._augment = A.Compose([crop, A.HorizontalFlip(p=0.5 if flip else 0.0)])

    def frame_size(self, height: int, width: int) -> tuple[float, float]:
        """Height and width that validation brings a frame to, before rounding; training does so without the jitter."""
        if self.fit == "stretch":
            return self.load, self.width * self.load / self.height
        if self.fit == "cover":
            scale = max(self.load / height, self.width / width)
        else:
            scale = max(self.height / height, self.width * self.load_scale / width)
        return height * scale, width * scale

    def whole(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of a frame of this size in validation."""
        rows, columns = self.frame_size(height, width)
        return _multiple(rows), _multiple(columns)

    def whole_sizes(self, sizes: Iterable[tuple[int, int]]) -> str:
        """In words, the least and the most of `whole`, for frames of these widths and heights."""
        found = sorted({self.whole(height, width) for width, height in sizes})
        return " to ".join(dict.fromkeys(f"{height} x {width}" for height, width in (found[0], found[-1])))

    @property
    def sizing(self) -> tuple[str, int, int, int, float]:
        """All that `to_size` depends on: fit, training height and width, loading height, and the jitter."""
        return (self.fit, self.height, self.width, self.load, self.load_scale)

    def to_size(self, pixels: Pixels) -> Pixels:
        """The frame at the size before the crop; nothing is drawn at random."""
        jitter = 1.0 if self.fit == "width" else self.load_scale
        height, width = (round(side * jitter) for side in self.frame_size(*pixels.shape[:2]))
        return resize(pixels, (max(height, self.height), max(width, self.width)))

    def train(self, x: Pixels, y: Pixels, seeds: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Training images [3, height, width] in [-1, 1] of what `to_size` gave; crops and flips follow from `seeds`.

        Further channels of a frame are cropped and mirrored with it.
        """
        if self.like_places is None:
            return self._crop(x, seeds), self._crop(y, seeds)
        # relative height of x's crop, and of y's near it
        place = seeds.uniform()
        near = np.clip(place + self.like_places * seeds.uniform(-1, 1), 0, 1)
        return self._crop(self._band(x, place), seeds), self._crop(self._band(y, near), seeds)

    def _band(self, frame: Pixels, place: float) -> Pixels:
        """The rows of a crop at a relative height in [0, 1]."""
        top = round(place * (len(frame) - self.height))
        return frame[top : top + self.height]

    def _crop(self, frame: Pixels, seeds: np.random.Generator) -> Tensor:
        for transform in self._augment.transforms:
            # one seed each: Compose hands the same to all, which would tie the flip to the crop
            transform.set_random_seed(int(seeds.integers(2**32)))
        return to_tensor(self._augment(image=frame)["image"])

    def validation(self, pixels: Pixels) -> Tensor:
        """The whole frame, [3, H, W] in [-1, 1], without crop or flip; H and W multiples of 4 near its aspect."""
        return to_tensor(resize(pixels, self.whole(*pixels.shape[:2])))


def transforms_of(settings: Mapping[str, Any] | None) -> Transforms:
    """Of a run, from the `data` of its configuration; raises UserError if that lacks a setting of them."""
    names = ("size", "aspect", "fit", "load_scale", "flip")
    later = ("load", "like_places")  # which older runs do not name
    try:
        given = {name: settings[name] for name in names}  # type: ignore[index]
        given |= {name: settings[name] for name in later if name in settings}  # type: ignore[index,operator]
        return Transforms(**given)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"data: not the settings of a translator's run ({error!r}); name another run") from error


def resize(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
    """To (height, width), antialiased: pixel areas when shrinking, cubic when growing."""
    height, width = shape
    resized = cv2.resize(pixels, (width, height), interpolation=interpolation(pixels.shape, shape))
    return np.asarray(resized, dtype=np.uint8)


def interpolation(before: Sequence[int], after: Sequence[int]) -> int:
    """OpenCV's number of the one that `resize` takes from one (height, width, ...) to another."""
    shrinks = after[0] * after[1] < before[0] * before[1]
    return cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC


def to_tensor(pixels: Pixels) -> Tensor:
    """Pixels [H, W, 3] in [0, 255] -> float32 [3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 127.5 - 1


def to_pixels(image_3HW: Tensor) -> Pixels:
    """Float [3, H, W] in [-1, 1] -> pixels [H, W, 3], rounded to [0, 255]."""
    scaled = ((image_3HW.detach().float() + 1) * 127.5).round().clamp(0, 255)
    return np.asarray(scaled.permute(1, 2, 0).to(device="cpu", dtype=torch.uint8).numpy())


def _multiple(length: float) -> int:
    return max(2 * STRIDE, round(length / STRIDE) * STRIDE)
