"""Lightning's Trainer as every training here uses it: built, kept quiet, and run to an end in one line."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig
from torch import nn

from src.config.build import build, complete, entries
from src.data.loader import TimedLoader
from src.runs.folder import LOGS, PREVIOUS
from src.system.errors import UserError, one_line
from src.system.unpromised import ignore, tells_of_dead_worker
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


def build_module(config: DictConfig, trained: object) -> LightningModule:
    """What Lightning trains a method or a segmenter by; raises UserError for an optimiser that cannot be built.

    Args:
        config: of the run.
        trained: the method or the network.
    """
    optimizer = build(config.optimizer, "optimizer")
    module: LightningModule = complete(build(config.module, "module"), "module", trained, optimizer=optimizer)
    complete(optimizer, "optimizer", [nn.Parameter(torch.zeros(1))])  # refused now, not after the first batch
    return module


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

    Raises UserError for what ends training early, with the last good checkpoint, Interrupted when asked to stop, and
    KeyboardInterrupt when that has to be at once.
    """
    with endings.ending_together(trainer), last.interrupts():
        try:
            trainer.fit(module, datamodule=data, ckpt_path=start, weights_only=True)
        except MisconfigurationException as error:
            raise UserError(f"trainer: {' '.join(str(error).split())}") from error
        except UserError as error:
            raise UserError(one_line(error) + last.kept()) from error
        except SystemExit as end:
            # Lightning's answer to a KeyboardInterrupt: code 1 whatever the signal was, and not a word
            raise last.at_once or end from None
        except RuntimeError as error:
            raise _dead_worker(error, trainer, last) from error


def quieten() -> None:
    """Leave out what Lightning and PyTorch say of things that are as they should be."""
    # deterministic mode would also fill every new tensor with NaN, which costs time and proves nothing here
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # the loader resumes through the data module, which Lightning cannot see
    ignore("resumable", "leaves", "workers", "interval")  # of the last: the epoch's means are logged
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _dead_worker(error: RuntimeError, trainer: Trainer, last: LastCheckpoint) -> Exception:
    if not tells_of_dead_worker(error):
        return error
    loader = trainer.train_dataloader
    if isinstance(loader, TimedLoader) and (lack := loader.lack()):  # its death came to light in mid-step
        return UserError(lack + last.kept())
    reason = " ".join(str(error).split())
    return UserError(
        f"data.num_workers: a process that reads images has died ({reason}), of too little memory "
        f"perhaps{last.kept()}; continue with resume=, maybe with data.num_workers=0"
    )
