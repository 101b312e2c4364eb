"""How much of a map training looks at: the share of places that were chosen at least once."""

from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from src.training.callbacks.watched import Watched
from src.training.translation import Translation
from src.training.validation import Validation

FRAMES = 4


class Reach(Callback):
    """Logs `places/<tap>_reached` after every epoch, over a resume too; 1 means that each place was chosen once.

    One choice an epoch and frame is counted, on a few fixed validation frames, with draws of that epoch: N fresh
    random places of P would reach 1 - (1 - N / P)^epochs, and a choice that never moves stays at N / P.

    Args:
        validation: gives the frames.
        seed: of the run.
    """

    def __init__(self, validation: Validation, *, seed: int) -> None:
        self.validation, self.seed = validation, seed
        self.chosen: dict[str, list[Tensor]] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Read the frames."""
        self.watched = Watched(self.validation, FRAMES)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose once on each frame, with the weights and the attention in training."""
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Translation)
        of_epoch = self.watched.maps(trainer, pl_module, seed=self.seed, draws=trainer.current_epoch + 1)
        for number, (_, maps) in enumerate(of_epoch):
            for tap, one in maps.items():
                of_tap = self.chosen.setdefault(tap, [])
                if len(of_tap) == number:
                    of_tap.append(torch.zeros(one.score.shape[1], dtype=torch.bool))
                of_tap[number][one.places[0].cpu()] = True
        shares = {
            f"places/{tap}_reached": torch.stack([one.float().mean() for one in of_tap]).mean()
            for tap, of_tap in self.chosen.items()
        }
        pl_module.log_dict(shares, rank_zero_only=True)

    def state_dict(self) -> dict[str, Any]:
        """What was chosen so far."""
        return {"chosen": self.chosen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.chosen = state_dict["chosen"]
