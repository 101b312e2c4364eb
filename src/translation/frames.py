"""Whole frames of any size through G: files in batches, with reading, computing and writing side by side."""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from src.data.images import LONGEST, Pixels, Read, encoded, read_image
from src.data.transforms import resize, to_pixels
from src.system.errors import UserError
from src.system.files import write
from src.translation.any_size import BATCH, MEMORY_LIMIT, translate_images
from src.translation.scale import Scale

THREADS = 4
"""Readers, and as many writers."""
AHEAD = 16
"""Frames that wait to be computed, and that wait to be written."""
PIXELS = 2**16
"""Of the frames that a CPU computes together, which gains nothing by more of them; progress is seen by the frame."""

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
    scale: Scale | None = None,
) -> None:
    """Translate whole frames; reading, computing and writing overlap, and frames of one size share a batch.

    Args:
        network: G, in evaluation mode.
        jobs: which image becomes which; the target's suffix says its format.
        where: the device.
        memory_limit: GiB, see translate_images.
        note: called before each file is written.
        read: reads a source.
        scale: the height to work at; None is the frames' own, without a word.

    Raises UserError for a file that cannot be read or written, or a frame beyond the limit.
    """
    network, scale = network.to(where), scale or Scale()
    bar = tqdm(total=len(jobs), desc="translating", unit="image", file=sys.stderr)
    written: deque[Future[None]] = deque()
    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as writers, bar:
        try:
            for batch, frames in _equal_sizes(_read_ahead(readers, jobs, read), where, scale.size):
                scale.look(batch[0][0], frames[0].shape[0])
                outputs = translate_frames(network, frames, where, memory_limit, scale.size)
                for job, output in zip(batch, outputs, strict=True):
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


def together(frame: Pixels, where: torch.device, size: int | None = None) -> int:
    """How many frames like this one are computed together on a device, at a height of `size`."""
    pixels = frame.shape[0] * frame.shape[1] if size is None else size * size
    return min(BATCH, max(1, PIXELS // pixels)) if where.type == "cpu" else BATCH


def translate_frames(
    network: nn.Module,
    frames: list[Pixels],
    where: torch.device,
    memory_limit: float = MEMORY_LIMIT,
    size: int | None = None,
) -> list[Pixels]:
    """Frames of one size, translated together; see translate_images.

    With a size, frames of that height are translated, brought to it as training does, and what G changed there is
    enlarged and added to the frames, so that they keep detail that G has never seen.
    """
    images = _images(frames, where)
    if size is None:
        return [to_pixels(output) for output in translate_images(network, images, memory_limit)]
    height, width = images.shape[2:]
    small = _images([resize(frame, (size, max(1, round(width * size / height)))) for frame in frames], where)
    change = translate_images(network, small, memory_limit) - small
    whole = F.interpolate(change, (height, width), mode="bicubic", antialias=True, align_corners=False)
    return [to_pixels(output) for output in images + whole]


def _images(frames: list[Pixels], where: torch.device) -> Tensor:
    """Frames [H, W, 3] of one size -> float32 [B, 3, H, W] in [-1, 1]."""
    stacked = torch.stack([torch.from_numpy(frame) for frame in frames]).to(where)
    return stacked.permute(0, 3, 1, 2).float() / 127.5 - 1


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


def _equal_sizes(
    frames: Iterator[tuple[Job, Pixels]], where: torch.device, size: int | None
) -> Iterator[tuple[list[Job], list[Pixels]]]:
    """Batches of frames of one size; no more than AHEAD frames wait for others like them."""
    groups: dict[tuple[int, ...], tuple[list[Job], list[Pixels]]] = {}
    for job, frame in frames:
        batch, group = groups.setdefault(frame.shape, ([], []))
        batch.append(job)
        group.append(frame)
        if len(group) == together(frame, where, size):
            yield groups.pop(frame.shape)
        elif sum(len(batch) for batch, _ in groups.values()) >= AHEAD:
            yield groups.pop(next(iter(groups)))  # the size that has waited longest
    yield from groups.values()


def _write(job: Job, pixels: Pixels, note: Note | None) -> None:
    source, target = job
    if (side := max(pixels.shape)) > (most := LONGEST.get(target.suffix, side)):
        raise UserError(f"{target}: has {side} pixels a side, and {target.suffix} holds {most}; choose format=png")
    try:
        content = encoded(pixels, target.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        if note is not None:
            note(source, target, content)
        write(target, content)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror}); free or choose another place") from error
