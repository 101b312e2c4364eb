"""Unpaired draws: which source and which target image make up sample i of epoch e, as a pure function.

Nothing here has a state, so any process can compute any sample: resuming in mid-epoch, other numbers of workers
and other numbers of ranks all see the same images, crops, flips and patches.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NotRequired, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from src.data.ignore import IgnoreMasks
from src.data.images import Pixels, read_image
from src.data.layouts import Domains
from src.data.sixteen_bits import WHITE
from src.data.transforms import Transforms
from src.system.errors import UserError

T = TypeVar("T")

Draw = tuple[int, int]
"""(epoch, index): sample `index` of epoch `epoch`."""


class Sample(TypedDict):
    """Images [3, H, W] in [-1, 1], and the key all further randomness of this sample derives from.

    `ignored_x` and `ignored_y`, bool [1, H, W], are there where the domain has ignore masks.
    """

    x: Tensor
    y: Tensor
    key: int
    ignored_x: NotRequired[Tensor]
    ignored_y: NotRequired[Tensor]


@dataclass(eq=False)
class UnpairedImages(Dataset[Sample]):
    """Sample (epoch, index) of an endless, seeded sequence over two sets of images.

    Each domain is gone through in a fresh random order, each image once, before the next order begins, over
    the borders of epochs; the orders of the two domains are independent.

    Attributes:
        domains: the files.
        transforms: brings a frame to size.
        samples: draws an epoch.
        seed: of the run.
        cache: holds the frames decoded and brought to size; None decodes them anew each time.
        white: see read_image; the cache has its own.
        masks: of ignored pixels, by domain, x or y.
    """

    domains: Domains
    transforms: Transforms
    _: KW_ONLY
    samples: int
    seed: int
    cache: Callable[[Path], Pixels] | None = None
    white: int = WHITE
    masks: Mapping[str, IgnoreMasks] = field(default_factory=dict)

    def __len__(self) -> int:
        """Draws an epoch."""
        return self.samples

    def files(self, draw: Draw) -> tuple[Path, Path]:
        """The source and the target file of a draw."""
        epoch, index = draw
        count = epoch * self.samples + index
        return (
            in_random_order(self.domains.x_train, count, self.seed, 0),
            in_random_order(self.domains.y_train, count, self.seed, 1),
        )

    def __getitem__(self, draw: Draw) -> Sample:
        """Read, transform and key one draw."""
        epoch, index = draw
        x, y = self.files(draw)
        # 2 keeps these draws apart from the orders, which use 0 and 1
        seeds = np.random.default_rng([self.seed, epoch, index, 2])
        images = self.transforms.train(self._load(x, "x"), self._load(y, "y"), seeds)
        sample: Sample = {"x": images[0][:3], "y": images[1][:3], "key": sample_key(self.seed, epoch, index)}
        if "x" in self.masks:
            sample["ignored_x"] = images[0][3:] > 0
        if "y" in self.masks:
            sample["ignored_y"] = images[1][3:] > 0
        return sample

    def _load(self, path: Path, domain: str) -> Pixels:
        """At the size before the crop; the mask, if the domain has any, is a fourth channel."""
        cache = self.cache
        frame = self.transforms.to_size(read_image(path, self.white)) if cache is None else cache(path)
        return self.masks[domain].along(path, frame) if domain in self.masks else frame


@dataclass(eq=False)
class Draws(Sampler[Draw]):
    """One rank's draws of an epoch in order, from `start` on; Lightning calls `set_epoch`.

    Rank r of w takes every w-th draw: the ranks' batches together are the batch one process would take.

    Attributes:
        samples: draws an epoch, over all ranks.
        epoch: to begin with.
        start: draws of that epoch that are done, over all ranks.
        rank: of this process.
        ranks: number of processes.
    """

    samples: int
    _: KW_ONLY
    epoch: int
    start: int
    rank: int = 0
    ranks: int = 1

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of another epoch; the same epoch keeps its place."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def __iter__(self) -> Iterator[Draw]:
        """(epoch, start + rank), (epoch, start + rank + ranks), ..."""
        end = self.samples - self.samples % self.ranks
        return iter([(self.epoch, index) for index in range(self.start + self.rank, end, self.ranks)])

    def __len__(self) -> int:
        """This rank's draws of a whole epoch, wherever it starts: progress is counted over whole epochs."""
        return self.samples // self.ranks


def sample_key(seed: int, epoch: int, index: int) -> int:
    """A 64-bit number (signed, as torch has no other) that follows from the three alone."""
    digest = hashlib.blake2b(f"{seed},{epoch},{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def in_random_order(things: Sequence[T], count: int, seed: int, domain: int) -> T:
    """Draw `count` of an endless sequence that goes through all things in one random order after the other."""
    pass_number, place = divmod(count, len(things))
    return things[int(_order(len(things), seed, domain, pass_number)[place])]


@lru_cache(maxsize=8)
def _order(length: int, seed: int, domain: int, pass_number: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, pass_number, domain]).permutation(length)


def spaced(files: Sequence[Path], limit: int | float) -> list[Path]:
    """At most `limit` files, evenly spaced; a float up to 1.0 is a share, as for Lightning's limits.

    Raises UserError if nothing is left.
    """
    wanted = round(limit * len(files)) if isinstance(limit, float) else min(limit, len(files))
    if wanted < 1:
        raise UserError(f"trainer.limit_val_batches={limit} leaves no validation image; use 2 or more")
    return [files[index * len(files) // wanted] for index in range(wanted)]
