"""What was typed to make the runs, as far as their folders say."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from src.runs.find import SWEEP
from src.tables.table.collect import ScoredRun

EXPERIMENTS = ("sweep.yaml", "content.yaml")  # of a kept experiment, beside its folder of runs


def commands(runs: Sequence[ScoredRun]) -> tuple[list[str], list[str]]:
    """Command lines, each once; and the names of the runs of which none is known."""
    found: dict[str, None] = {}
    unknown = []
    for run in runs:
        line = _sweep(run.folder.parent / SWEEP) or _experiment(run.folder.parent.parent)
        if line is None:
            unknown.append(run.name)
        else:
            found[line] = None
    return list(found), unknown


def _sweep(path: Path) -> str | None:
    """From what Hydra keeps of a multirun."""
    try:
        kept = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        overrides = kept["hydra"]["overrides"]["task"]  # type: ignore[index,call-overload]
        return shlex.join(["python", "-m", "src.train", "-m", *map(str, overrides)])
    except Exception:  # a file that is missing, torn or a stranger's: nothing is known
        return None


def _experiment(folder: Path) -> str | None:
    if any((folder / name).is_file() for name in EXPERIMENTS):
        return shlex.join(["python", "experiments/run.py", folder.name])
    return None
