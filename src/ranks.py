"""Several processes, one run: what one of them finds out, all of them act on.

The questions go over gloo, on the CPU, so that no GPU waits for them; alone, a process asks nobody.
"""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache

import torch
import torch.distributed as dist

from src.errors import UserError


def any_rank(answer: bool) -> bool:
    """Whether it is so on at least one rank; all must ask."""
    if not _several():
        return answer
    yes = torch.tensor(int(answer))
    dist.all_reduce(yes, dist.ReduceOp.MAX, group=_group(dist.group.WORLD))
    return bool(yes)


@contextmanager
def shared_failure() -> Iterator[None]:
    """A UserError inside the block, on any rank, is raised on all of them, so that none waits for another.

    All ranks must enter; within the block they must not wait for each other.
    """
    failure: UserError | None = None
    try:
        yield
    except UserError as error:
        failure = error
    if not any_rank(failure is not None):
        return
    if _several():
        messages: list[str | None] = [None] * dist.get_world_size()
        mine = None if failure is None else str(failure)
        dist.all_gather_object(messages, mine, group=_group(dist.group.WORLD))
        failure = failure or UserError(next(message for message in messages if message))
    assert failure is not None
    raise failure


def meet(seconds: float) -> bool:
    """Wait for the other ranks, but no longer than that; whether all of them came."""
    if _several():
        try:
            dist.monitored_barrier(_group(dist.group.WORLD), timeout=timedelta(seconds=seconds))
        except RuntimeError:  # some have ended, or wait elsewhere
            return False
    return True


def part_at_exit() -> None:
    """Close the connections between the ranks when this process ends, once they are open.

    Lightning does that for NCCL alone. Threads of gloo that still run when the interpreter is taken down end a process
    now and then with SIGABRT, after all its work was done (https://github.com/pytorch/pytorch/issues/190489).
    """
    if dist.is_available():
        atexit.unregister(_part)
        atexit.register(_part)


def _part() -> None:
    if dist.is_initialized():
        _group.cache_clear()
        dist.destroy_process_group()


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@lru_cache(maxsize=1)
def _group(world: dist.ProcessGroup | None) -> dist.ProcessGroup:
    # a group of its own: the ranks' questions never mix with the reduction of gradients
    group = dist.new_group(backend="gloo")
    assert isinstance(group, dist.ProcessGroup)
    return group
