"""One set of images against the real one: FID, IS and KID from one pass of the extractor, and SWD on both scales."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from src.metrics.cache import FeatureCache, content_key, kept
from src.metrics.extractor import Extractor
from src.metrics.frechet import frechet_distance
from src.metrics.image_set import ImageSet, embed, square, to_bytes
from src.metrics.inception_score import inception_score, splits
from src.metrics.kid import kid, kid_contributions, kid_error
from src.metrics.sharpness import SHARPNESS, laplacian_deviation, sharpness
from src.metrics.sliced_wasserstein import swd_scores
from src.system.errors import UserError
from src.system.ranks import from_first, join, rank, share

log = logging.getLogger(__name__)


@lru_cache(maxsize=64)
def _warn(line: str) -> None:
    """Once, however many jobs of a sweep this process runs."""
    log.warning(line)


SMALLEST, LARGEST = 16, 8192
"""Side in pixels of the squares: what leaves SWD patches to draw, and what a set of fits into a memory."""


class Scores:
    """All scores of an image set against a real one.

    Names, with <x> the extractor's suffix ("" for Inception, else "_" and its name):

    - `kid<x>`, `kid<x>_std`: mean and deviation over subsets; the second only where there are subsets.
    - `kid<x>_error`: standard error over images, from three a set on, see kid_error.
    - `fid<x>`: see frechet_distance.
    - `is<x>`, `is<x>_std`: of the first set alone, mean and deviation over splits; only if the extractor classifies.
    - `swd_unit`, `swd_unit_spread`, `swd_std`, `swd_std_spread`: both scales of SWD, mean over projection seeds, and
      the deviation over them.

    - `sharpness`: mean deviation of the images' Laplacian over that of the real ones, at the size they come in.

    For `is<x>` higher is better, for sharpness nearer to 1, for the others lower. `names` are those that rank images,
    the headline first.

    Args:
        extractor: of features.
        side: square size in pixels at which all sets are compared.
        own_size: the extractor sees images at their own size instead of the squares, as torch-fidelity's command
            does; SWD still compares squares.
        batch_size: images the extractor takes at a time; changes speed, and scores by rounding alone.
        kid_subsets: number of random subsets KID averages over, where there is more than one to draw.
        kid_subset_size: images a subset; lowered to the smaller set where that is smaller.
        seeds: SWD is averaged over this many draws of places and directions.
        cache: folder where features of files, and scores of sets that come again, are kept; None keeps none.
    """

    def __init__(
        self,
        *,
        extractor: Extractor,
        side: int,
        own_size: bool,
        batch_size: int,
        kid_subsets: int,
        kid_subset_size: int,
        seeds: int,
        cache: str | None,
    ) -> None:
        if side > LARGEST:
            raise UserError(f"metrics.scores.side must be <= {LARGEST}, got {side}")
        for name, value, least in (
            ("side", side, SMALLEST),
            ("batch_size", batch_size, 1),
            ("kid_subsets", kid_subsets, 1),
            ("kid_subset_size", kid_subset_size, 2),
            ("seeds", seeds, 1),
        ):
            if value < least:
                raise UserError(f"metrics.scores.{name} must be >= {least}, got {value}")
        self.extractor = extractor
        self.side = side
        self.own_size = own_size
        self.batch_size = batch_size
        self.kid_subsets = kid_subsets
        self.kid_subset_size = kid_subset_size
        self.seeds = seeds
        self.cache = FeatureCache(cache)
        suffix = extractor.suffix
        ranking = [f"kid{suffix}", f"fid{suffix}", f"is{suffix}" if extractor.classifies else "", "swd_unit", "swd_std"]
        ranking.append(SHARPNESS)
        self.names = [name for name in ranking if name]

    def gather(self, images: Iterable[Tensor], count: int, where: torch.device, key: str | None = None) -> ImageSet:
        """An image set of this rank's share of `count` images, joined with those of all other ranks.

        Args:
            images: those that `shards.share(count)` names, float [3, H, W] in [-1, 1], any sizes.
            count: images of all ranks together.
            where: the device to compute on.
            key: of the share's features in the cache; None computes them.
        """
        squares, deviations = [], []

        def stream() -> Iterator[Tensor]:
            for image in images:
                there = image.to(where)
                whole, small = to_bytes(there), square(there, self.side)
                squares.append(small.cpu())
                deviations.append(laplacian_deviation(whole).cpu())
                yield whole if self.own_size else small

        compute = partial(embed, stream(), self.extractor, self.batch_size, where)
        if count < 2:
            raise UserError(f"scores need at least 2 images a set, got {count}; add images")
        if key is None:
            embedding = compute()
        else:
            embedding = self.cache(key, compute)
            if not squares:  # the features were there, so nothing has been read yet
                deque(stream(), maxlen=0)
        logits = None if embedding.logits is None else join(embedding.logits, count, where)
        parts = (torch.stack(squares), embedding.features, torch.stack(deviations))
        squares_N, features_N, sharpness_N = (join(part, count, where) for part in parts)
        return ImageSet(squares_N, features_N, logits, sharpness_N)

    def gather_files(
        self, files: Sequence[Path], read: Callable[[Path], Tensor], where: torch.device, *, name: str, preparation: str
    ) -> ImageSet:
        """An image set of files, each rank reading its share; their features are kept for the next job.

        Args:
            files: of the whole set.
            read: from a file to float [3, H, W] in [-1, 1].
            where: the device to compute on.
            name: of the set, beside the progress bar.
            preparation: says all that `read` does to a file, for the cache.
        """
        own = [files[index] for index in share(len(files))]
        settings = {
            "extractor": [self.extractor.name, self.extractor.weights_sha256],
            "side": None if self.own_size else self.side,
            "preparation": preparation,
            # these move the last digits, and a run gives the same bits whether its features were there or not
            "batch_size": self.batch_size,
            "device": where.type,
            "torch": torch.__version__,
        }
        key = content_key(own, settings)
        images = map(read, tqdm(own, desc=name, unit="image", leave=False, disable=rank() > 0))
        return self.gather(images, len(files), where, key)

    def __call__(self, images: ImageSet, real: ImageSet, where: torch.device) -> dict[str, float]:
        """Scores by name; computed by the first rank on `where` and given to all."""
        return from_first(lambda: self._all(images, real, where), where)

    def again(self, images: ImageSet, real: ImageSet, where: torch.device) -> dict[str, float]:
        """The same, kept in the cache: for sets that the next job will bring again."""
        settings = [self.extractor.name, where.type, self.side, self.own_size, self.seeds]
        settings += [self.kid_subsets, self.kid_subset_size]
        compute = partial(self._all, images, real, where)
        return from_first(partial(kept, self.cache.folder, images, real, settings, compute), where)

    def per_image(self, images: ImageSet, real: ImageSet, where: torch.device) -> dict[str, list[float]]:
        """Columns with a value an image: `kid_contribution<x>`, whose mean is the KID over whole sets."""
        values = kid_contributions(images.features.to(where), real.features.to(where))
        return {f"kid_contribution{self.extractor.suffix}": values.tolist()}

    def protocol(self, n_fake: int, n_real: int) -> dict[str, object]:
        """What a number needs beside it to mean anything."""
        size, subsets = self._subsets(n_fake, n_real)
        square = f"bicubic, antialiased, to {self.side} x {self.side}, rounded to 8 bits"
        deviation = "*_std: their deviation" if subsets > 1 else "no *_std"
        protocol = {
            "n_fake": n_fake,
            "n_real": n_real,
            "side": self.side,
            "resize": f"features: the extractor's own, from the file's size; SWD: {square}"
            if self.own_size
            else square,
            "extractor": self.extractor.name,
            "extractor_sha256": self.extractor.weights_sha256,
            "fid": self._few(n_fake, n_real) or "unbiased covariances",
            "kid": f"unbiased, polynomial kernel of degree 3, {subsets} subset(s) of {size}, {deviation}; "
            "*_error: jackknife over images",
            "kid_subsets": subsets,
            "kid_subset_size": size,
            "swd": f"7x7, 128 patches, 512 directions, x1000, mean of {self.seeds} projection seeds (*_spread: their "
            f"deviation), n = {min(n_fake, n_real)} each, evenly spaced",
            SHARPNESS: "mean deviation of the grey image's Laplacian, over that of the real images",
        }
        if self.extractor.classifies:
            protocol["is"] = f"mean (*_std: deviation) of {splits(n_fake)} splits, n = {n_fake}"
        return protocol

    def _all(self, images: ImageSet, real: ImageSet, where: torch.device) -> dict[str, float]:
        if few := self._few(len(images), len(real)):
            _warn(f"fid{self.extractor.suffix}: {few}")
        fid = frechet_distance(images.features.to(where), real.features.to(where))
        return (
            self._kid(images, real)
            | {f"fid{self.extractor.suffix}": fid}
            | self._is(images)
            | swd_scores(images.squares, real.squares, self.seeds, where)
            | sharpness(images.sharpness, real.sharpness)
        )

    def _kid(self, images: ImageSet, real: ImageSet) -> dict[str, float]:
        size, subsets = self._subsets(len(images), len(real))
        mean, std = kid(images.features, real.features, subsets=subsets, size=size)
        name = f"kid{self.extractor.suffix}"
        values = {name: mean, f"{name}_std": std} if subsets > 1 else {name: mean}
        if min(len(images), len(real)) >= 3:
            values[f"{name}_error"] = kid_error(images.features, real.features)
        return values

    def _is(self, images: ImageSet) -> dict[str, float]:
        if images.logits is None:
            return {}
        mean, std = inception_score(images.logits)
        name = f"is{self.extractor.suffix}"
        return {name: mean, f"{name}_std": std}

    def _subsets(self, n_images: int, n_real: int) -> tuple[int, int]:
        """Size and number; one where it would be both whole sets every time."""
        size = min(self.kid_subset_size, n_images, n_real)
        return size, 1 if n_images == n_real == size else self.kid_subsets

    def _few(self, n_images: int, n_real: int) -> str:
        """What a small set does to FID, if it is one."""
        count, width = min(n_images, n_real), self.extractor.width
        if count > width:
            return ""
        return (
            f"{count} images are too few for the covariance of {width} features, which makes FID larger the fewer "
            "they are: compare it at this number of images only, and read KID"
        )
