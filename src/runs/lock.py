"""One training at a time in a run folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from src.runs.folder import LOCK
from src.system.alone import alone
from src.system.ranks import is_first


@contextmanager
def trained_alone(folder: Path) -> Iterator[None]:
    """Refuse to train in a folder in which another process trains; the ranks of one run count as one."""
    if not is_first():
        yield
        return
    with alone(folder / LOCK, f"{folder}: another process trains here; wait for it or name another folder"):
        yield
