"""How often the logs are written."""

from lightning import Trainer


def log_interval(trainer: Trainer) -> int:
    """Batches between two entries of a log; Lightning sets the attribute without declaring it."""
    interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return interval
