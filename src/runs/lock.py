"""One training at a time in a run folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from src.runs.folder import LOCK
from src.system.errors import UserError
from src.system.ranks import is_first


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Refuse to train in a folder in which another process trains; the ranks of one run count as one."""
    if not is_first():
        yield
        return
    path = folder / LOCK
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: another process trains here; wait for it or name another folder") from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()
