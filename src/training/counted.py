"""What every training here counts and keeps: its batches, its seconds, and that its terms are finite."""

import time
from typing import Any

from lightning import LightningModule

from src.training.finite import FiniteTerms, demand_finite


class CountedModule(LightningModule):
    """A Lightning module whose checkpoints hold how far it is.

    Attributes:
        batches: of all epochs; Lightning's global_step counts optimiser steps.
        finite: watches the terms of the objective.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0
        self.finite = FiniteTerms()
        self._started, self._seconds_before = time.monotonic(), 0.0

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the number of batches and the seconds; raises UserError for terms or weights that are not finite."""
        self.finite.demand()
        demand_finite(checkpoint, self.batches)
        checkpoint["batches"] = self.batches
        checkpoint["seconds"] = self.seconds()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore them."""
        self.batches = checkpoint["batches"]
        self._seconds_before = checkpoint["seconds"]

    def seconds(self) -> float:
        """Wall time of the run so far, over all its starts."""
        return self._seconds_before + time.monotonic() - self._started
