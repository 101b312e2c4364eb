"""Ctrl-C and SIGTERM end a command in one line, with exit code 130 or 143, after whatever cleans up has done so."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType


class Terminated(KeyboardInterrupt):
    """SIGTERM came: what cleans up after Ctrl-C cleans up after it too."""


def code(stop: KeyboardInterrupt) -> int:
    """What a process that was stopped exits with, as shells count signals."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextmanager
def ending(line: str, *, terminates: bool = True) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM inside the block into a line on stderr and an exit code.

    Args:
        line: what is said.
        terminates: take SIGTERM too; false where the block does so itself.
    """
    before = signal.getsignal(signal.SIGTERM)
    takes = terminates and before == signal.SIG_DFL and threading.current_thread() is threading.main_thread()
    if takes:
        signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except KeyboardInterrupt as stop:
        print(line, file=sys.stderr)
        sys.exit(code(stop))
    finally:
        if takes:
            signal.signal(signal.SIGTERM, before)


def quiet_from_the_start() -> None:
    """Have a Ctrl-C that nothing catches, during the imports for one, end the process in one line."""
    sys.excepthook = _say


def terminate(number: int, frame: FrameType | None) -> None:
    """Handles SIGTERM; raises Terminated."""
    raise Terminated


def _say(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)
