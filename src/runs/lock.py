"""One training at a time in a run folder."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from filelock import FileLock, Timeout

from src.runs.folder import LOCK
from src.system.errors import UserError
from src.system.ranks import is_first

P = ParamSpec("P")
T = TypeVar("T")


def alone(train: Callable[P, T]) -> Callable[P, T]:
    """Refuse to train in a folder in which another process trains; the ranks of one run count as one."""

    @functools.wraps(train)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        if not is_first():
            return train(*arguments, **options)
        folder = next(argument for argument in arguments if isinstance(argument, Path))
        path = folder / LOCK
        lock = FileLock(path, blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise UserError(f"{folder}: another process trains here; wait for it or name another folder") from None
        try:
            return train(*arguments, **options)
        finally:
            path.unlink(missing_ok=True)
            lock.release()

    return guarded
