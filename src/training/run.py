"""What src.train does: a run, new or continued, from its configuration to its scores."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from lightning import seed_everything
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from torch import nn

from src.config import limits
from src.config.build import PARTS, build, build_method, check, complete, entries
from src.data.datamodule import UnpairedData
from src.data.usable import listing
from src.methods.base import Method
from src.methods.parts import parameters_by_part
from src.metrics.direction import better
from src.networks.critic import Critic, looked_through
from src.networks.discriminator import Discriminator
from src.networks.generator import Decoder, Encoder, Generator
from src.runs import hub, resuming
from src.runs.folder import CHECKPOINT, IMAGES, SKIPPED, load_config, save_config
from src.runs.lock import alone
from src.runs.results import save_cost, save_metrics
from src.runs.weights import save_weights
from src.system.commit import git_commit
from src.system.device import arithmetic
from src.system.errors import UserError
from src.system.files import write
from src.system.ranks import is_first, say
from src.training import endings
from src.training.callbacks.checkpoint import check_fits, only_checkpoint
from src.training.callbacks.cost import Cost
from src.training.callbacks.data_wait import DataWait
from src.training.callbacks.initial_weights import InitialWeights
from src.training.callbacks.reach import Reach
from src.training.callbacks.scores import EpochScores
from src.training.schedule import extension
from src.training.trainer import build_trainer, fit, quieten
from src.training.translation import Translation
from src.training.validation import Validation
from src.training.wandb.run import log_scores
from src.training.wandb.session import finished

RANKS = {"trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy"}
RANKED = {"trainer=ddp", "trainer=cpu", "trainer=trainer"}  # which choose no more than that
PLACES = {
    *("data.root", "data.layout.x", "data.layout.y", "data.layout.x_val", "data.layout.y_val"),
    *("data.ignore_x", "data.ignore_y"),
}
FREE_ON_RESUME = {
    **{key: (key,) for key in (*RANKS, *PLACES, "data.num_workers", "data.cache", "trainer.max_epochs")},
    "extractor.weights": ("extractor.weights", "metrics.scores.extractor.weights"),
    "metrics.cache": ("metrics.cache", "metrics.scores.cache"),
}


def run(config: DictConfig, folder: Path) -> float:
    """Train as the command line asks, with one line for every way a training may be stopped; returns its headline.

    Args:
        config: as composed; with `resume`, what it may change of the run in `folder`.
        folder: of the run.
    """
    with endings.ending("src.train", folder):
        endings.adopt()
        for group in PARTS:  # those that the method leaves out too
            check(config[group], group)
        if config.resume is not None:
            choices = {**dict.fromkeys(RANKED, RANKS), "logger=default": {"logger"}}
            saved = resuming.saved_config(folder, config, FREE_ON_RESUME, choices)
            return train(resuming.extended(folder, saved), folder, resume=True)
        if endings.requeued(folder) and resuming.begun(folder):
            return train(load_config(folder), folder, resume=True)
        return train(config, folder)


@finished()
@alone
def train(config: DictConfig, folder: Path, *, resume: bool = False) -> float:
    """One run, new or continued, in `folder`; returns the KID of the validation frames, NaN if not scored."""
    limits.check(config)
    commit = git_commit()  # of the code that runs, whatever is checked out by the end
    start: Path | None = None
    if not resume:
        resuming.refuse_second_run(folder)
    elif (scores_then := resuming.finished(folder, config.trainer.max_epochs)) is not None:
        if is_first():
            print(json.dumps({"run": str(folder), **scores_then}))
        return next(iter(scores_then.values()), math.nan)
    else:
        start = resuming.checkpoint(folder)
    quieten()
    data: UnpairedData = build(config.data, "data")
    scores = build(config.metrics.scores, "metrics.scores")
    validation = Validation(data, scores, config.trainer.limit_val_batches)
    # the weights follow from the seed alone, whatever was drawn before them
    seed_everything(config.seed, workers=True, verbose=False)
    method = build_method(config)
    initial = InitialWeights()
    if start is None and config.get("init_from") is not None:
        say(initial.take(method, hub.path_of(config.init_from)))
    if start is None and _aligns(method):
        method.fit_colours(*data.colours)
    _demand_room(method, data.transforms.height, data.transforms.width)
    if config.compile:
        _compile(method)
    optimizer = build(config.optimizer, "optimizer")
    module: Translation = complete(build(config.module, "module"), "module", method, optimizer=optimizer)
    module.held_from = config.get(resuming.EXTENDED)
    complete(optimizer, "optimizer", [nn.Parameter(torch.zeros(1))])  # refused now, not after the first batch
    chosen = entries(
        config.callbacks,
        "callbacks",
        Callback,
        **{"path": folder / CHECKPOINT, "accumulate": module.accumulate},
        **{"folder": folder / IMAGES, "validation": validation, "seed": config.seed},
    )
    last = only_checkpoint(chosen.values())
    cost, during, reach = Cost(), _epoch_scores(config, validation), Reach(validation, seed=config.seed)
    trainer = build_trainer(config, folder, [DataWait(), cost, initial, *during, reach, *chosen.values()])
    if start is None:  # refused before other processes are started
        batches = data.batches(trainer.world_size, config.trainer.limit_train_batches)
        module.check(trainer, batches, masks=bool(data.masks))
    else:
        check_fits(start, module, data)
    if resume and trainer.is_global_zero:
        resuming.keep_config(folder, config, but=RANKS)
    elif trainer.is_global_zero:
        save_config(folder, config)
        if data.domains.skipped:
            write(folder / SKIPPED, listing(data.domains.skipped))
    # Lightning reads a checkpoint before it widens the weights to float64, which would round them
    trainer.precision_plugin.convert_module(module)
    fit(trainer, module, data, last, start)
    where = trainer.strategy.root_device
    average = module.average.network.to(where)  # Lightning has taken all weights off the device
    if trainer.is_global_zero:
        save_weights(folder, method, average)
    per_image = None if config.metrics.per_image is None else folder / config.metrics.per_image
    with endings.ending_together(trainer):
        metrics = validation.score(average, output=folder / IMAGES / "translated", per_image=per_image)
        for scores_during in during:
            metrics |= scores_during.best(trainer.current_epoch, metrics)
        metrics |= validation.own_size(average)
        raw = validation.score(method.translator().to(where))
        metrics |= {f"{name}_raw": value for name, value in raw.items()} | validation.references(where)
    if not trainer.is_global_zero:
        return validation.headline(metrics)

    protocol = {
        **validation.protocol(),
        "data_digest": data.digest(),
        **({"frames_skipped": len(data.domains.skipped)} if data.domains.skipped else {}),
        **({"best": f"epoch of the lowest {validation.names[0]}, all *_best from it"} if during else {}),
        "weights": "average of the generator's, decay as in config.yaml; *_raw: the last step's",
        "seed": config.seed,
        "images_per_step": data.images_per_step(trainer.world_size),
        "ranks": trainer.world_size,
        "batches": module.batches,
        "epochs": trainer.current_epoch,
        **({"extended": extension(module.held_from, module.decay)} if module.held_from else {}),
        "commit": commit,
        "arithmetic": arithmetic(where),
        "parameters": parameters_by_part(method),
        **initial.protocol(),
        **({"discriminator_through": through} if (through := looked_through(method)) else {}),
    }
    took = {"seconds": round(module.seconds(), 1), **cost.measured()}
    save_cost(folder, took)  # before the scores: where they are, the run is finished
    save_metrics(folder, metrics, protocol)
    endings.forget_requeue(folder)
    log_scores(trainer.loggers, validation.names, metrics, {**protocol, **took})
    print(json.dumps({"run": str(folder), **metrics}))
    _show(folder, metrics, validation.names)
    return validation.headline(metrics)


def _demand_room(method: Method[Any], height: int, width: int) -> None:
    """Refuse now, not at the first step, more places than a map has, or images smaller than D sees at once."""
    assert isinstance(method, nn.Module)
    for network in method.modules():
        if isinstance(network, Critic) and min(height, width) < network.least:
            halves = isinstance(network, Discriminator)
            raise UserError(
                f"{'discriminator.halvings' if halves else 'discriminator'}: needs images of "
                f"{network.least}x{network.least} pixels, got {height}x{width}; "
                f"{'lower it or ' if halves else ''}raise data.size"
            )
    method.score_maps(torch.zeros(1, 3, height, width), torch.zeros(1, dtype=torch.int64), 0.0)


def _aligns(method: Method[Any]) -> bool:
    translator = method.translator()
    return isinstance(translator, Generator) and translator.architecture.align


def _compile(method: nn.Module) -> None:
    for network in method.modules():
        if isinstance(network, Encoder | Decoder | Discriminator):
            network.compile()  # in place: names in checkpoints and weights stay what they are


def _epoch_scores(config: DictConfig, validation: Validation) -> list[EpochScores]:
    every = config.metrics.every_n_epochs
    return [] if every is None else [EpochScores(validation, every_n_epochs=every)]


def _show(folder: Path, metrics: dict[str, float], names: list[str]) -> None:
    columns = {"": "output", "_raw": "last step", "_source": "source", "_transfer": "colour transfer"}
    columns |= {"_aligned": "colour alignment", "_floor": "real"}
    table = Table("score", "better", *columns.values(), title=str(folder))
    for name in names:
        values = [metrics.get(name + suffix) for suffix in columns]
        table.add_row(name, better(name), *("-" if value is None else f"{value:.4f}" for value in values))
    console = Console(stderr=True)
    if names:
        console.print(table)
    else:
        console.print(f"{folder}: not scored, as metrics.scores=null asked", soft_wrap=True)
    last = max((folder / IMAGES).glob("epoch_*.png"), default=folder / IMAGES)
    console.print(
        f"Look at {last}\nTranslate with: python -m src.translate run={folder} input=... output=...", soft_wrap=True
    )
