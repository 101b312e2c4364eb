"""Run folders below a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from src.runs.folder import CONFIG, METRICS
from src.system.errors import UserError


def find(folder: Path) -> Iterator[Path]:
    """Run folders at and below a folder, sorted; links and hidden folders are passed over, and so is what a run holds.

    Raises UserError if there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name one that holds runs")
    for path, folders, files in os.walk(folder):
        if CONFIG in files or METRICS in files:
            yield Path(path)
            folders.clear()
        else:
            folders[:] = sorted(name for name in folders if not name.startswith("."))
