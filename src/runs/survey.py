"""What lies in a folder of runs, told from small files alone: no weights are loaded, nothing is written."""

import fcntl
import os
import pickletools
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from safetensors import SafetensorError, safe_open

from src.runs import logs
from src.runs.folder import CHECKPOINTS, CONFIG, LOCK, METRICS, WEIGHTS, read_config
from src.runs.results import load_metrics
from src.system.errors import UserError

State = Literal["finished", "running", "stopped", "broken"]


@dataclass(frozen=True)
class FoundRun:
    """One run folder.

    Attributes:
        folder: of the run.
        name: of the folder, below the one that was surveyed.
        variant: its row in a table; for a segmenter its architecture and encoder. "" where the folder does not say.
        data: the built-in or published set, or the folder trained on; "" where the folder does not say.
        seed: of the run.
        steps: batches trained: of a stopped run, those that its checkpoint holds; of a running one, as far as its log
            tells.
        planned: batches its configuration asks for; None where that depends on the number of images.
        score: name of the headline score.
        value: of that score.
        changed: when one of its files was last written.
        bytes: it takes on disk.
        checkpoint_bytes: the part of them that only a run which goes on needs.
        state: finished; running, while a process holds its lock; stopped, to be continued; or broken.
        reason: why it is broken, else "".
    """

    folder: Path
    name: str
    variant: str
    data: str
    seed: int | None
    steps: int | None
    planned: int | None
    score: str | None
    value: float | None
    changed: datetime
    bytes: int
    checkpoint_bytes: int
    state: State
    reason: str


def describe(folder: Path, name: str) -> FoundRun:
    """What the files in a run folder say.

    Args:
        folder: of the run.
        name: to call it by.
    """
    reasons, finished = list[str](), (folder / METRICS).is_file()
    config, metrics, protocol = dict[str, Any](), dict[str, float](), dict[str, Any]()
    try:
        config = config_of(folder)
    except ValueError as error:
        reasons.append(str(error))
    try:
        if finished:
            metrics, protocol = load_metrics(folder)
    except UserError:
        reasons.append(f"{METRICS} cannot be read")
    reasons += _damage(folder)
    files = list(_files(folder))
    score = next(iter(metrics), None)
    planned = _planned(config)
    running = is_running(folder)
    logged = logs.batches(folder)
    held = None if finished or running else _held(folder)
    steps = protocol.get("batches") if finished else logged if held is None else held
    return FoundRun(
        folder=folder,
        name=name,
        variant=_variant(config),
        data=_data(config),
        seed=config["seed"] if isinstance(config.get("seed"), int) else None,
        steps=steps if isinstance(steps, int) else None,
        planned=steps if planned is None and finished and isinstance(steps, int) else planned,
        score=score,
        value=None if score is None else metrics[score],
        changed=datetime.fromtimestamp(max((stat.st_mtime for stat in files), default=0.0), UTC),
        bytes=sum(stat.st_size for stat in files),
        checkpoint_bytes=sum((folder / one).stat().st_size for one in CHECKPOINTS if (folder / one).is_file()),
        state="running" if running else "broken" if reasons else "finished" if finished else "stopped",
        reason="; ".join(reasons),
    )


def is_running(folder: Path) -> bool:
    """Whether a process trains in a run folder; the lock is looked at, not taken from a training that begins now."""
    try:
        file = (folder / LOCK).open("rb")
    except OSError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def config_of(folder: Path) -> dict[str, Any]:
    """The configuration in a run folder by dotted key; raises ValueError if src.train or src.segment wrote none."""
    try:
        loaded = read_config(folder / CONFIG)
    except Exception as error:
        raise ValueError(f"{CONFIG} is missing or cannot be read") from error
    found = flat(loaded) if isinstance(loaded, DictConfig) else {}
    packages = {"method": "src.methods.", "segmenter": "src.downstream.segmenter."}
    if not any(str(found.get(f"{key}._target_")).startswith(package) for key, package in packages.items()):
        raise ValueError(f"{CONFIG} is no run's")
    return found


def flat(config: DictConfig) -> dict[str, Any]:
    """Values by dotted key, lists as they are, as written: a stranger's references are not for us to follow."""
    return dict(_leaves(OmegaConf.to_container(config, resolve=False), ""))


def _leaves(node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _damage(folder: Path) -> Iterator[str]:
    """What is missing or torn, as far as ends and headers tell."""
    if (folder / WEIGHTS).is_file():
        if not _whole(folder / WEIGHTS):
            yield f"{WEIGHTS} is torn"
    elif (folder / METRICS).is_file():
        yield f"{WEIGHTS} is missing"
    else:
        there = [name for name in CHECKPOINTS if (folder / name).is_file()]
        if there and not any(zipfile.is_zipfile(folder / name) for name in there):
            yield f"{' and '.join(there)} cannot be read"


def _held(folder: Path) -> int | None:
    """After which batch the newest checkpoint was written, without loading what it holds; None if unknown."""
    for name in CHECKPOINTS:
        try:
            with zipfile.ZipFile(folder / name) as archive:
                (record,) = [one for one in archive.namelist() if one.endswith("/data.pkl")]
                with archive.open(record) as file:
                    return _after_key(pickletools.genops(file))
        except (OSError, ValueError, zipfile.BadZipFile):
            continue
    return None


def _after_key(operations: Iterable[tuple[pickletools.OpcodeInfo, Any, int | None]]) -> int | None:
    """The number that follows the text "batches" in a pickle."""
    seen = False
    for operation, argument, _ in operations:
        if seen and "INT" in operation.name and isinstance(argument, int):
            return argument
        seen = argument == "batches" or (seen and "PUT" in operation.name) or (seen and operation.name == "MEMOIZE")
    return None


def _whole(weights: Path) -> bool:
    """Whether a safetensors file has the length its header tells."""
    try:
        with safe_open(weights, "np"):
            return True
    except (SafetensorError, OSError):
        return False


def _files(folder: Path) -> Iterator[os.stat_result]:
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                yield os.lstat(os.path.join(path, name))
            except FileNotFoundError:
                continue  # a run that is training has just replaced it


def _variant(config: Mapping[str, Any]) -> str:
    if isinstance(config.get("variant"), str):
        return str(config["variant"])
    return " ".join(str(config[key]) for key in ("segmenter.architecture", "segmenter.encoder") if key in config)


def _data(config: Mapping[str, Any]) -> str:
    train = config.get("train", config.get("train.images"))
    if isinstance(train, str):
        return Path(train).name
    layout = str(config.get("data.layout._target_", "")).rpartition(".")[2]
    return Path(str(config.get("data.root") or config.get("data.layout.x", ""))).name if layout == "folders" else layout


def _planned(config: Mapping[str, Any]) -> int | None:
    """Batches of all epochs, as the data module and the trainer count them."""
    try:
        ranks = int(config["trainer.devices"]) * int(config["trainer.num_nodes"])
        whole = int(config["data.samples_per_epoch"]) // (int(config["data.batch_size"]) * ranks)
        limit = config["trainer.limit_train_batches"]
        batches = int(whole * limit) if isinstance(limit, float) else min(whole, int(limit))
        return int(config["trainer.max_epochs"]) * batches
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
