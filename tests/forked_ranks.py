"""Processes that differ in their rank alone, without the seconds that each spends on imports.

Lightning reads the rank while it is imported, so one interpreter imports what others of these libraries need, and
forks.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

from tests import garbage

IMPORTED = ("torch", "torchvision", "scipy.signal", "scipy.stats", "albumentations", "hydra", "matplotlib")


def fork(environments: Sequence[Mapping[str, str]], streams: Sequence[tuple[int, int]]) -> int:
    """Return the rank in each fork; where all began, wait for them and exit as the worst of them.

    Args:
        environments: what each rank finds beside what is there.
        streams: files for what each says on stdout and stderr.
    """
    with garbage.not_looked_for():
        for name in IMPORTED:
            import_module(name)
    assert len(os.listdir("/proc/self/task")) == 1, "a thread does not live on in a fork"
    started = []
    for rank, (environment, (out, err)) in enumerate(zip(environments, streams, strict=True)):
        if process := os.fork():
            started.append(process)
        else:
            os.environ.update(environment)
            os.dup2(out, 1)
            os.dup2(err, 2)
            return rank
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in started))
