"""The data of a run under Lightning: streams unpaired batches, resumes at any sample, lists the validation frames."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from src.data.cache import FrameCache
from src.data.fingerprint import fingerprint
from src.data.ignore import IgnoreMasks, ignore_masks
from src.data.layouts import Domains
from src.data.resumable import ResumableData
from src.data.sixteen_bits import WHITE, demand_white
from src.data.transforms import Fit, Transforms
from src.data.unpaired import UnpairedImages
from src.data.untrained import Untrained
from src.system.errors import UserError
from src.system.ranks import shared_failure


class UnpairedData(ResumableData):
    """Batches of unpaired images; holds file names, never images, so memory does not grow with the set.

    Files are listed, and the streets drawn, when `domains` is first asked for: all that can be refused without them is
    refused before.

    Args:
        layout: lists the files of both domains below `root`.
        root: folder of the data set; None where the layout names its folders by itself.
        size: height of a training image in pixels.
        aspect: its width over its height.
        fit: see Transforms.
        load_scale: see Transforms.
        flip: see Transforms.
        load: see Transforms.
        like_places: see Transforms.
        batch_size: images a domain, step and rank.
        samples_per_epoch: draws an epoch; None is the size of the larger domain.
        num_workers: processes that read images; 0 reads in the training process.
        white: value of white in files of 16 bits a channel; 65535, or 4095 where 12 bits lie in 16.
        cache: folder that keeps training frames decoded and brought to size, shared by jobs and ranks; written on
            first use. None decodes them anew each time.
        seed: of the run.
        ignore_x: masks of the pixels of x that are kept out of places, D and scores: a picture for all frames, or a
            folder of pictures, see IgnoreMasks; absolute or relative to `root`. None ignores nothing.
        ignore_y: likewise of y.
    """

    def __init__(
        self,
        *,
        layout: Callable[[str | None], Domains],
        root: str | None,
        size: int,
        aspect: float,
        fit: Fit,
        load_scale: float,
        flip: bool,
        batch_size: int,
        samples_per_epoch: int | None,
        num_workers: int,
        cache: str | None,
        seed: int,
        white: int = WHITE,
        load: int | None = None,
        like_places: float | None = None,
        ignore_x: str | None = None,
        ignore_y: str | None = None,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("samples_per_epoch", samples_per_epoch)):
            if value is not None and value < 1:
                raise UserError(f"data.{name} must be >= 1, got {value}")
        self.transforms = Transforms(
            size=size, aspect=aspect, fit=fit, load_scale=load_scale, flip=flip, load=load, like_places=like_places
        )
        image_bytes = 2 * 3 * self.transforms.height * self.transforms.width * 4  # both domains, float32
        super().__init__(batch_size=batch_size, num_workers=num_workers, image_bytes=image_bytes)
        self.white = demand_white(white, "data.white")
        self.cache = FrameCache(Path(cache), self.transforms, white) if cache else None
        self._layout, self._root, self._ignore = layout, root, {"ignore_x": ignore_x, "ignore_y": ignore_y}
        self._samples, self._seed = samples_per_epoch, seed

    @cached_property
    def domains(self) -> Domains:
        """The files of both."""
        domains = self._layout(self._root)
        domains.announce()
        return domains

    @cached_property
    def masks(self) -> dict[str, IgnoreMasks]:
        """Of ignored pixels, by domain."""
        found = ignore_masks({"root": self._root, **self._ignore})
        for domain, masks in found.items():
            masks.announce(masks.demand_fit(self.domains.of(domain)))
        return found

    @cached_property
    def untrained(self) -> Untrained:
        """What learns nothing."""
        return Untrained(self.domains.x_train, self.domains.y_train, self.transforms, self.white)

    @cached_property
    def images(self) -> UnpairedImages:
        """Sample (epoch, index)."""
        return UnpairedImages(
            self.domains,
            self.transforms,
            samples=self._samples or max(len(self.domains.x_train), len(self.domains.y_train)),
            seed=self._seed,
            cache=self.cache,
            white=self.white,
            masks=self.masks,
        )

    def setup(self, stage: str | None = None) -> None:
        """Fill the cache, on every rank: those that come later wait for the first and find the frames there."""
        super().setup(stage)
        if self.cache is not None:
            with shared_failure():
                self.cache.prepare([*self.domains.x_train, *self.domains.y_train])

    @cached_property
    def files(self) -> str:
        """Fingerprint of the training files and the masks."""
        return fingerprint([*self.domains.x_train, *self.domains.y_train], read=self._mask_files)

    @property
    def _mask_files(self) -> list[Path]:
        return [file for domain, masks in self.masks.items() for file in masks.files(self.domains.of(domain))]

    def batches(self, ranks: int, limit: int | float) -> int:
        """Steps an epoch on so many ranks; a float up to 1.0 limits them to a share, as Lightning does.

        Raises UserError if there are none.
        """
        whole = self.samples // self.images_per_step(ranks)
        batches = int(whole * limit) if isinstance(limit, float) else min(whole, limit)
        if batches < 1:
            raise UserError(f"trainer.limit_train_batches={limit} leaves none of the {whole} batches; raise it")
        return batches

    def digest(self) -> str:
        """Twelve hex digits that change with the data.

        They cover the content of the validation frames and of masks, and names and sizes of the others.
        """
        domains = self.domains
        return fingerprint(
            [*domains.x_train, *domains.y_train], read=[*domains.x_val, *domains.y_val, *self._mask_files]
        )
