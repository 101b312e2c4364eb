"""The loader of a run: it knows how long it kept training waiting, and fails on all ranks or on none."""

import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from torch.utils.data import DataLoader

from src.system.errors import UserError
from src.system.ranks import shared_failure
from src.system.unpromised import raise_for_dead_worker

T = TypeVar("T")
SHARED = Path("/dev/shm")
"""Where Linux keeps the memory through which processes hand batches over; containers have 64 MB of it."""
WAITING = 2  # batches that wait for training, of each process; PyTorch's own number
LAST_BREATH = 10.0  # seconds between the end of a process's connections and its own; 0.1 on an idle machine


class TimedLoader(DataLoader[T]):
    """Counts in `waited` the seconds this rank waited for batches; ends on all ranks when one cannot read an image.

    Raises RuntimeError when a process that reads images dies, as DataLoader does, and
    UserError when that, or any other failure, is one of too little shared memory.

    Args:
        arguments: of DataLoader.
        batch_bytes: of a batch.
        options: of DataLoader.
    """

    def __init__(self, *arguments: Any, batch_bytes: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waited = 0.0
        self.batch_bytes = batch_bytes

    def lack(self) -> str:
        """A line on the shared memory that the processes need and have not; nothing where there is enough."""
        return lack_of_shared_memory(self.batch_bytes * (WAITING * self.num_workers + 1), self.num_workers)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """As DataLoader."""
        batches = super().__iter__()
        while True:
            with shared_failure():
                started = time.monotonic()
                try:
                    with _waiting_for_its_death():
                        batch = next(batches, None)
                except (RuntimeError, OSError) as error:  # PyTorch's kinds and words for it change
                    if lack := self.lack():
                        raise UserError(lack) from error
                    raise
                self.waited += time.monotonic() - started
            if batch is None:
                return
            yield batch


@contextmanager
def _waiting_for_its_death() -> Iterator[None]:
    """Give PyTorch the time to learn that the process has died whose connection has ended.

    Its handler of SIGCHLD says so by a RuntimeError, which would else come out of whatever runs a moment later.
    """
    try:
        yield
    except (ConnectionError, EOFError):
        deadline = time.monotonic() + LAST_BREATH
        while time.monotonic() < deadline:
            raise_for_dead_worker()
            time.sleep(0.05)
        raise


def demand_shared_memory(batch_bytes: int, workers: int) -> None:
    """Raise UserError if not one batch can be handed over: then training would end before its first step."""
    if lack := lack_of_shared_memory(batch_bytes, workers):
        raise UserError(lack)


def lack_of_shared_memory(needed: int, workers: int) -> str:
    """One line if processes read images and SHARED, where there is one, has fewer bytes than needed; else nothing."""
    if workers == 0 or not SHARED.is_dir():
        return ""
    free = shutil.disk_usage(SHARED).free
    if free >= needed:
        return ""
    return (
        f"data.num_workers={workers}: too little shared memory, {SHARED} has {_size(free)} free and batches take "
        f"{_size(needed)}; enlarge it (docker run --shm-size={math.ceil(needed / 2**30)}g) or give data.num_workers=0"
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 10**7 else f"{count / 1e3:.0f} kB"
