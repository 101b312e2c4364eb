"""Lightning's side of W&B: a logger that records a run folder's training."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from src.data.images import Pixels
from src.metrics.direction import better
from src.runs.folder import load_config
from src.system.errors import one_of
from src.system.files import write
from src.training.wandb.session import MODES, in_one_line, package, say, start
from src.training.wandb.table import log_table, score_rows

if TYPE_CHECKING:
    from wandb import Run

_ID = "wandb_id"
"""In `logs`: id, project and entity of the W&B run, a line each."""


class WandbRun(Logger):
    """A logger that never ends training: what W&B refuses is said in one line, and training goes on.

    A run that cannot be started online is recorded offline. Rows are counted by batches seen, so that a run folder
    that is continued, mid-epoch too, continues the same W&B run on the same axis.

    Args:
        save_dir: `logs` of a run folder. The folder gives the name, and its config.yaml the configuration.
        project: on W&B.
        entity: user or team; None takes the account's own.
        group: None, or what the jobs of a sweep share.
        job_type: what the run does.
        tags: to filter by; empty ones are left out.
        mode: online, offline (needs neither account nor network) or disabled.
    """

    def __init__(
        self,
        save_dir: Path,
        *,
        project: str,
        entity: str | None,
        group: str | None,
        job_type: str,
        tags: Sequence[str | None],
        mode: str,
    ) -> None:
        super().__init__()
        one_of("logger.wandb.mode", mode, MODES)
        package()  # refused now, not after the data are read
        self._folder = save_dir
        self._mode = mode
        self._options = {
            "project": project,
            "entity": entity,
            "group": group,
            "job_type": job_type,
            "tags": [tag for tag in tags if tag],
        }
        self._run: Run | None = None
        self._gave_up = False
        self._defined: set[str] = set()

    @property
    def name(self) -> str:
        """Name of the run, on W&B too."""
        return self._folder.parent.name

    @property
    def version(self) -> str | None:
        """The W&B id, once there is one."""
        return None if self._run is None else self._run.id

    @property
    @rank_zero_experiment
    def experiment(self) -> "Run":
        """The W&B run, started by the first who asks; Lightning does before training."""
        if self._run is None:
            path = self._folder / _ID
            known = path.read_text().splitlines() if path.is_file() else []
            # the run that began, wherever W&B put it
            place = {name: value for name, value in zip(("project", "entity"), known[1:], strict=False) if value}
            asked = {"id": known[0] if known else secrets.token_hex(4), **self._options, **place}
            config = OmegaConf.to_container(load_config(self._folder.parent))
            run = start(self._folder, self._mode, resume="allow", name=self.name, config=config, **asked)
            self._run = run
            self._attempt(lambda run: run.define_metric("*", step_metric="batches"))
            if known and run.id != known[0]:
                say(f"a sweep's agent records this as {run.id}; what came before is {known[0]}")
            # what was asked is not what happened: an agent gives its runs ids and a project of its own
            write(path, f"{run.id}\n{run.project or ''}\n{run.entity or ''}\n".encode())
        return self._run

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Terms and scores, at Lightning's step: the index of the batch."""
        assert step is not None
        batches = step + 1
        for name in metrics:
            if name.startswith("val/") and name not in self._defined:
                self._defined.add(name)
                self._attempt(lambda run, name=name: _define_score(run, name))  # type: ignore[misc]
        self._attempt(lambda run: run.log({**metrics, "batches": batches}, step=batches))

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: the configuration is complete from the start."""

    @rank_zero_only
    def log_panel(self, picture: Pixels, batches: int) -> None:
        """A picture, [H, W, 3] of uint8, under `grid`."""
        self._attempt(
            lambda run: run.log({"grid": package().Image(picture), "batches": batches}, step=batches),
        )

    @rank_zero_only
    def log_scores(self, names: Sequence[str], metrics: Mapping[str, float], protocol: Mapping[str, object]) -> None:
        """What metrics.json holds goes into the summary; the scores called `names` are the table `scores` too."""
        self._attempt(lambda run: run.summary.update({**metrics, "protocol": dict(protocol)}))
        self._attempt(lambda run: log_table(run, "scores", score_rows(names, metrics)))

    def _attempt(self, act: Callable[["Run"], object]) -> None:
        if self._gave_up:
            return
        try:
            act(self.experiment)
        except Exception as error:
            self._gave_up = True
            say(f"{in_one_line(error)}; training goes on without it")


def log_scores(
    loggers: Iterable[Logger], names: Sequence[str], metrics: Mapping[str, float], protocol: Mapping[str, object]
) -> None:
    """Hand a run's final scores to W&B, where that is one of its loggers."""
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.log_scores(names, metrics, protocol)


def _define_score(run: "Run", name: str) -> None:
    best = {"higher": "max,last", "lower": "min,last", "nearer to 1": "last"}[better(name.removeprefix("val/"))]
    run.define_metric(name, step_metric="batches", summary=best)
