"""Images shared out over ranks and put together again, so that any number of ranks sees the same set."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

T = TypeVar("T")


def rank() -> int:
    """Of this process; 0 where there is one only."""
    return dist.get_rank() if _several() else 0


def ranks() -> int:
    """How many processes work together."""
    return dist.get_world_size() if _several() else 1


def share(count: int) -> list[int]:
    """Which of `count` images this rank takes: every ranks-th, as many on every rank.

    Where `count` cannot be divided, the last ranks take one of the first images once more, which `join` leaves out.
    """
    return [(rank() + ranks() * step) % count for step in range(-(-count // ranks()))]


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
    rows = own_M.to(where if dist.get_backend() == "nccl" else "cpu").contiguous()
    parts = [torch.empty_like(rows) for _ in range(ranks())]
    dist.all_gather(parts, rows)
    return torch.stack(parts, dim=1).flatten(0, 1)[:count].cpu()


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


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
