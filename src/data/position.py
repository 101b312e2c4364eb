"""How far a training has come, as its data, its checkpoints and its progress bar have to know."""

from typing import Protocol, runtime_checkable

from lightning import LightningModule, Trainer


@runtime_checkable
class Counted(Protocol):
    """A module that counts the batches it has been trained on, of all epochs and starts."""

    batches: int


def batches(module: LightningModule) -> int:
    """How many it has been trained on."""
    assert isinstance(module, Counted)
    return module.batches


def position(trainer: Trainer | None) -> tuple[int, int]:
    """The epoch that training is in, from 0, and how many of its batches are done."""
    assert trainer is not None
    return divmod(batches(trainer.lightning_module), int(trainer.num_training_batches))
