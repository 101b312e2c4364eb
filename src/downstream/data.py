"""The data of a segmenter's training under Lightning: every draw a pure function of (seed, epoch, index)."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TypedDict

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from src.data.fingerprint import fingerprint
from src.data.images import Pixels, image_size, open_image, read_image
from src.data.labelled import LabelledFrame
from src.data.labels import ClassMap, LabelTable, demand_ids
from src.data.resumable import ResumableData
from src.data.sixteen_bits import WHITE, demand_white
from src.data.unpaired import Draw, in_random_order
from src.downstream.transforms import JointTransforms
from src.system.errors import UserError

THREADS = 8  # a disk across the network answers several at a time
LOOKED_AT = 16
"""Frames of a set that are decoded before it is used."""


class LabelledSample(TypedDict):
    """Image [3, H, W] in [-1, 1] and train ids [H, W]."""

    image: Tensor
    labels: Tensor


@dataclass(eq=False)
class LabelledImages(Dataset[LabelledSample]):
    """Sample (epoch, index) of an endless, seeded sequence; every frame comes once before any comes again.

    Attributes:
        frames: the set.
        table: reads their class maps.
        transforms: brings both to size.
        samples: draws an epoch.
        seed: of the run.
        white: see read_image.
    """

    frames: Sequence[LabelledFrame]
    table: LabelTable
    transforms: JointTransforms
    _: KW_ONLY
    samples: int
    seed: int
    white: int = WHITE

    def __len__(self) -> int:
        """Draws an epoch."""
        return self.samples

    def __getitem__(self, draw: Draw) -> LabelledSample:
        """Read and transform one draw."""
        epoch, index = draw
        frame = in_random_order(self.frames, epoch * self.samples + index, self.seed, 0)
        pixels, labels = read_labelled(frame, self.table, self.white)
        image, train_ids = self.transforms.train(pixels, labels, np.random.default_rng([self.seed, epoch, index, 2]))
        return {"image": image, "labels": train_ids}


class LabelledData(ResumableData):
    """Batches of labelled images; resumes at any sample.

    Args:
        frames: the training set.
        table: reads their class maps.
        size: see JointTransforms.
        aspect: see JointTransforms.
        smallest_crop: see JointTransforms.
        batch_size: images a step.
        samples_per_epoch: draws an epoch; the same for every set that is to be compared.
        num_workers: processes that read images; 0 reads in the training process.
        white: value of white in files of 16 bits a channel; 65535, or 4095 where 12 bits lie in 16.
        seed: of the run.
    """

    def __init__(
        self,
        frames: Sequence[LabelledFrame],
        table: LabelTable,
        *,
        size: int,
        aspect: float,
        smallest_crop: float,
        batch_size: int,
        samples_per_epoch: int,
        num_workers: int,
        seed: int,
        white: int = WHITE,
    ) -> None:
        if batch_size < 2:
            raise UserError(f"data.batch_size must be >= 2 (batch normalisation), got {batch_size}")
        if samples_per_epoch < batch_size:
            raise UserError(
                f"data.batch_size={batch_size} exceeds data.samples_per_epoch={samples_per_epoch}; lower it"
            )
        self.transforms = JointTransforms(size=size, aspect=aspect, smallest_crop=smallest_crop)
        image_bytes = self.transforms.height * self.transforms.width * (3 * 4 + 8)  # float32, and ids of 8 bytes
        super().__init__(batch_size=batch_size, num_workers=num_workers, image_bytes=image_bytes)
        self._images = LabelledImages(
            frames,
            table,
            self.transforms,
            samples=samples_per_epoch,
            seed=seed,
            white=demand_white(white, "data.white"),
        )

    @property
    def images(self) -> LabelledImages:
        """Sample (epoch, index)."""
        return self._images

    @cached_property
    def files(self) -> str:
        """Fingerprint of the training files."""
        return fingerprint(path for frame in self.images.frames for path in (frame.image, frame.labels))


def check_readable(frames: Sequence[LabelledFrame], table: LabelTable) -> None:
    """Raise UserError now for what would end a training, or the scoring after it: colours for ids, unequal sizes.

    Every header is read, and LOOKED_AT frames, evenly spaced, are decoded and their ids looked up.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(_check_headers, frames):
            pass
    count = min(LOOKED_AT, len(frames))
    for number in range(count):
        read_labelled(frames[number * len(frames) // count], table)


def _check_headers(frame: LabelledFrame) -> None:
    with open_image(frame.labels, "class map") as file:
        demand_ids(frame.labels, file)
    _demand_same(frame, image_size(frame.labels, "class map"), image_size(frame.image))


def _demand_same(frame: LabelledFrame, labels: tuple[int, int], image: tuple[int, int]) -> None:
    if labels != image:
        sizes = [f"{width}x{height}" for width, height in (labels, image)]
        raise UserError(f"{frame.labels}: is {sizes[0]}, its image {frame.image} {sizes[1]}; remove both from the set")


def read_labelled(frame: LabelledFrame, table: LabelTable, white: int = WHITE) -> tuple[Pixels, ClassMap]:
    """Image, see read_image, and class map of a frame; raises UserError if their sizes differ."""
    pixels, labels = read_image(frame.image, white), table.read(frame.labels)
    _demand_same(frame, (labels.shape[1], labels.shape[0]), (pixels.shape[1], pixels.shape[0]))
    return pixels, labels
