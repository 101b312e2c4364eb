"""Tells whether the files of a set are those of another time or place."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from src.system.errors import UserError


def fingerprint(files: Iterable[Path], *, read: Iterable[Path] = ()) -> str:
    """Twelve hex digits of names and sizes, in their order; the folders they lie in may be others.

    Args:
        files: whose content is not looked at.
        read: files whose content counts too; they come first.

    Raises UserError if a file is gone.
    """
    sha = hashlib.sha256()
    for paths, whole in ((read, True), (files, False)):
        for path in paths:
            try:
                sha.update(os.fsencode(f"{path.name} {path.stat().st_size}\n"))
                if whole:
                    sha.update(path.read_bytes())
            except FileNotFoundError:
                raise UserError(f"{path}: the image is gone; was the folder changed meanwhile?") from None
    return sha.hexdigest()[:12]
