"""Several processes, one run: which of them this one is, how images are shared out, and what all of them act on.

What one finds out is asked over gloo, on the CPU, so that no GPU waits for it; alone, a process asks nobody.
"""

import atexit
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from src.system.errors import UserError
from src.system.unpromised import lightning_rank

T = TypeVar("T")
RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
"""Variables that hold this process's rank; of those that are set the first counts."""


def is_first() -> bool:
    """Whether this process is rank 0; before a trainer exists, as far as the environment tells."""
    rank = lightning_rank()
    if rank is None:
        rank = next((int(os.environ[name]) for name in RANKS if name in os.environ), 0)
    return rank == 0


def say(line: str) -> None:
    """On stderr, once however many processes the run has."""
    if is_first():
        print(line, file=sys.stderr)


def rank() -> int:
    """Rank of this process; 0 where there is one only."""
    return dist.get_rank() if _several() else 0


def ranks() -> int:
    """How many processes work together."""
    return dist.get_world_size() if _several() else 1


def share(count: int) -> list[int]:
    """Which of `count` images this rank takes: every ranks-th, as many on every rank.

    Where `count` cannot be divided, the last ranks take one of the first images once more, which `join` leaves out.
    """
    return [(rank() + ranks() * step) % count for step in range(-(-count // ranks()))]


def of_all(own_B: Tensor) -> Tensor:
    """The rows of all ranks in the order of the joint batch, of which rank r of w has every w-th from r on: [w B, ...].

    Args:
        own_B: rows of this rank, as many as every other has, where the ranks talk.
    """
    if not _several():
        return own_B
    parts = [torch.empty_like(own_B) for _ in range(ranks())]
    dist.all_gather(parts, own_B.contiguous())
    return torch.stack(parts, dim=1).flatten(0, 1)


def join(own_M: Tensor, count: int, where: torch.device) -> Tensor:
    """The rows of all shares in the order of the images, on every rank: [count, ...], on the CPU.

    Args:
        own_M: rows of this rank's share.
        count: images of the whole set.
        where: the device the ranks talk over; NCCL takes no other than its own.
    """
    if not _several():
        return own_M
    # gloo has no use for a GPU's memory
    return of_all(own_M.to(where if dist.get_backend() == "nccl" else "cpu"))[:count].cpu()


def to_first(own: T) -> list[T]:
    """What all ranks hold, in their order, on the first rank; nothing on the others."""
    if not _several():
        return [own]
    box: list[Any] | None = [None] * ranks() if rank() == 0 else None
    dist.gather_object(own, box)
    return box or []


def from_first(compute: Callable[[], T], where: torch.device) -> T:
    """What `compute` gives on the first rank, on every rank."""
    if not _several():
        return compute()
    box: list[Any] = [compute() if rank() == 0 else None]
    dist.broadcast_object_list(box, src=0, device=where if dist.get_backend() == "nccl" else None)
    first: T = box[0]
    return first


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
