"""The loader of a run: it knows how long it kept training waiting, and fails on all ranks or on none."""

import time
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from src import ranks
from src.data.unpaired import Sample


class TimedLoader(DataLoader[Sample]):
    """Counts in `waited` the seconds this rank waited for batches; ends on all ranks when one cannot read an image."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waited = 0.0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """As DataLoader."""
        batches = super().__iter__()
        while True:
            with ranks.shared_failure():
                started = time.monotonic()
                batch = next(batches, None)
                self.waited += time.monotonic() - started
            if batch is None:
                return
            yield batch
