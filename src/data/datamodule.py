"""The data of a run under Lightning: streams unpaired batches, resumes at any sample, lists the validation frames."""

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule

from src.data.cache import FrameCache
from src.data.fingerprint import fingerprint
from src.data.ignore import ignore_masks
from src.data.images import read_image
from src.data.layouts import Domains
from src.data.loader import TimedLoader, demand_shared_memory
from src.data.position import position
from src.data.sixteen_bits import WHITE, demand_white
from src.data.transforms import Fit, Transforms, to_tensor
from src.data.unpaired import Draws, Sample, UnpairedImages
from src.networks.colour import Colours, colours_of
from src.system.errors import UserError
from src.system.ranks import shared_failure

PATIENCE = 300  # seconds a process that reads images outlives SIGTERM
COLOURS = 256
"""Frames of a domain that its colour statistics are taken from."""
MOST_WORKERS = 256
"""Processes; more of them exhaust a machine before they read a frame."""


class UnpairedData(LightningDataModule):
    """Batches of unpaired images; holds file names, never images, so memory does not grow with the set.

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
        super().__init__()
        for name, value in (("batch_size", batch_size), ("samples_per_epoch", samples_per_epoch)):
            if value is not None and value < 1:
                raise UserError(f"data.{name} must be >= 1, got {value}")
        if not 0 <= num_workers <= MOST_WORKERS:
            raise UserError(f"data.num_workers must lie in [0, {MOST_WORKERS}], got {num_workers}")
        self.transforms = Transforms(
            size=size, aspect=aspect, fit=fit, load_scale=load_scale, flip=flip, load=load, like_places=like_places
        )
        self.white = demand_white(white, "data.white")
        self.batch_size = batch_size
        self.num_workers = num_workers
        demand_shared_memory(self._batch_bytes(batch_size), num_workers)
        self.domains = layout(root)
        self.domains.announce()
        self.masks = ignore_masks({"root": root, "ignore_x": ignore_x, "ignore_y": ignore_y})
        for domain, masks in self.masks.items():
            masks.announce(masks.demand_fit(self.domains.of(domain)))
        samples = samples_per_epoch or max(len(self.domains.x_train), len(self.domains.y_train))
        self.cache = FrameCache(Path(cache), self.transforms, white) if cache else None
        self.images = UnpairedImages(
            self.domains,
            self.transforms,
            samples=samples,
            seed=seed,
            cache=self.cache,
            white=white,
            masks=self.masks,
        )
        self._position = (0, 0)
        self._step: int | None = None

    def setup(self, stage: str | None = None) -> None:
        """Fill the cache, on every rank: those that come later wait for the first and find the frames there."""
        _ = self.files  # of now, whatever becomes of the folder
        if self.cache is not None:
            with shared_failure():
                self.cache.prepare([*self.domains.x_train, *self.domains.y_train])

    @cached_property
    def colours(self) -> tuple[Colours, Colours]:
        """Of the training frames of x and of y at their loading size, of at most COLOURS of each, evenly spaced."""
        return self._colours(self.domains.x_train), self._colours(self.domains.y_train)

    def _colours(self, files: Sequence[Path]) -> Colours:
        with ThreadPoolExecutor() as pool:
            frames = pool.map(
                lambda path: self.transforms.to_size(read_image(path, self.white)), spaced(files, COLOURS)
            )
            return colours_of(to_tensor(frame) for frame in frames)

    @cached_property
    def files(self) -> str:
        """Fingerprint of the training files and the masks."""
        return fingerprint([*self.domains.x_train, *self.domains.y_train], read=self._mask_files)

    @property
    def _mask_files(self) -> list[Path]:
        return [file for domain, masks in self.masks.items() for file in masks.files(self.domains.of(domain))]

    def images_per_step(self, ranks: int) -> int:
        """Images of a domain that a step sees, over all ranks; a resumed run keeps the number it began with.

        Raises UserError if an epoch has fewer, or if the ranks cannot share them equally.
        """
        step = self._step or self.batch_size * ranks
        if step % ranks:
            raise UserError(
                f"trainer.devices: this run trains on {step} images a step, which {ranks} ranks cannot share equally; "
                f"resume on a number of ranks that divides {step}"
            )
        if len(self.images) < step:
            on = f" on {ranks} ranks" if ranks > 1 else ""
            raise UserError(
                f"data.batch_size={step // ranks}{on} exceeds the {len(self.images)} samples of an epoch; lower it"
            )
        return step

    def batches(self, ranks: int, limit: int | float) -> int:
        """Steps an epoch on so many ranks; a float up to 1.0 limits them to a share, as Lightning does.

        Raises UserError if there are none.
        """
        whole = len(self.images) // self.images_per_step(ranks)
        batches = int(whole * limit) if isinstance(limit, float) else min(whole, limit)
        if batches < 1:
            raise UserError(f"trainer.limit_train_batches={limit} leaves none of the {whole} batches; raise it")
        return batches

    def train_dataloader(self) -> TimedLoader[Sample]:
        """This rank's batches, from where training stands; an incomplete last step is dropped."""
        epoch, done = self._position
        rank, count = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return TimedLoader(
            self.images,
            batch_size=self.images_per_step(count) // count,
            sampler=Draws(len(self.images), epoch=epoch, start=done, rank=rank, ranks=count),
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            drop_last=True,
            worker_init_fn=leave_signals_to_the_parent,
            batch_bytes=self._batch_bytes(self.images_per_step(count) // count),
        )

    def _batch_bytes(self, images: int) -> int:
        return images * 2 * 3 * self.transforms.height * self.transforms.width * 4  # both domains, float32

    def state_dict(self) -> dict[str, Any]:
        """Where training stands: the epoch, its samples that are done, those of a step over all ranks, the files."""
        epoch, batch = position(self.trainer)
        assert self.trainer is not None
        step = self.images_per_step(self.trainer.world_size)
        return {"epoch": epoch, "samples": batch * step, "images_per_step": step, "files": self.files}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there; called before the first batch is asked for."""
        self._position = (state_dict["epoch"], state_dict["samples"])
        self._step = state_dict["images_per_step"]

    def digest(self) -> str:
        """Twelve hex digits that change with the data.

        They cover the content of the validation frames and of masks, and names and sizes of the others.
        """
        domains = self.domains
        return fingerprint(
            [*domains.x_train, *domains.y_train], read=[*domains.x_val, *domains.y_val, *self._mask_files]
        )


def spaced(files: Sequence[Path], limit: int | float) -> list[Path]:
    """At most `limit` files, evenly spaced; a float up to 1.0 is a share, as for Lightning's limits.

    Raises UserError if nothing is left.
    """
    wanted = round(limit * len(files)) if isinstance(limit, float) else min(limit, len(files))
    if wanted < 1:
        raise UserError(f"trainer.limit_val_batches={limit} leaves no validation image; use 2 or more")
    return [files[index * len(files) // wanted] for index in range(wanted)]


def leave_signals_to_the_parent(worker: int) -> None:
    """For the loader's processes: Ctrl-C, SIGTERM and SLURM's signals reach all of them, and mean the trainer.

    It ends its step, writes its checkpoint and ends them; one that it cannot reach any more ends by itself.
    """
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(PATIENCE))
