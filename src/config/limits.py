"""What a value may be, where no constructor below refuses it in words of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from src.config import build
from src.system.errors import UserError, did_you_mean

LIGHTNINGS_OWN = {
    **dict.fromkeys(
        ("max_steps", "min_steps", "fast_dev_run"),
        "counts steps of optimisers, not batches; use trainer.max_epochs and trainer.limit_train_batches "
        "(N batches: trainer.max_epochs=1 trainer.limit_train_batches=N)",
    ),
    **dict.fromkeys(
        ("val_check_interval", "check_val_every_n_epoch", "num_sanity_val_steps", "limit_test_batches"),
        "has no effect, as Lightning validates nothing here; metrics.every_n_epochs scores during training",
    ),
    "limit_predict_batches": "has no effect, as Lightning predicts nothing here; leave it out",
    **dict.fromkeys(
        ("callbacks", "logger", "plugins", "default_root_dir", "enable_progress_bar", "enable_model_summary"),
        "is set by the package; use the groups callbacks and logger, or leave it out",
    ),
    "overfit_batches": "has no effect; use data.samples_per_epoch",
    "max_time": "would end a run in the middle of an epoch as if it were finished; put `timeout -s INT <time>` before "
    "the command, which stops it with a checkpoint",
}
"""Settings of its Trainer that count or mean something else here, and what to use instead."""
TWO_PLAYERS = {
    "accumulate_grad_batches": "is for one optimiser; use module.accumulate",
    "gradient_clip_val": "is for one optimiser; leave it out",
    "gradient_clip_algorithm": "is for one optimiser; leave it out",
}
"""Those that fit a segmenter but no translator."""
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
BUILT = ("data", "metrics.scores", "module", "optimizer", "extractor", "callbacks", "logger", "trainer")
"""Nodes whose settings are held against their classes before any of them reads, draws or downloads."""
STRATEGIES = ("auto", "ddp_find_unused_parameters_true")


def check(config: DictConfig) -> None:
    """Refuse, before anything is read or written, values no constructor below refuses in words of its own."""
    check_fit(config)
    _refuse(config, TWO_PLAYERS)
    every = config.metrics.every_n_epochs
    _demand(
        every is None or (isinstance(every, int) and every >= 1), "metrics.every_n_epochs", every, "be null or >= 1"
    )
    csv = config.metrics.per_image
    _demand(
        csv is None or (isinstance(csv, str) and Path(csv).name == csv),
        "metrics.per_image",
        csv,
        "be a file name, put into the run folder",
    )
    begun = config.get("extended_from")
    _demand(
        begun is None or (type(begun) is int and 1 <= begun <= config.trainer.max_epochs),
        "extended_from",
        begun,
        "be the epochs that a run was begun with, which resume= knows",
    )
    if config.metrics.scores is None:
        for name in ("every_n_epochs", "per_image"):
            value = config.metrics[name]
            _demand(value is None, f"metrics.{name}", value, "be null where nothing is scored (metrics.scores=null)")


def check_fit(config: DictConfig) -> None:
    """The part of it that every training has: seed, rate, trainer and device, and settings that no class takes."""
    _refuse(config, LIGHTNINGS_OWN)
    trainer = config.trainer
    _demand_device(trainer.accelerator)
    _demand(0 <= config.seed < 2**32, "seed", config.seed, "lie in [0, 2^32)")
    rate = config.optimizer.lr
    _demand(_is_number(rate) and 0 < rate < float("inf"), "optimizer.lr", rate, "be a number > 0")
    for name in ("max_epochs", "log_every_n_steps"):
        value = trainer[name]
        _demand(isinstance(value, int) and value >= 1, f"trainer.{name}", value, "be a whole number >= 1")
    for name in ("limit_train_batches", "limit_val_batches"):
        value = trainer[name]
        share = isinstance(value, float)
        fits = _is_number(value) and 0 < value <= (1.0 if share else float("inf"))
        _demand(fits, f"trainer.{name}", value, "be a whole number > 0, or a share up to 1.0")
    # Lightning would split each rank's draws once more, in an order of its own
    splits = trainer.get("use_distributed_sampler", False)
    _demand(splits is False, "trainer.use_distributed_sampler", splits, "be false: draws split themselves over ranks")
    lossy = ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16")
    _demand(trainer.precision not in lossy, "trainer.precision", trainer.precision, "keep weights in fp32: bf16-mixed")
    _demand(trainer.strategy in STRATEGIES, "trainer.strategy", trainer.strategy, "be auto, or chosen with trainer=ddp")
    for name in BUILT:
        if isinstance(node := OmegaConf.select(config, name), DictConfig):
            build.check(node, name)


def _refuse(config: DictConfig, settings: Mapping[str, str]) -> None:
    for name, mend in settings.items():
        if name in config.trainer:
            raise UserError(f"trainer.{name} {mend}")


def _demand(holds: bool, name: str, value: Any, rule: str) -> None:
    if not holds:
        raise UserError(f"{name} must {rule}, got {value!r}")


def _demand_device(accelerator: object) -> None:
    """Refuse a device that is not here, before anything is drawn or downloaded for it."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    there["gpu"] = any(there.values())
    if accelerator not in ACCELERATORS:
        near = did_you_mean(accelerator, ACCELERATORS)
        raise UserError(f"trainer.accelerator must be one of {', '.join(ACCELERATORS)}, got {accelerator!r}{near}")
    if not there.get(str(accelerator), True):
        seen = next((name for name in ("cuda", "mps") if there[name]), None)
        raise UserError(
            f"trainer.accelerator={accelerator}: there is no such device here (PyTorch sees {seen or 'no GPU'}); give "
            "trainer=cpu, or trainer.accelerator=auto for what there is"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
