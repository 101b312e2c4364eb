"""What a run logged while it trained, read from its folder: every quantity by epoch."""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from src.runs.folder import LOGS
from src.system.errors import UserError

_AXES = ("epoch", "step")

Log = Mapping[str, Mapping[int, float]]
"""By name, then by epoch, from 1: the mean of what was logged in that epoch."""


def read(folder: Path) -> Log:
    """The log of a run folder; empty where none was kept.

    A run that was resumed has several files. What a later one holds of a step takes the place of what an earlier one
    holds of it, as those steps were done again. Values that are not finite are left out.

    Raises UserError if a file is there but is no log.
    """
    values: dict[str, dict[int, tuple[int, float]]] = {}
    for path in _files(folder):
        try:
            for name, step, epoch, value in _entries(path):
                values.setdefault(name, {})[step] = (epoch, value)
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise UserError(f"{path}: not the log of a run ({error!r}); mend or remove it") from error
    return {name: _by_epoch(by_step.values()) for name, by_step in sorted(values.items())}


def batches(folder: Path) -> int | None:
    """Batches up to the last line of the log of a run, which may still be written to; None without one."""
    last = -1
    for path in _files(folder):
        try:
            with path.open(newline="") as file:
                steps = [row.get("step") or "" for row in csv.DictReader(file)]
        except (OSError, ValueError, csv.Error):
            continue
        last = max([last, *(int(step) for step in steps if step.isdecimal())])
    return last + 1 if last >= 0 else None


def _files(folder: Path) -> list[Path]:
    versions = {
        int(path.parent.name.removeprefix("version_")): path
        for path in (folder / LOGS / "csv").glob("version_*/metrics.csv")
        if path.parent.name.removeprefix("version_").isdecimal()
    }
    return [versions[number] for number in sorted(versions)]


def _entries(path: Path) -> Iterator[tuple[str, int, int, float]]:
    with path.open(newline="") as file:
        for line in csv.DictReader(file, strict=True):
            step, epoch = int(line["step"]), int(line["epoch"]) + 1
            for name, text in line.items():
                if name not in _AXES and text and math.isfinite(value := float(text)):
                    yield name, step, epoch, value


def _by_epoch(entries: Iterable[tuple[int, float]]) -> dict[int, float]:
    collected: dict[int, list[float]] = {}
    for epoch, value in entries:
        collected.setdefault(epoch, []).append(value)
    return {epoch: math.fsum(values) / len(values) for epoch, values in sorted(collected.items())}
