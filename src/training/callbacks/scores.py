"""Scores of the averaged translator during training, on the validation frames."""

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from src.training.callbacks.curve import Curve
from src.training.translation import Translation
from src.training.validation import Validation


class EpochScores(Callback):
    """Logs `val/<score>` at the end of every n-th epoch, and remembers the best epoch, over a resume too.

    The best epoch is the one of the lowest headline score, KID.

    Args:
        validation: frames and scores.
        curve: keeps them beside what training took.
        every_n_epochs: how often.
    """

    def __init__(self, validation: Validation, curve: Curve, *, every_n_epochs: int) -> None:
        self.validation, self.curve = validation, curve
        self.every_n_epochs = every_n_epochs
        self._epoch, self._scores = 0, dict[str, float]()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Translate and score, on all ranks."""
        epoch = trainer.current_epoch + 1
        if epoch % self.every_n_epochs:
            return
        assert isinstance(pl_module, Translation)
        scores = self.validation.score(pl_module.average.network)
        pl_module.log_dict({f"val/{name}": value for name, value in scores.items()}, rank_zero_only=True)
        self.curve.add(trainer, epoch, scores)
        self._remember(epoch, scores)

    def best(self, epoch: int, scores: dict[str, float]) -> dict[str, float]:
        """`best_epoch` and `<score>_best`, all scores of that one epoch, once the last epoch's are known too."""
        self._remember(epoch, scores)
        return {"best_epoch": self._epoch, **{f"{name}_best": value for name, value in self._scores.items()}}

    def state_dict(self) -> dict[str, Any]:
        """The best epoch so far."""
        return {"epoch": self._epoch, "scores": self._scores}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._epoch, self._scores = state_dict["epoch"], state_dict["scores"]

    def _remember(self, epoch: int, scores: dict[str, float]) -> None:
        headline = self.validation.scores.names[0]
        if not self._scores or scores[headline] < self._scores[headline]:
            self._epoch, self._scores = epoch, dict(scores)
