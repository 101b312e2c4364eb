"""A training and its folder: opened once, begun or continued, and finished by its scores."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from src.runs import resuming
from src.runs.folder import CONTENT, CONTENT_PICTURE, REQUEUED, save_config
from src.runs.lock import trained_alone
from src.runs.results import save_cost, save_metrics
from src.system.commit import git_commit


@dataclass(frozen=True)
class Run:
    """One training, of a translator or of a segmenter, in the folder that keeps it.

    Attributes:
        folder: of its files.
        config: what it trains by, resolved.
        continued: whether it was begun before, be it short of its first checkpoint.
        start: the checkpoint that it goes on from; None at the beginning.
        scores: of a run that was finished before, which then has nothing to do; else None.
        commit: of the code that was started, whatever is checked out by the end.
    """

    folder: Path
    config: DictConfig
    continued: bool
    start: Path | None
    scores: dict[str, float] | None
    commit: str

    def keep_config(self, *, but: Collection[str] = ()) -> None:
        """Write what it trains by; of a continued run all but the keys `but`, which stay as it was begun with."""
        if self.continued:
            resuming.keep_config(self.folder, self.config, but=but)
        else:
            save_config(self.folder, self.config)

    def finish(self, metrics: Mapping[str, float], protocol: Mapping[str, object], cost: Mapping[str, float]) -> None:
        """Write what it took, then its scores, and only with these it is finished.

        What src.content found of the weights that it had before it was trained longer goes.

        Args:
            metrics: by name.
            protocol: how they came about.
            cost: seconds, memory and the like, by name.
        """
        for name in (CONTENT, CONTENT_PICTURE):
            (self.folder / name).unlink(missing_ok=True)
        save_cost(self.folder, cost)
        save_metrics(self.folder, metrics, protocol)
        (self.folder / REQUEUED).unlink(missing_ok=True)


@contextmanager
def opened(folder: Path, config: DictConfig, *, resume: bool, epochs: int | None = None) -> Iterator[Run]:
    """The run in `folder`, for one process at a time; the ranks of one run count as one.

    Args:
        folder: exists.
        config: to train by.
        resume: whether it goes on with what is there.
        epochs: that a finished run should have; None where it cannot be trained longer.

    Raises UserError if another process trains there, if a new run would overwrite one, or if nothing whole is left of
    one that should go on.
    """
    with trained_alone(folder):
        commit, scores, start = git_commit(), None, None
        if not resume:
            resuming.refuse_second_run(folder)
        else:
            scores = resuming.finished(folder, epochs)
            start = None if scores is not None else resuming.checkpoint(folder)
        yield Run(folder, config, resume, start, scores, commit)
