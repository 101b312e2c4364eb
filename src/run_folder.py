"""What Hydra leaves out about the folder of a run: one that cannot be made is a mistake in one line."""

import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from src.errors import unwritable


class Writable(Callback):
    """Ends `hydra.run.dir=<a file>` and its like with one line and exit code 1, where Hydra shows its own stack."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before the job of a single run."""
        _make(Path(config.hydra.run.dir))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before the jobs of a sweep."""
        _make(Path(config.hydra.sweep.dir))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        # Hydra turns a callback's exceptions into warnings; this one is none
        sys.exit(unwritable(error))
