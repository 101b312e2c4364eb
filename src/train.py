"""Train a translator: compose -> build -> fit -> translate -> evaluate -> metrics.json.

python -m src.train attention=triplet
"""

import json
import logging
import math
import sys
import warnings
from pathlib import Path

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from lightning import Trainer, seed_everything
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from torch import nn

from src import naming, runs, schema
from src.callbacks.checkpoint import Interrupted, WholeFileIO
from src.callbacks.progress import Progress
from src.callbacks.scores import EpochScores
from src.data.datamodule import UnpairedData
from src.errors import UserError
from src.modules.translation import Translation
from src.networks.discriminator import Discriminator
from src.networks.generator import Decoder, Encoder
from src.tracking.run import log_scores
from src.tracking.session import finished
from src.validation import Validation

FREE_ON_RESUME = ("trainer.accelerator", "data.num_workers")
CONF = str(Path(__file__).resolve().parent.parent / "conf")

schema.register()
naming.register()


@hydra.main(version_base="1.3", config_path=CONF, config_name="train")
def main(config: DictConfig) -> float:
    """Entry point; a user's mistake becomes one line and exit code 1, and lets the rest of a sweep go on."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        if config.resume is None:
            return train(config, folder)
        return train(_saved_config(folder), folder, resume=True)
    except UserError as error:
        # a DataLoader worker wraps the message in its own traceback; the last line is ours
        line = str(error).strip().splitlines()[-1].removeprefix("src.errors.UserError: ")
        raise CompactHydraException(line) from error
    except Interrupted as stop:
        print(f"{stop}; continue with: python -m src.train resume={folder}", file=sys.stderr)
        sys.exit(130)
    except KeyboardInterrupt:
        there = (folder / runs.CHECKPOINT).exists()
        print(f"stopped; continue with: python -m src.train resume={folder}" if there else "stopped", file=sys.stderr)
        sys.exit(130)


@finished()
def train(config: DictConfig, folder: Path, *, resume: bool = False) -> float:
    """One run, new or continued, in `folder`; returns the KID of the translated validation frames."""
    schema.check(config)
    commit = runs.git_commit()  # of the code that runs, whatever is checked out by the end
    done = [name for name in (runs.CHECKPOINT, runs.WEIGHTS) if (folder / name).exists()]
    if not resume and done and _is_first_process():
        raise UserError(f"{folder}: already holds a run; continue it with resume={folder} or name another folder")
    _quieten()
    data: UnpairedData = runs.build(config.data, "data")
    scores = runs.build(config.metrics.scores, "metrics.scores")
    validation = Validation(data, scores, config.trainer.limit_val_batches)
    # the weights follow from the seed alone, whatever was drawn before them
    seed_everything(config.seed, workers=True, verbose=False)
    method = runs.build_method(config)
    if config.compile:
        _compile(method)
    optimizer = runs.build(config.optimizer, "optimizer")
    module: Translation = runs.complete(runs.build(config.module, "module"), "module", method, optimizer=optimizer)
    runs.complete(optimizer, "optimizer", [nn.Parameter(torch.zeros(1))])  # refused now, not after the first batch
    callbacks = runs.build(config.callbacks, "callbacks")
    last = callbacks["checkpoint"](folder / runs.CHECKPOINT, accumulate=module.accumulate)
    grid = callbacks["image_grid"](folder / "images", validation, seed=config.seed)
    trainer = _trainer(config, folder, [*_epoch_scores(config, validation), grid, last])
    if not resume and trainer.is_global_zero:
        runs.save_config(folder, config)
    checkpoint = folder / runs.CHECKPOINT if resume else None
    try:
        with last.interrupts():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except MisconfigurationException as error:
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error
    if not trainer.is_global_zero:
        return math.nan

    runs.save_weights(folder, method, module.average.network)
    metrics = {
        **validation.score(module.average.network, output=folder / "images" / "translated"),
        **{f"{name}_raw": value for name, value in validation.score(method.translator()).items()},
        **validation.references(),
    }
    protocol = {
        **validation.protocol(),
        "data_digest": data.digest(),
        "weights": "average of the generator's, decay as in config.yaml; *_raw: the last step's",
        "seed": config.seed,
        "batches": module.batches,
        "epochs": trainer.current_epoch,
        "commit": commit,
        "seconds": round(module.seconds(), 1),
    }
    runs.save_metrics(folder, metrics, protocol)
    log_scores(trainer.loggers, validation.scores.names, metrics, protocol)
    print(json.dumps({"run": str(folder), **metrics}))
    _show(folder, metrics, validation.scores.names)
    return metrics[validation.scores.names[0]]


def _is_first_process() -> bool:
    # asked before a trainer exists; Lightning reads the rank from the launcher's environment at import
    return getattr(rank_zero_only, "rank", 0) == 0


def _compile(method: nn.Module) -> None:
    for network in method.modules():
        if isinstance(network, Encoder | Decoder | Discriminator):
            network.compile()  # in place: names in checkpoints and weights stay what they are


def _epoch_scores(config: DictConfig, validation: Validation) -> list[Callback]:
    every = config.metrics.every_n_epochs
    return [] if every is None else [EpochScores(validation, every_n_epochs=every)]


def _trainer(config: DictConfig, folder: Path, callbacks: list[Callback]) -> Trainer:
    loggers = runs.build(config.logger, "logger")
    trainer: Trainer = runs.complete(
        runs.build(config.trainer, "trainer"),
        "trainer",
        callbacks=[Progress(), *callbacks],
        logger=[runs.complete(logger, name, save_dir=folder / "logs") for name, logger in loggers.items()],
        plugins=[WholeFileIO()],
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    if isinstance(trainer.strategy, DDPStrategy):
        # each player's backward pass leaves the other's parameters alone
        trainer.strategy._ddp_kwargs["find_unused_parameters"] = True
    return trainer


def _saved_config(folder: Path) -> DictConfig:
    task = HydraConfig.get().overrides.task
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UserError("resume continues one run at a time; leave out -m")
    others = [item for item in task if item.partition("=")[0] not in ("resume", *FREE_ON_RESUME)]
    if others:
        raise UserError(f"resume continues a run as it was configured; leave out {' '.join(others)} or start a new run")
    if not any(folder.iterdir()):
        folder.rmdir()  # Hydra has just made it
        raise UserError(f"resume={folder}: no such run folder; check the path")
    config = runs.load_config(folder)
    path = folder / runs.CHECKPOINT
    if not path.is_file():
        raise UserError(f"{path}: missing, nothing to continue from; start a new run")
    try:
        torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:
        raise UserError(f"{path}: not a readable checkpoint; start a new run") from error
    free = [item for item in task if item.partition("=")[0] in FREE_ON_RESUME]
    merged = OmegaConf.merge(config, OmegaConf.from_dotlist(free))
    assert isinstance(merged, DictConfig)
    return merged


def _show(folder: Path, metrics: dict[str, float], names: list[str]) -> None:
    table = Table("score (lower is closer)", "output", "output, last step", "source", "real", title=str(folder))
    for name in names:
        values = [metrics.get(name + suffix) for suffix in ("", "_raw", "_source", "_floor")]
        table.add_row(name, *("-" if value is None else f"{value:.4f}" for value in values))
    console = Console(stderr=True)
    console.print(table)
    last = max((folder / "images").glob("epoch_*.png"), default=folder / "images")
    console.print(
        f"Look at {last}\nTranslate with: python -m src.translate run={folder} input=... output=...", soft_wrap=True
    )


def _quieten() -> None:
    # deterministic mode would also fill every new tensor with NaN, which costs time and proves nothing here
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # the loader resumes through the data module, which Lightning cannot see
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
