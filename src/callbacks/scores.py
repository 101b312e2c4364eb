"""Scores of the averaged translator during training, on the validation frames."""

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from src.modules.translation import Translation
from src.validation import Validation


class EpochScores(Callback):
    """Logs `val/<score>` at the end of every n-th epoch.

    Args:
        validation: frames and scores.
        every_n_epochs: how often.
    """

    def __init__(self, validation: Validation, *, every_n_epochs: int) -> None:
        self.validation = validation
        self.every_n_epochs = every_n_epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Translate and score."""
        if (trainer.current_epoch + 1) % self.every_n_epochs or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Translation)
        scores = self.validation.score(pl_module.average.network)
        pl_module.log_dict({f"val/{name}": value for name, value in scores.items()}, rank_zero_only=True)
