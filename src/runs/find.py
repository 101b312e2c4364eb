"""Run folders below a folder."""

from collections.abc import Iterator
from pathlib import Path

from src.runs.folder import CONFIG, METRICS
from src.system.errors import UserError

SWEEP = "multirun.yaml"
"""Hydra leaves it in the folder of a sweep."""


def find(folder: Path, *, links: bool = False, jobs: bool = False) -> Iterator[Path]:
    """Run folders at and below a folder, sorted; hidden folders are passed over, and so is what a run holds.

    Args:
        folder: to look in.
        links: follow those to other folders, each folder once; else they are passed over.
        jobs: also a job of a sweep that ended before it wrote anything, whose folder holds no run.

    Raises UserError if there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name one that holds runs")
    yield from _find(folder, set(), links=links, jobs=jobs)


def _find(folder: Path, seen: set[Path], *, links: bool, jobs: bool) -> Iterator[Path]:
    seen.add(folder.resolve())
    if any((folder / name).is_file() for name in (CONFIG, METRICS)):
        yield folder
        return
    in_sweep = jobs and (folder / SWEEP).is_file()
    for child in _folders(folder):
        if child.name.startswith(".") or (child.is_symlink() and not links) or child.resolve() in seen:
            continue
        below = list(_find(child, seen, links=links, jobs=jobs))
        yield from below or ([child] if in_sweep else [])


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir())
    except OSError:  # one that may not be read, or that has just gone
        return []
