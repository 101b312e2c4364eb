"""Kept on disk by content: features of image files, and scores of sets that every job of a sweep brings again."""

import hashlib
import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from src.metrics.extractor import Embedding
from src.metrics.image_set import ImageSet
from src.system.errors import UserError
from src.system.files import sha256, write

log = logging.getLogger(__name__)

VERSION = 2
"""Goes up when the same sets get other scores, or further ones: what an earlier version kept is computed again."""


class FeatureCache:
    """A folder of safetensors files named by what they are the features of.

    An entry that is torn, altered or of other content is computed again and replaced. Files are written whole or not
    at all, so that jobs may share the folder while they run.

    Args:
        folder: made if missing; None keeps nothing.
    """

    def __init__(self, folder: str | None) -> None:
        self.folder = None if folder is None else Path(folder).expanduser()
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"metrics.cache={folder}: cannot be made ({error.strerror}); name a folder, or null"
            ) from error

    def __call__(self, key: str, compute: Callable[[], Embedding]) -> Embedding:
        """What lies under `key`, or else what `compute` gives, kept there."""
        if self.folder is None:
            return compute()
        path = self.folder / f"{key}.safetensors"
        kept = _load(path)
        if kept is not None:
            return kept
        embedding = compute()
        tensors = {name: value.contiguous() for name, value in embedding._asdict().items() if value is not None}
        _keep(path, save(tensors, metadata={"sha256": _digest(tensors)}), "features")
        return embedding


def content_key(paths: Iterable[Path], settings: Mapping[str, object]) -> str:
    """64 hex digits that change with the bytes of any file, their order and the settings."""
    sha = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode())
    for path in paths:
        try:
            sha.update(bytes.fromhex(sha256(path)))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); was the folder changed meanwhile?") from error
    return sha.hexdigest()


def kept(
    folder: Path | None,
    images: ImageSet,
    real: ImageSet,
    settings: Sequence[object],
    compute: Callable[[], dict[str, float]],
) -> dict[str, float]:
    """What `compute` gave for the same two sets and settings, or gives now; None as folder keeps nothing."""
    if folder is None:
        return compute()
    path = folder / f"{_key(images, real, settings)}.json"
    scores = _load_scores(path)
    if scores is None:
        scores = compute()
        _keep(path, json.dumps(scores).encode(), "scores")
    return scores


def _load(path: Path) -> Embedding | None:
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            intact = (file.metadata() or {}).get("sha256") == _digest(tensors)
    except (SafetensorError, OSError):
        intact = False
    if not intact:
        log.warning(f"{path}: damaged; its features are computed again")
        return None
    return Embedding(tensors["features"], tensors.get("logits"))


def _keep(path: Path, content: bytes, what: str) -> None:
    try:
        write(path, content)
    except OSError as error:
        log.warning(f"{path}: cannot be kept ({error.strerror}); the next job computes these {what} again")


def _digest(tensors: dict[str, Tensor]) -> str:
    sha = hashlib.sha256()
    for name in sorted(tensors):
        sha.update(f"{name} {tuple(tensors[name].shape)}\n".encode())
        sha.update(tensors[name].numpy().tobytes())
    return sha.hexdigest()


def _key(images: ImageSet, real: ImageSet, settings: Sequence[object]) -> str:
    sha = hashlib.sha256(json.dumps([*settings, VERSION, torch.__version__]).encode())
    for part in (images, real):
        for tensor in (part.squares, part.features, part.logits, part.sharpness):
            if tensor is not None:
                sha.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
                sha.update(tensor.numpy().tobytes())
    return sha.hexdigest()


def _load_scores(path: Path) -> dict[str, float] | None:
    if not path.is_file():
        return None
    try:
        scores = {str(name): float(value) for name, value in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        scores = {}
    if not scores or not all(map(math.isfinite, scores.values())):
        log.warning(f"{path}: damaged; its scores are computed again")
        return None
    return scores
