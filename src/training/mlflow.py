"""MLflow's side of a run: Lightning's logger, with the run's name, settings and final scores, continued by resume=."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger
from lightning.pytorch.utilities import rank_zero_only

from src.runs.folder import load_config
from src.runs.survey import flat
from src.system import packages
from src.system.errors import UserError
from src.system.files import write

_ID = "mlflow_id"
"""In `logs`: id of the MLflow run."""


class MlflowRun(MLFlowLogger):
    """Lightning's logger for a run folder: its name is the run's, and its config.yaml the parameters.

    Args:
        save_dir: `logs` of the run folder.
        experiment: what MLflow gathers runs under.
        tracking_uri: a database of MLflow's, as `sqlite:///outputs/mlflow.db`, or the address of a server.
    """

    def __init__(self, save_dir: Path, *, experiment: str, tracking_uri: str) -> None:
        self._kept = save_dir / _ID
        packages.demand("logger=mlflow", "mlflow", extra="mlflow", further=", or take logger=default")
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it tells its makers otherwise
        try:
            super().__init__(
                experiment_name=experiment,
                run_name=save_dir.parent.name,
                tracking_uri=tracking_uri,
                run_id=self._kept.read_text().strip() if self._kept.is_file() else None,
            )
        except Exception as error:  # MLflow's own, which cannot be named without it
            raise UserError(f"logger.mlflow.tracking_uri: {' '.join(str(error).split())}") from error

    @rank_zero_only
    def begin(self) -> None:
        """Start the MLflow run, or go on with the one that this folder has, and give it the settings."""
        if not self._kept.is_file():
            settings = flat(load_config(self._kept.parent.parent))
            self.log_hyperparams({name: value for name, value in settings.items() if value is not None})
            write(self._kept, f"{self.run_id}\n".encode())

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Terms and scores, at Lightning's step: the index of the batch."""
        self.begin()
        super().log_metrics(metrics, step)

    @rank_zero_only
    def log_scores(self, metrics: Mapping[str, float], protocol: Mapping[str, Any], step: int) -> None:
        """What metrics.json holds."""
        super().log_metrics(metrics, step)
        for name, value in protocol.items():
            self.experiment.set_tag(self.run_id, f"protocol.{name}", str(value))


def log_scores(
    loggers: Iterable[Logger], metrics: Mapping[str, float], protocol: Mapping[str, Any], batches: int
) -> None:
    """Hand a run's final scores to MLflow, where that is one of its loggers."""
    for logger in loggers:
        if isinstance(logger, MlflowRun):
            logger.log_scores(metrics, protocol, batches)
