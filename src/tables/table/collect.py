"""Run folders, found and read: what the table is made of."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.runs.find import find
from src.runs.folder import CONFIG, METRICS, load_config
from src.runs.results import load_cost, load_metrics
from src.runs.survey import flat
from src.system.errors import UserError


@dataclass(frozen=True)
class ScoredRun:
    """A finished run.

    Attributes:
        name: its folder, relative to what all runs of the table have in common.
        variant: which row of the ablation it belongs to.
        seed: of the run.
        config: by dotted key; lists are leaves.
        metrics: by name.
        protocol: what the metrics need beside them.
        cost: seconds and memory, by name; empty where its folder does not say.
        folder: where it lies.
    """

    name: str
    variant: str
    seed: int
    config: Mapping[str, Any]
    metrics: Mapping[str, float]
    protocol: Mapping[str, Any]
    cost: Mapping[str, float] = field(default_factory=dict)
    folder: Path = Path()


@dataclass(frozen=True)
class Collection:
    """Finished runs, and the names of those that left no scores; both sorted by name."""

    finished: Sequence[ScoredRun]
    unfinished: Sequence[str]


def collect(folders: Sequence[Path]) -> Collection:
    """Every run in `folders`: run folders, sweeps, or folders of those at any depth.

    Raises UserError if a folder is missing, holds no run, or holds one that cannot be read.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; name run folders or a sweep")
        below = [path.resolve() for path in find(folder, links=True, jobs=True)]
        if not below:
            raise UserError(f"{folder}: holds no run; name run folders or a sweep that src.train wrote")
        found += below
    unique = sorted(set(found))
    base = Path(os.path.commonpath([path.parent for path in unique]))
    finished, unfinished = [], []
    for path in unique:
        name = path.relative_to(base).as_posix()
        if (path / METRICS).is_file():
            finished.append(_read(path, name))
        else:
            unfinished.append(name)
    return Collection(finished, unfinished)


def _read(folder: Path, name: str) -> ScoredRun:
    metrics, protocol = load_metrics(folder)
    config = flat(load_config(folder))
    variant, seed = config.get("variant"), config.get("seed")
    if not isinstance(variant, str) or not isinstance(seed, int):
        lacking = "seed" if isinstance(variant, str) else "variant"
        raise UserError(f"{folder / CONFIG}: names no {lacking}, so the run has no row; leave it out or repeat it")
    return ScoredRun(name, variant, seed, config, metrics, protocol, load_cost(folder), folder)
