"""Tells whether the files of a set are still those that a run began with, without reading them."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from src.errors import UserError


def fingerprint(files: Iterable[Path]) -> str:
    """Twelve hex digits of the files' names and sizes, in their order; the folders they lie in may be others.

    Raises UserError if a file is gone.
    """
    sha = hashlib.sha256()
    for path in files:
        try:
            sha.update(os.fsencode(f"{path.name} {path.stat().st_size}\n"))
        except FileNotFoundError:
            raise UserError(f"{path}: the image is gone; was the folder changed meanwhile?") from None
    return sha.hexdigest()[:12]
