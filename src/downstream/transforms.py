"""Image and class map through the same random crop and flip, by albumentations."""

import os

import cv2
import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A
import torch
from torch import Tensor

from src.data.images import Pixels
from src.data.labels import ClassMap
from src.data.transforms import LARGEST, resize, to_tensor
from src.system.errors import UserError


class JointTransforms:
    """A random part of the frame at its own aspect, brought to one size, and mirrored every second time.

    Args:
        size: height of a training image in pixels, at least 32; whole frames are segmented at this height too.
        aspect: its width over its height.
        smallest_crop: the part's area over the frame's is drawn between this and 1.
    """

    def __init__(self, *, size: int, aspect: float, smallest_crop: float) -> None:
        if not 32 <= size <= LARGEST:
            raise UserError(f"data.size must lie in [32, {LARGEST}], got {size}")
        if not 0.1 <= aspect <= 10:
            raise UserError(f"data.aspect is width / height and must lie in [0.1, 10], got {aspect}")
        if not 0 < smallest_crop <= 1:
            raise UserError(f"data.smallest_crop must lie in (0, 1], got {smallest_crop}")
        self.height, self.width = size, max(32, round(size * aspect))
        crop = A.RandomResizedCrop(
            (self.height, self.width),
            scale=(smallest_crop, 1.0),
            ratio=(aspect, aspect),
            interpolation=cv2.INTER_CUBIC,
            mask_interpolation=cv2.INTER_NEAREST,
            area_for_downscale="image",
        )
        self._train = A.Compose([crop, A.HorizontalFlip(p=0.5)])

    def train(self, pixels: Pixels, labels: ClassMap, seeds: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Image [3, height, width] in [-1, 1] and train ids [height, width], int64; both follow from `seeds` alone."""
        for transform in self._train.transforms:
            # one seed each: Compose hands the same to all, which would tie the flip to the crop
            transform.set_random_seed(int(seeds.integers(2**32)))
        both = self._train(image=pixels, mask=labels)
        return to_tensor(both["image"]), torch.from_numpy(np.ascontiguousarray(both["mask"])).long()

    def whole(self, pixels: Pixels) -> Tensor:
        """The whole frame at the training height and its own aspect, [3, height, W] in [-1, 1]."""
        height, width = pixels.shape[:2]
        return to_tensor(resize(pixels, (self.height, max(32, round(width * self.height / height)))))
