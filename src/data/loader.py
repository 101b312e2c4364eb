"""The loader of a run: it knows how long it kept training waiting, and fails on all ranks or on none."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch._C import _error_if_any_worker_fails
from torch.utils.data import DataLoader

from src import ranks

T = TypeVar("T")
LAST_BREATH = 10.0  # seconds between the end of a process's connections and its own; 0.1 on an idle machine


class TimedLoader(DataLoader[T]):
    """Counts in `waited` the seconds this rank waited for batches; ends on all ranks when one cannot read an image.

    Raises RuntimeError ("DataLoader worker ...") when a process that reads images dies, as DataLoader does.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waited = 0.0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """As DataLoader."""
        batches = super().__iter__()
        while True:
            with ranks.shared_failure(), _death_awaited():
                started = time.monotonic()
                batch = next(batches, None)
                self.waited += time.monotonic() - started
            if batch is None:
                return
            yield batch


@contextmanager
def _death_awaited() -> Iterator[None]:
    """Give PyTorch the time to learn that the process has died whose connection has ended.

    Its handler of SIGCHLD says so by a RuntimeError, which would else come out of whatever runs a moment later.
    """
    try:
        yield
    except (ConnectionError, EOFError):
        deadline = time.monotonic() + LAST_BREATH
        while time.monotonic() < deadline:
            _error_if_any_worker_fails()  # what the handler calls, which another handler may have replaced
            time.sleep(0.05)
        raise
