"""One process at a time: a lock file that is there as long as a process has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from src.system.errors import UserError


@contextmanager
def alone(lock: Path, refusal: str) -> Iterator[None]:
    """Hold a lock file, which is gone afterwards; raises UserError(refusal) if another process has it."""
    held = FileLock(lock, blocking=False)
    try:
        held.acquire()
    except Timeout:
        raise UserError(refusal) from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        held.release()
