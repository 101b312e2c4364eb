"""Continuing a run: its own configuration, the checkpoint it goes on from, and what a kill has left lying."""

import os
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from src.config import command
from src.config.quoting import pasted
from src.runs.folder import CHECKPOINTS, METRICS, REQUEUED, WEIGHTS, load_config, save_config
from src.runs.results import load_metrics
from src.system.errors import UserError
from src.system.ranks import is_first, say

EXTENDED = "extended_from"
"""In the configuration of a run that was trained longer: the epochs it was begun with."""
REPEATED = ("data", "extractor")
"""Groups whose choice may be repeated beside resume=."""


def begun(folder: Path) -> bool:
    """Whether a run in `folder` has come as far as a checkpoint."""
    return any((folder / name).is_file() for name in CHECKPOINTS)


def requeued(folder: Path) -> bool:
    """Whether this job was started before: by SLURM, or by submitit after the run in `folder` asked for it."""
    if "SUBMITIT_EXECUTOR" in os.environ and (folder / REQUEUED).exists():
        return True
    return os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def refuse_second_run(folder: Path) -> None:
    """Raise UserError if `folder` already holds a run worth keeping."""
    if begun(folder) or (folder / WEIGHTS).exists():
        on = pasted("resume", folder)
        raise UserError(f"{folder}: already holds a run; continue it with {on} or name another folder")


def configured(
    folder: Path, config: DictConfig, free: Mapping[str, Sequence[str]], choices: Mapping[str, Collection[str]]
) -> tuple[DictConfig, bool]:
    """What to train by in `folder`, and whether that goes on with a run: as resume= asks, or in a job come back.

    Args:
        folder: of the run.
        config: as the command line has composed it.
        free: see `saved_config`.
        choices: see `saved_config`.
    """
    if config.resume is not None:
        return extended(folder, saved_config(folder, config, free, choices)), True
    if requeued(folder) and begun(folder):
        return load_config(folder), True
    return config, False


def saved_config(
    folder: Path, config: DictConfig, free: Mapping[str, Sequence[str]], choices: Mapping[str, Collection[str]]
) -> DictConfig:
    """The configuration of the run that `resume=` names, with what may change taken from the command line.

    A choice of what the data or the extractor are may be repeated: keys below it may need it.

    Args:
        folder: of the run.
        config: as the command line has composed it.
        free: keys that may change, and where their values stand in a configuration that is resolved.
        choices: overrides of a group that may be given, and the keys they decide.

    Raises UserError if anything else was asked for, or if there is no run.
    """
    if command.in_sweep():
        raise UserError("resume continues one run at a time; leave out -m")
    task = HydraConfig.get().overrides.task
    keys = {item.partition("=")[0]: item for item in task}
    if not any(folder.iterdir()):
        folder.rmdir()  # Hydra has just made it
        raise UserError(f"resume={folder}: no such run folder; check the path")
    saved = load_config(folder)
    repeated = {group for group in REPEATED if _targets(config, group) == _targets(saved, group)}
    others = [item for key, item in keys.items() if item not in choices and key not in {"resume", *free, *repeated}]
    if others:
        raise UserError(f"resume continues a run as it was configured; leave out {' '.join(others)} or start a new run")
    decided = {key: (key,) for item in task for key in choices.get(item, ())}
    for key, places in {**{key: free[key] for key in keys.keys() & free.keys()}, **decided}.items():
        for place in places:
            parent = place.rpartition(".")[0]
            if not parent or OmegaConf.select(saved, parent) is not None:  # no extractor where nothing is scored
                OmegaConf.update(saved, place, OmegaConf.select(config, key), merge=False)
    return saved


def _targets(config: DictConfig, group: str) -> list[str]:
    return [str(OmegaConf.select(config, f"{group}{inner}._target_")) for inner in ("", ".layout")]


def keep_config(folder: Path, config: DictConfig, *, but: Collection[str]) -> None:
    """Write what a run goes on with, such as where its data lie now.

    Args:
        folder: of the run.
        config: resolved.
        but: keys that stay what the run was begun with: data.batch_size is of its devices then.
    """
    begun, kept = load_config(folder), config.copy()
    for key in but:
        OmegaConf.update(kept, key, OmegaConf.select(begun, key), force_add=True)
    save_config(folder, kept)


def extended(folder: Path, saved: DictConfig) -> DictConfig:
    """A configuration whose trainer.max_epochs may be more than that of the finished run in its folder.

    Then it says as `extended_from` after how many epochs the run had first ended.

    Raises UserError if the run is not finished, or for fewer epochs.
    """
    epochs, before = saved.trainer.max_epochs, load_config(folder).trainer.max_epochs
    if epochs == before or not isinstance(epochs, int):
        return saved
    if not (folder / METRICS).is_file():
        on = pasted("resume", folder)
        raise UserError(f"trainer.max_epochs: a run is trained longer once it has ended; first {on} alone")
    if epochs < before:
        raise UserError(f"trainer.max_epochs={epochs}: the run has had {before}; give more to train it longer")
    return OmegaConf.merge({EXTENDED: before}, saved)  # type: ignore[return-value]  # of an extended run its own stays


def finished(folder: Path, epochs: int | None = None) -> dict[str, float] | None:
    """The scores of a run that has them, said in one line; None for one that is to go on.

    Args:
        folder: of the run.
        epochs: it should have; None where it cannot be trained longer.
    """
    if not (folder / METRICS).is_file():
        return None
    metrics, protocol = load_metrics(folder)
    if epochs is not None and protocol.get("epochs", epochs) < epochs:
        return None
    say(f"{folder}: this run is finished, after batch {protocol.get('batches')}; nothing was changed")
    return metrics


def checkpoint(folder: Path) -> Path | None:
    """What the run in `folder` goes on from; None if it has never come so far as to write it.

    A damaged or missing last.ckpt is passed over for the one before, in one line. Temporary files are swept.

    Raises UserError if a checkpoint cannot be read, or if none of them is whole.
    """
    if is_first():
        for path in folder.rglob(".*.part"):  # whoever wrote them was killed
            path.unlink(missing_ok=True)
    wrong: list[str] = []
    for name in CHECKPOINTS:
        path = folder / name
        found = _batches(path)
        if isinstance(found, int):
            if wrong:
                say(f"{'; '.join(wrong)}; going on from {path}, after batch {found}")
            return path
        wrong.append(found)
    if begun(folder) or (folder / WEIGHTS).exists():
        raise UserError(f"{'; '.join(wrong)}; nothing to continue from, start a new run")
    say(f"{folder}: stopped before its first checkpoint; starting from the beginning")
    return None


def _batches(path: Path) -> int | str:
    """After which batch a checkpoint was written, or what is wrong with it."""
    try:
        with zipfile.ZipFile(path) as archive:
            torn = archive.testzip()  # torch checks no sums
        if torn is not None:
            return f"{path}: not a readable checkpoint (damaged)"
        batches: Any = torch.load(path, map_location="meta", weights_only=True)["batches"]
    except FileNotFoundError:
        return f"{path}: missing"
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); mend that and try again") from error
    except Exception as error:
        reason = "empty" if path.stat().st_size == 0 else "torn" if isinstance(error, zipfile.BadZipFile) else "foreign"
        return f"{path}: not a readable checkpoint ({reason})"
    return batches if isinstance(batches, int) else f"{path}: not a readable checkpoint (foreign)"
