"""Removing runs, or the checkpoints of finished ones: everything is checked before anything is removed."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.runs.find import find
from src.runs.folder import ALL, CHECKPOINTS, CONFIG, LOCK, METRICS
from src.runs.survey import FoundRun, config_of, describe
from src.system.alone import alone
from src.system.errors import UserError, did_you_mean, unwritable


@dataclass(frozen=True)
class Removal:
    """What goes of one run.

    Attributes:
        run: as it stands now.
        paths: in its folder, the configuration last: until then the folder tells what it is, whatever stops us.
        whole: whether the folder goes too.
        bytes: that become free.
    """

    run: FoundRun
    paths: Sequence[Path]
    whole: bool
    bytes: int


def plan(names: Sequence[str], root: Path, *, checkpoints: bool) -> list[Removal]:
    """What would be removed.

    Args:
        names: of run folders below `root`, as a list of them shows them, or paths that lead there.
        root: nothing outside it is touched.
        checkpoints: only those of finished runs.

    Raises UserError for anything but the folder of a run that src.train or src.segment wrote and that nobody trains
    in: another folder, a link, one that lies elsewhere, holds other runs or files that no run writes. With
    `checkpoints`, also for a run that is not finished, as it needs them to go on.
    """
    folders = dict.fromkeys(_named(name, root) for name in names)
    return [_removal(folder, root, checkpoints=checkpoints) for folder in folders]


def remove(removal: Removal) -> None:
    """Remove what was planned; no training can begin there meanwhile.

    Raises UserError if one has, or if something cannot be removed.
    """
    folder = removal.run.folder
    try:
        with alone(folder / LOCK, f"{folder}: a process trains here; stop it first"):
            for path in removal.paths:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        if removal.whole:
            folder.rmdir()
    except OSError as error:
        raise UserError(unwritable(error).replace("written", "removed", 1)) from error


def _named(name: str, root: Path) -> Path:
    base = Path(os.path.abspath(root))
    below = Path(os.path.abspath(base / name))
    given = Path(os.path.abspath(name))
    path = below if os.path.lexists(below) or not os.path.lexists(given) else given
    if path == base or not path.is_relative_to(base):
        raise UserError(f"{name}: lies outside {root}; name the folder it lies in with --folder")
    if any(step.is_symlink() for step in (path, *path.parents) if step.is_relative_to(base) and step != base):
        raise UserError(f"{name}: is a link, or lies behind one; name the run folder itself")
    if not path.is_dir():
        near = did_you_mean(name, [run.relative_to(root).as_posix() for run in find(root)])
        raise UserError(f"{name}: no such run in {root}{near}")
    return path


def _removal(folder: Path, root: Path, *, checkpoints: bool) -> Removal:
    if not any((folder / name).is_file() for name in (CONFIG, METRICS)):
        raise UserError(f"{folder}: not a run folder; only what src.train and src.segment wrote is removed")
    run = describe(folder, folder.relative_to(os.path.abspath(root)).as_posix())
    if run.state == "running":
        raise UserError(f"{folder}: a process trains here; stop it first")
    try:
        config = config_of(folder)
    except ValueError as error:
        raise UserError(f"{folder}: {CONFIG} is no run's; look at the folder and remove it yourself") from error
    if checkpoints:
        if run.state != "finished":
            raise UserError(f"{folder}: the run is {run.state}, not finished, and needs its checkpoint to go on")
        paths = [folder / name for name in CHECKPOINTS if (folder / name).is_file()]
        return Removal(run, paths, whole=False, bytes=run.checkpoint_bytes)
    foreign = sorted(set(os.listdir(folder)) - set(_written(folder, config)))
    if foreign:
        raise UserError(f"{folder}: holds {foreign[0]}, which no run writes; move it away, then remove the run")
    inner = [path.parent for name in (CONFIG, METRICS) for path in folder.glob(f"*/**/{name}")]
    if inner:
        raise UserError(f"{folder}: holds another run, {min(inner).relative_to(folder)}; remove or move that first")
    paths = [folder / name for name in sorted(os.listdir(folder)) if name not in (CONFIG, LOCK)]
    return Removal(run, [*paths, folder / CONFIG], whole=True, bytes=run.bytes)


def _written(folder: Path, config: dict[str, object]) -> Iterator[str]:
    """Names that a run may leave at the top of its folder."""
    yield from ALL
    yield from (path.name for path in folder.glob(".*.part"))
    if isinstance(per_image := config.get("metrics.per_image"), str):
        yield Path(per_image).parts[0]
