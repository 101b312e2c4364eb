"""Whole frames of any size through G: files in batches, with reading, computing and writing side by side."""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from src.data.images import Pixels, Read, encoded, read_image
from src.data.transforms import to_pixels
from src.errors import UserError
from src.files import write
from src.networks.any_size import BATCH, MEMORY_LIMIT, translate_images

THREADS = 4
"""Readers, and as many writers."""
AHEAD = 16
"""Frames that wait to be computed, and that wait to be written."""

Job = tuple[Path, Path]
"""A source and the file that it becomes."""
Note = Callable[[Path, Path, bytes], None]
"""Told of each job, and of what its file is going to hold, just before that is written; by several threads at once."""


def translate(
    network: nn.Module,
    jobs: list[Job],
    where: torch.device,
    memory_limit: float = MEMORY_LIMIT,
    note: Note | None = None,
    read: Read = read_image,
) -> None:
    """Translate whole frames; reading, computing and writing overlap, and frames of one size share a batch.

    Args:
        network: G, in evaluation mode.
        jobs: which image becomes which; the target's suffix says its format.
        where: the device.
        memory_limit: GiB, see translate_images.
        note: called before each file is written.
        read: reads a source.

    Raises UserError for a file that cannot be read or written, or a frame beyond the limit.
    """
    network = network.to(where)
    bar = tqdm(total=len(jobs), desc="translating", unit="image", file=sys.stderr)
    written: deque[Future[None]] = deque()
    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as writers, bar:
        try:
            for batch, frames in _equal_sizes(_read_ahead(readers, jobs, read)):
                for job, output in zip(batch, translate_frames(network, frames, where, memory_limit), strict=True):
                    written.append(writers.submit(_write, job, output, note))
                while len(written) > AHEAD:
                    written.popleft().result()
                bar.update(len(batch))
            for future in written:
                future.result()
        finally:
            # after a mistake nothing more is begun
            readers.shutdown(wait=False, cancel_futures=True)
            writers.shutdown(wait=False, cancel_futures=True)


def translate_frames(
    network: nn.Module, frames: list[Pixels], where: torch.device, memory_limit: float = MEMORY_LIMIT
) -> list[Pixels]:
    """Frames of one size, translated together; see translate_images."""
    images = torch.stack([torch.from_numpy(frame) for frame in frames]).to(where)
    outputs = translate_images(network, images.permute(0, 3, 1, 2).float() / 127.5 - 1, memory_limit)
    return [to_pixels(output) for output in outputs]


def _read_ahead(readers: ThreadPoolExecutor, jobs: list[Job], read: Read) -> Iterator[tuple[Job, Pixels]]:
    """Jobs and their frames, in order; a few are read in advance."""
    waiting: deque[tuple[Job, Future[Pixels]]] = deque()
    for job in jobs:
        waiting.append((job, readers.submit(read, job[0])))
        if len(waiting) > AHEAD:
            job, future = waiting.popleft()
            yield job, future.result()
    for job, future in waiting:
        yield job, future.result()


def _equal_sizes(frames: Iterator[tuple[Job, Pixels]]) -> Iterator[tuple[list[Job], list[Pixels]]]:
    """Batches of frames of one size; no more than AHEAD frames wait for others like them."""
    groups: dict[tuple[int, ...], tuple[list[Job], list[Pixels]]] = {}
    for job, frame in frames:
        batch, group = groups.setdefault(frame.shape, ([], []))
        batch.append(job)
        group.append(frame)
        if len(group) == BATCH:
            yield groups.pop(frame.shape)
        elif sum(len(batch) for batch, _ in groups.values()) >= AHEAD:
            yield groups.pop(next(iter(groups)))  # the size that has waited longest
    yield from groups.values()


def _write(job: Job, pixels: Pixels, note: Note | None) -> None:
    source, target = job
    try:
        content = encoded(pixels, target.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        if note is not None:
            note(source, target, content)
        write(target, content)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror}); free or choose another place") from error
