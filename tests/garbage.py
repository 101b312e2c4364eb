"""What is imported stays: to look through it for garbage again and again takes a fifth of the imports."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def not_looked_for() -> Iterator[None]:
    """Not before the end of the block, then seldom, and never in what is there by then: forks go on sharing it."""
    gc.disable()
    yield
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
