"""How far a training has come, as its data, its checkpoints and its progress bar have to know."""

from lightning import LightningModule, Trainer


def batches(module: LightningModule) -> int:
    """How many a module has been trained on, of all epochs and starts, which it counts itself."""
    counted: int = module.batches  # type: ignore[assignment]
    return counted


def position(trainer: Trainer | None) -> tuple[int, int]:
    """The epoch that training is in, from 0, and how many of its batches are done."""
    assert trainer is not None
    return divmod(batches(trainer.lightning_module), int(trainer.num_training_batches))
