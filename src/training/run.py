"""What src.train does: a run, new or continued, from its configuration to its scores."""

import json
import math
from pathlib import Path

from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig
from torch import nn

from src.config import limits
from src.config.build import PARTS, build, check, entries
from src.config.quoting import pasted
from src.data.datamodule import UnpairedData
from src.data.usable import listing
from src.methods.parts import parameters_by_part
from src.metrics import references
from src.metrics.shown import score_table, talk
from src.networks.critic import looked_through
from src.runs import resuming
from src.runs.folder import CHECKPOINT, IMAGES, SKIPPED
from src.runs.run import Run, opened
from src.runs.weights import save_weights
from src.system.device import arithmetic
from src.system.files import write
from src.system.ranks import is_first, say
from src.training import endings, mlflow
from src.training.callbacks.checkpoint import check_fits, only_checkpoint
from src.training.callbacks.cost import Cost
from src.training.callbacks.curve import Curve
from src.training.callbacks.data_wait import DataWait
from src.training.callbacks.initial_weights import InitialWeights
from src.training.callbacks.reach import Reach
from src.training.callbacks.scores import EpochScores
from src.training.cuda_graph import recordable
from src.training.schedule import extension
from src.training.start import fit_colours, method_for
from src.training.trainer import build_module, build_trainer, fit, quieten
from src.training.translation import Translation
from src.training.validation import Validation
from src.training.verdict import verdict
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
CHOICES_ON_RESUME = {**dict.fromkeys(RANKED, RANKS), "logger=default": {"logger"}}


def run(config: DictConfig, folder: Path) -> float:
    """Train as the command line asks, with one line for every way a training may be stopped; returns its headline.

    Args:
        config: as composed; with `resume`, what it may change of the run in `folder`.
        folder: of the run.
    """
    with endings.ending("src.train", folder):
        endings.announce_ranks()
        for group in PARTS:  # those that the method leaves out too
            check(config[group], group)
        trained_by, resume = resuming.configured(folder, config, FREE_ON_RESUME, CHOICES_ON_RESUME)
        return train(trained_by, folder, resume=resume)


@finished()
def train(config: DictConfig, folder: Path, *, resume: bool = False) -> float:
    """One run, new or continued, in `folder`; returns the KID of the validation frames, NaN if not scored."""
    limits.check(config)
    # only a run that is trained longer lacks epochs when it has scores; others may have been stopped by a callback
    epochs = config.trainer.max_epochs if resuming.EXTENDED in config else None
    with opened(folder, config, resume=resume, epochs=epochs) as run:
        metrics = _train(run) if run.scores is None else run.scores
        if is_first():
            print(json.dumps({"run": str(folder), **metrics}))
        return next(iter(metrics.values()), math.nan)


def _train(run: Run) -> dict[str, float]:
    """Build, fit and score; returns the scores."""
    config, folder = run.config, run.folder
    quieten()
    data: UnpairedData = build(config.data, "data")
    scores = build(config.metrics.scores, "metrics.scores")
    initial, cost, curve = InitialWeights(), Cost(), Curve(folder)
    method = method_for(config, data.transforms, initial, new=run.start is None)
    module = build_module(config, method)
    assert isinstance(module, Translation)
    validation = Validation(data, scores, config.trainer.limit_val_batches)
    chosen = entries(
        config.callbacks,
        "callbacks",
        Callback,
        **{"path": folder / CHECKPOINT, "accumulate": module.accumulate},
        **{"folder": folder / IMAGES, "validation": validation, "seed": config.seed},
    )
    last, during = only_checkpoint(chosen.values()), _epoch_scores(config, validation, curve)
    reach = Reach(validation, seed=config.seed)
    trainer = build_trainer(config, folder, [DataWait(), cost, curve, initial, *during, reach, *chosen.values()])
    # what a configuration alone can be refused for has been, before a frame is read or the streets are drawn
    validation.demand_enough()
    module.held_from = config.get(resuming.EXTENDED)
    if run.start is None:  # refused before other processes are started
        fit_colours(module, data.untrained)
        batches = data.batches(trainer.world_size, config.trainer.limit_train_batches)
        module.check(trainer, batches, masks=bool(data.masks))
    else:
        check_fits(run.start, module, data)
        if module.cuda_graph is not None and not recordable(trainer):
            say("module.cuda_graph: no steps are recorded here, which takes one NVIDIA GPU; going on with plain ones")
            module.cuda_graph = None
    if trainer.is_global_zero:
        run.keep_config(but=RANKS)
        if data.domains.skipped:
            write(folder / SKIPPED, listing(data.domains.skipped))
    # Lightning reads a checkpoint before it widens the weights to float64, which would round them
    trainer.precision_plugin.convert_module(module)

    fit(trainer, module, data, last, run.start)

    where = trainer.strategy.root_device
    average = module.average.network.to(where)  # Lightning has taken all weights off the device
    if trainer.is_global_zero:
        save_weights(folder, method, average)
    with endings.ending_together(trainer):
        metrics = _score(run, validation, average, method.translator().to(where), during, trainer, curve)
    if trainer.is_global_zero:
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
            "commit": run.commit,
            "arithmetic": arithmetic(where),
            "parameters": parameters_by_part(method),
            **initial.protocol(),
            **({"discriminator_through": through} if (through := looked_through(method)) else {}),
        }
        took = {"seconds": round(module.seconds(), 1), **cost.measured()}
        run.finish(metrics, protocol, took)
        log_scores(trainer.loggers, validation.names, metrics, {**protocol, **took})
        mlflow.log_scores(trainer.loggers, metrics, {**protocol, **took}, module.batches)
        _show(folder, metrics, validation.names, 2 * trainer.current_epoch)
    return metrics


def _score(
    run: Run,
    validation: Validation,
    average: nn.Module,
    raw: nn.Module,
    during: list[EpochScores],
    trainer: Trainer,
    curve: Curve,
) -> dict[str, float]:
    """Of the averaged and of the last weights, of the best epoch, and of what learns nothing; on all ranks alike."""
    per_image = None if run.config.metrics.per_image is None else run.folder / run.config.metrics.per_image
    metrics = validation.score(average, output=run.folder / IMAGES / "translated", per_image=per_image)
    if metrics:
        curve.add(trainer, trainer.current_epoch, metrics)
    for scores in during:
        metrics |= scores.best(trainer.current_epoch, metrics)
    metrics |= validation.own_size(average)
    metrics |= {f"{name}_raw": value for name, value in validation.score(raw).items()}
    return metrics | validation.references(trainer.strategy.root_device)


def _epoch_scores(config: DictConfig, validation: Validation, curve: Curve) -> list[EpochScores]:
    every = config.metrics.every_n_epochs
    return [] if every is None else [EpochScores(validation, curve, every_n_epochs=every)]


def _show(folder: Path, metrics: dict[str, float], names: list[str], longer: int) -> None:
    """Say on stderr what came out, and where it lies; `longer` is the number of epochs to try next."""
    columns = {"": "output", "_raw": "last step", **references.NAMES}
    values = {name: [metrics.get(name + suffix) for suffix in columns] for name in names}
    console = talk()
    if names:
        console.print(score_table(str(folder), list(columns.values()), values))
        more = f"python -m src.train {pasted('resume', folder)} trainer.max_epochs={longer}"
        console.print(verdict(names[0], metrics, more), soft_wrap=True, highlight=False)
    else:
        console.print(f"{folder}: not scored, as metrics.scores=null asked", soft_wrap=True)
    last = max((folder / IMAGES).glob("epoch_*.png"), default=folder / IMAGES)
    translate = f"python -m src.translate {pasted('run', folder)} input=... output=..."
    console.print(f"Look at {last}\nTranslate with: {translate}", soft_wrap=True)
