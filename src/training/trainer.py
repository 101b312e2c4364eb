"""Lightning's Trainer as every training here uses it: built, kept quiet, and run to an end in one line."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from src.config.build import build, complete, entries
from src.data.loader import TimedLoader
from src.runs.folder import LOGS, PREVIOUS
from src.system.errors import UserError, one_line
from src.training import endings
from src.training.callbacks.checkpoint import LastCheckpoint, WholeFileIO
from src.training.callbacks.progress import Progress


def build_trainer(config: DictConfig, folder: Path, callbacks: Sequence[Callback]) -> Trainer:
    """The trainer of a run, with its loggers.

    Args:
        config: of the run.
        folder: of the run.
        callbacks: beside the progress bar.
    """
    loggers = entries(config.logger, "logger", Logger, save_dir=folder / LOGS)
    trainer: Trainer = complete(
        build(config.trainer, "trainer"),
        "trainer",
        callbacks=[Progress(), *callbacks],
        logger=list(loggers.values()),
        plugins=[WholeFileIO(PREVIOUS)],
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    endings.check(trainer, config.trainer.strategy)
    return trainer


def fit(
    trainer: Trainer, module: LightningModule, data: LightningDataModule, last: LastCheckpoint, start: Path | None
) -> None:
    """Train, from a checkpoint or from the beginning.

    Args:
        trainer: of the run.
        module: what is trained.
        data: what on.
        last: writes the checkpoints.
        start: the checkpoint to continue from.

    Raises UserError for what ends training early, with the last good checkpoint, and Interrupted when asked to stop.
    """
    with endings.ending_together(trainer), last.interrupts():
        try:
            trainer.fit(module, datamodule=data, ckpt_path=start, weights_only=True)
        except MisconfigurationException as error:
            raise UserError(f"trainer: {' '.join(str(error).split())}") from error
        except UserError as error:
            raise UserError(one_line(error) + last.kept()) from error
        except RuntimeError as error:
            raise _dead_worker(error, trainer, last) from error


def quieten() -> None:
    """Leave out what Lightning and PyTorch say of things that are as they should be."""
    # deterministic mode would also fill every new tensor with NaN, which costs time and proves nothing here
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # the loader resumes through the data module, which Lightning cannot see
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")  # the epoch's means are logged
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _dead_worker(error: RuntimeError, trainer: Trainer, last: LastCheckpoint) -> Exception:
    # PyTorch has no exception of its own for it
    text = str(error)
    if "DataLoader worker" not in text or "Traceback" in text:
        return error
    loader = trainer.train_dataloader
    if isinstance(loader, TimedLoader) and (lack := loader.lack()):  # its death came to light in mid-step
        return UserError(lack + last.kept())
    return UserError(
        f"data.num_workers: a process that reads images has died ({' '.join(text.split())}), of too little memory "
        f"perhaps{last.kept()}; continue with resume=, maybe with data.num_workers=0"
    )
