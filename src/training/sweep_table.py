"""The table of a sweep, in its folder and on W&B, without anybody asking for it."""

import sys
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from src.system.errors import UserError
from src.system.ranks import say
from src.tables.report import report
from src.tables.table.table import Table
from src.training.wandb.table import log_report


class SweepTable(Callback):
    """Keeps the table in a sweep's folder: after each of its jobs, so that no later failure costs it, and at its end.

    A job in a process of its own, here or on another machine, does so itself.
    """

    def __init__(self) -> None:
        self._written: Table | None = None

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Write the table of the jobs that have ended so far."""
        if config.hydra.mode == RunMode.MULTIRUN and (table := _keep(config)) is not None:
            say(f"table: {_folder(config) / 'table.md'}")
            self._written = table

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write what jobs have left since: one that was killed elsewhere could not. Jobs here have said where."""
        table = _keep(config, self._written)
        if table is not None and self._written is None:
            say(f"table: {_folder(config) / 'table.md'}")
        wandb = config.get("logger", {}).get("wandb")
        if table is not None and wandb is not None:
            sweep = Path(config.hydra.sweep.dir)
            log_report(sweep, table.records(), project=wandb.project, entity=wandb.entity, mode=wandb.mode)


@rank_zero_only
def _keep(config: DictConfig, written: Table | None = None) -> Table | None:
    sweep = _folder(config)
    try:
        return report([sweep], sweep, written=written)
    except UserError as error:
        print(f"no table: {error}", file=sys.stderr)
        return None


def _folder(config: DictConfig) -> Path:
    return Path(config.hydra.runtime.cwd, config.hydra.sweep.dir)
