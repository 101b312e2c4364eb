"""Scores of image sets that come again: real against real, and the untranslated source, in every job of a sweep."""

import hashlib
import json
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from src.metrics.image_set import ImageSet
from src.system.files import write

log = logging.getLogger(__name__)

VERSION = 2
"""Goes up when the same sets get other scores, or further ones: what an earlier version kept is computed again."""


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
    scores = _load(path)
    if scores is None:
        scores = compute()
        try:
            write(path, json.dumps(scores).encode())
        except OSError as error:
            log.warning(f"{path}: cannot be kept ({error.strerror}); the next job computes these scores again")
    return scores


def _key(images: ImageSet, real: ImageSet, settings: Sequence[object]) -> str:
    sha = hashlib.sha256(json.dumps([*settings, VERSION, torch.__version__]).encode())
    for part in (images, real):
        for tensor in (part.squares, part.features, part.logits, part.sharpness):
            if tensor is not None:
                sha.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
                sha.update(tensor.numpy().tobytes())
    return sha.hexdigest()


def _load(path: Path) -> dict[str, float] | None:
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
