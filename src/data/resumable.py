"""Batches under Lightning whose draws follow from (seed, epoch, index), from wherever training stands."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Sized
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import Dataset

from src.data.loader import TimedLoader, demand_shared_memory
from src.data.position import position
from src.data.unpaired import Draws
from src.system.errors import UserError

PATIENCE = 300  # seconds a process that reads images outlives SIGTERM
MOST_WORKERS = 256
"""Processes; more of them exhaust a machine before they read a frame."""


class ResumableData(LightningDataModule, ABC):
    """Streams batches, resumes at any sample, and on another number of ranks with as many images a step.

    Args:
        batch_size: images a domain, step and rank.
        num_workers: processes that read images; 0 reads in the training process.
        image_bytes: of a sample as it is handed over.
    """

    def __init__(self, *, batch_size: int, num_workers: int, image_bytes: int) -> None:
        super().__init__()
        if not 0 <= num_workers <= MOST_WORKERS:
            raise UserError(f"data.num_workers must lie in [0, {MOST_WORKERS}], got {num_workers}")
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.image_bytes = image_bytes
        demand_shared_memory(batch_size * image_bytes, num_workers)
        self._position = (0, 0)
        self._step: int | None = None

    @property
    @abstractmethod
    def images(self) -> Dataset[Any]:
        """Gives sample (epoch, index); its length is the samples of an epoch."""

    @property
    @abstractmethod
    def files(self) -> str:
        """Fingerprint of the training files, as they are now."""

    @property
    def samples(self) -> int:
        """How many make up an epoch."""
        assert isinstance(self.images, Sized)
        return len(self.images)

    def setup(self, stage: str | None = None) -> None:
        """Look at the files as they are now, whatever becomes of the folder."""
        _ = self.files

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
        if self.samples < step:
            on = f" on {ranks} ranks" if ranks > 1 else ""
            raise UserError(
                f"data.batch_size={step // ranks}{on} exceeds the {self.samples} samples of an epoch; lower it"
            )
        return step

    def train_dataloader(self) -> TimedLoader[Any]:
        """This rank's batches, from where training stands; an incomplete last step is dropped."""
        epoch, done = self._position
        rank, count = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        images = self.images_per_step(count) // count
        return TimedLoader(
            self.images,
            batch_size=images,
            sampler=Draws(self.samples, epoch=epoch, start=done, rank=rank, ranks=count),
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            drop_last=True,
            worker_init_fn=leave_signals_to_the_parent,
            batch_bytes=images * self.image_bytes,
        )

    def state_dict(self) -> dict[str, Any]:
        """Where training stands: the epoch, its samples that are done, those of a step over all ranks, the files."""
        epoch, batch = position(self.trainer)
        assert self.trainer is not None
        step = self.images_per_step(self.trainer.world_size)
        return {"epoch": epoch, "samples": batch * step, "images_per_step": step, "files": self.files}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there; called before the first batch is asked for."""
        self._position = (state_dict["epoch"], state_dict["samples"])
        self._step = state_dict.get("images_per_step")  # segmenters of earlier versions trained on one device


def leave_signals_to_the_parent(worker: int) -> None:
    """For the loader's processes: Ctrl-C, SIGTERM and SLURM's signals reach all of them, and mean the trainer.

    It ends its step, writes its checkpoint and ends them; one that it cannot reach any more ends by itself.
    """
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(PATIENCE))
