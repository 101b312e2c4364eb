"""What Hydra leaves out about the folder of a run: one that cannot be made is a mistake in one line."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from src.system.errors import unwritable


class Writable(Callback):
    """Ends `hydra.run.dir=<a file>` and its like with one line and exit code 1, where Hydra shows its own stack."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before the job of a single run."""
        _check(config, "hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before the jobs of a sweep."""
        _check(config, "hydra.sweep.dir")


def _check(config: DictConfig, key: str) -> None:
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)  # which the name of the folder refers to, and Hydra sets only later
    folder = Path(str(OmegaConf.select(config, key)))
    HydraConfig.instance().cfg = before
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))
    reason = errno.ENOTDIR if not there.is_dir() else 0 if os.access(there, os.W_OK | os.X_OK) else errno.EACCES
    if reason:
        # Hydra turns a callback's exceptions into warnings; this one is none
        sys.exit(unwritable(OSError(reason, os.strerror(reason), str(folder))))
