"""What Hydra leaves out: a folder that cannot be made, and a sweep without a job, are mistakes in one line."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from src.system.errors import unwritable
from src.system.unpromised import hydra_loader, hydra_reads


class Writable(Callback):
    """Ends `hydra.run.dir=<a file>` and its like with one line and exit code 1, where Hydra shows its own stack."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before the job of a single run."""
        _check(config, "hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before the jobs of a sweep."""
        _check(config, "hydra.sweep.dir")


class RefuseEmpty(Callback):
    """Ends `-m table1=glob(x*)` with one line and exit code 1, where Hydra would run nothing and say nothing."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Before any job and any folder."""
        loader = hydra_loader(GlobalHydra.instance())
        parser = OverridesParser.create(config_loader=loader)
        for override in parser.parse_overrides(list(config.hydra.overrides.task)):
            if not override.is_discrete_sweep() or any(True for _ in override.sweep_string_iterator()):
                continue
            there = loader.get_group_options(override.key_or_group)
            message = f"{override.input_line}: matches nothing, so there is no job to run"
            # Hydra turns a callback's exceptions into warnings; this one is none
            sys.exit(f"{message}; there are {', '.join(there)}" if there else message)


def _check(config: DictConfig, key: str) -> None:
    with hydra_reads(HydraConfig.instance(), config):  # which the name of the folder refers to
        folder = Path(str(OmegaConf.select(config, key)))
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))
    reason = errno.ENOTDIR if not there.is_dir() else 0 if os.access(there, os.W_OK | os.X_OK) else errno.EACCES
    if reason:
        # Hydra turns a callback's exceptions into warnings; this one is none
        sys.exit(unwritable(OSError(reason, os.strerror(reason), str(folder))))
