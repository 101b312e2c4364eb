"""What a value may be, where no constructor below refuses it in words of its own."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from src.errors import UserError

STRATEGIES = ("auto", "ddp_find_unused_parameters_true")


def check(config: DictConfig) -> None:
    """Refuse, before anything is read or written, values no constructor below refuses in words of its own."""
    check_fit(config)
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
    """The part of it that every training has: seed, rate and trainer."""
    trainer = config.trainer
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
    lossy = ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16")
    _demand(trainer.precision not in lossy, "trainer.precision", trainer.precision, "keep weights in fp32: bf16-mixed")
    _demand(trainer.strategy in STRATEGIES, "trainer.strategy", trainer.strategy, "be auto, or chosen with trainer=ddp")


def _demand(holds: bool, name: str, value: Any, rule: str) -> None:
    if not holds:
        raise UserError(f"{name} must {rule}, got {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
