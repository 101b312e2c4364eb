"""Train a translator: compose -> build -> fit -> translate -> evaluate -> metrics.json.

python -m src.train attention=triplet
"""

from src.help import answer_help

if __name__ == "__main__":
    answer_help("train")  # before the imports below, which take seconds

import json
import logging
import sys
import warnings
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from lightning import Trainer, seed_everything
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from torch import nn

from src import launch, naming, runs, schema
from src.callbacks.checkpoint import Interrupted, WholeFileIO, check_fits
from src.callbacks.cost import Cost
from src.callbacks.data_wait import DataWait
from src.callbacks.progress import Progress
from src.callbacks.scores import EpochScores
from src.command import entry
from src.data.datamodule import UnpairedData
from src.errors import UserError
from src.methods.parts import parameters_by_part
from src.modules.translation import Translation
from src.networks.discriminator import Discriminator
from src.networks.generator import Decoder, Encoder
from src.tracking.run import log_scores
from src.tracking.session import finished
from src.validation import Validation

RANKS = {"trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy"}
RANKED = {"trainer=ddp", "trainer=cpu", "trainer=trainer"}  # which choose no more than that
FREE_ON_RESUME = {*RANKS, "data.num_workers", "data.cache"}

schema.register()
naming.register()


@entry("train")
def main(config: DictConfig) -> float:
    """Entry point; a user's mistake becomes one line and exit code 1, and lets the rest of a sweep go on."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        launch.adopt()
        if config.resume is not None:
            return train(_saved_config(folder, config), folder, resume=True)
        if launch.requeued() and (folder / runs.CHECKPOINT).is_file():
            return train(runs.load_config(folder), folder, resume=True)
        return train(config, folder)
    except UserError:
        if not launch.is_first() and not launch.in_sweep():
            sys.exit(1)  # the first process says it
        raise
    except Interrupted as stop:
        if launch.is_first():
            print(f"{stop}; continue with: python -m src.train resume={folder}", file=sys.stderr)
        sys.exit(130)
    except KeyboardInterrupt:
        on = f"; continue with: python -m src.train resume={folder}" if (folder / runs.CHECKPOINT).exists() else ""
        if launch.is_first():
            print(f"stopped{on}", file=sys.stderr)
        sys.exit(130)


@finished()
@launch.alone
def train(config: DictConfig, folder: Path, *, resume: bool = False) -> float:
    """One run, new or continued, in `folder`; returns the KID of the translated validation frames."""
    schema.check(config)
    commit = runs.git_commit()  # of the code that runs, whatever is checked out by the end
    done = [name for name in (runs.CHECKPOINT, runs.WEIGHTS) if (folder / name).exists()]
    if not resume and done:
        raise UserError(f"{folder}: already holds a run; continue it with resume={folder} or name another folder")
    _quieten()
    data: UnpairedData = runs.build(config.data, "data")
    scores = runs.build(config.metrics.scores, "metrics.scores")
    validation = Validation(data, scores, config.trainer.limit_val_batches)
    # the weights follow from the seed alone, whatever was drawn before them
    seed_everything(config.seed, workers=True, verbose=False)
    method = runs.build_method(config)
    height, width = data.transforms.height, data.transforms.width
    # more places than a map has are refused now, not at the first step
    method.score_maps(torch.zeros(1, 3, height, width), torch.zeros(1, dtype=torch.int64), 0.0)
    if config.compile:
        _compile(method)
    optimizer = runs.build(config.optimizer, "optimizer")
    module: Translation = runs.complete(runs.build(config.module, "module"), "module", method, optimizer=optimizer)
    runs.complete(optimizer, "optimizer", [nn.Parameter(torch.zeros(1))])  # refused now, not after the first batch
    callbacks = runs.build(config.callbacks, "callbacks")
    last = callbacks["checkpoint"](folder / runs.CHECKPOINT, accumulate=module.accumulate)
    grid = callbacks["image_grid"](folder / "images", validation, seed=config.seed)
    cost, during = Cost(), _epoch_scores(config, validation)
    trainer = _trainer(config, folder, [cost, *during, grid, last])
    if not resume:
        # refused before other processes are started
        module.check(trainer, data.batches(trainer.world_size, config.trainer.limit_train_batches))
        if trainer.is_global_zero:
            runs.save_config(folder, config)
    else:
        check_fits(folder / runs.CHECKPOINT, module)
    checkpoint = folder / runs.CHECKPOINT if resume else None
    # Lightning reads a checkpoint before it widens the weights to float64, which would round them
    trainer.precision_plugin.convert_module(module)
    try:
        with launch.ending_together(trainer), last.interrupts():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except MisconfigurationException as error:
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error
    where = trainer.strategy.root_device
    average = module.average.network.to(where)  # Lightning has taken all weights off the device
    if trainer.is_global_zero:
        runs.save_weights(folder, method, average)
    per_image = None if config.metrics.per_image is None else folder / config.metrics.per_image
    with launch.ending_together(trainer):
        metrics = validation.score(average, output=folder / "images" / "translated", per_image=per_image)
        for scores_during in during:
            metrics |= scores_during.best(trainer.current_epoch, metrics)
        raw = validation.score(method.translator().to(where))
        metrics |= {f"{name}_raw": value for name, value in raw.items()} | validation.references(where)
    if not trainer.is_global_zero:
        return metrics[validation.scores.names[0]]

    protocol = {
        **validation.protocol(),
        "data_digest": data.digest(),
        **({"best": f"epoch of the lowest {validation.scores.names[0]}, all *_best from it"} if during else {}),
        "weights": "average of the generator's, decay as in config.yaml; *_raw: the last step's",
        "seed": config.seed,
        "images_per_step": data.images_per_step(trainer.world_size),
        "ranks": trainer.world_size,
        "batches": module.batches,
        "epochs": trainer.current_epoch,
        "commit": commit,
        "seconds": round(module.seconds(), 1),
        "parameters": parameters_by_part(method),
        **cost.protocol(),
    }
    runs.save_metrics(folder, metrics, protocol)
    log_scores(trainer.loggers, validation.scores.names, metrics, protocol)
    print(json.dumps({"run": str(folder), **metrics}))
    _show(folder, metrics, validation.scores.names)
    return metrics[validation.scores.names[0]]


def _compile(method: nn.Module) -> None:
    for network in method.modules():
        if isinstance(network, Encoder | Decoder | Discriminator):
            network.compile()  # in place: names in checkpoints and weights stay what they are


def _epoch_scores(config: DictConfig, validation: Validation) -> list[EpochScores]:
    every = config.metrics.every_n_epochs
    return [] if every is None else [EpochScores(validation, every_n_epochs=every)]


def _trainer(config: DictConfig, folder: Path, callbacks: list[Callback]) -> Trainer:
    loggers = runs.build(config.logger, "logger")
    trainer: Trainer = runs.complete(
        runs.build(config.trainer, "trainer"),
        "trainer",
        callbacks=[Progress(), DataWait(), *callbacks],
        logger=[runs.complete(logger, name, save_dir=folder / "logs") for name, logger in loggers.items()],
        plugins=[WholeFileIO()],
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    launch.check(trainer, config.trainer.strategy)
    return trainer


def _saved_config(folder: Path, config: DictConfig) -> DictConfig:
    task = HydraConfig.get().overrides.task
    if launch.in_sweep():
        raise UserError("resume continues one run at a time; leave out -m")
    keys = {item.partition("=")[0] for item in task}
    free = {"resume", *FREE_ON_RESUME}
    others = [item for item in task if item not in RANKED and item.partition("=")[0] not in free]
    if others:
        raise UserError(f"resume continues a run as it was configured; leave out {' '.join(others)} or start a new run")
    if not any(folder.iterdir()):
        folder.rmdir()  # Hydra has just made it
        raise UserError(f"resume={folder}: no such run folder; check the path")
    saved = runs.load_config(folder)
    path = folder / runs.CHECKPOINT
    if not path.is_file():
        raise UserError(f"{path}: missing, nothing to continue from; start a new run")
    try:
        torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:
        raise UserError(f"{path}: not a readable checkpoint; start a new run") from error
    for key in keys & FREE_ON_RESUME | (RANKS if RANKED & set(task) else set()):
        OmegaConf.update(saved, key, OmegaConf.select(config, key))
    return saved


def _show(folder: Path, metrics: dict[str, float], names: list[str]) -> None:
    table = Table(
        "score (lower is closer; is: higher)", "output", "output, last step", "source", "real", title=str(folder)
    )
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
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    # by its importable name, so that a launcher can hand it to other processes
    from src.train import main as task

    task()
