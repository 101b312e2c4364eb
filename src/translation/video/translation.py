"""A video through G: frames in batches, with decoding, computing and encoding side by side, never all in memory."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from src.data.images import Pixels
from src.system.alone import alone
from src.system.errors import UserError, unwritable
from src.system.files import sha256
from src.translation.any_size import MEMORY_LIMIT
from src.translation.frames import Job, together, translate_frames
from src.translation.scale import Scale
from src.translation.video.film import DecodedFrame, Film
from src.translation.video.flicker import Flicker
from src.translation.video.writing import Writer

Seen = Callable[[Pixels, Pixels], None]
"""Told of each frame and its output, in order; what it raises ends the translation, and nothing is left of it."""
Note = Callable[..., None]
"""Told of source, target, the hash of its file and, as `video`, of what is to be remembered, before the file stands."""


def translate_video(
    network: nn.Module,
    job: Job,
    where: torch.device,
    memory_limit: float = MEMORY_LIMIT,
    note: Note | None = None,
    scale: Scale | None = None,
    seen: Seen | None = None,
) -> dict[str, Any]:
    """Translate each frame whole; times and sound stay as they are.

    Args:
        network: G, in evaluation mode.
        job: the video, and the file it becomes; the suffix says the container.
        where: the device.
        memory_limit: GiB, see translate_images.
        note: called before the file stands under its name.
        scale: the height to work at; None is the film's own, without a word.
        seen: called with each frame and its output.

    Returns what was written: frames, seconds, frames a second, size, streams of sound, and flicker (see Flicker).

    Raises UserError if the video cannot be read to its end, or its target not be written; then nothing is left. Also
    if another process is writing the target.
    """
    source, target = job
    network = network.to(where)
    try:
        with closing(Film(source)) as film:
            target.parent.mkdir(parents=True, exist_ok=True)
            with _temporary(target) as path:
                numbers = _translate(network, film, path, target.suffix, where, memory_limit, scale or Scale(), seen)
                if note is not None:
                    note(source, target, sha256(path), video=numbers)
                path.replace(target)
    except OSError as error:
        # FFmpeg's errors name no file
        raise UserError(unwritable(OSError(error.errno, error.strerror, str(target)))) from error
    return numbers


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """The file that becomes the target, for one process at a time; nothing of it stays, nor of one that was killed."""
    path, lock = (target.with_name(f".{target.name}.{end}") for end in ("part", "lock"))
    with alone(lock, f"{target}: another process is writing it; wait, or name another folder"):
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _translate(
    network: nn.Module,
    film: Film,
    path: Path,
    suffix: str,
    where: torch.device,
    memory_limit: float,
    scale: Scale,
    seen: Seen | None,
) -> dict[str, Any]:
    batches = _batches(film.read(), where, scale.size)
    batch: list[Any] | None = next(batches)
    first = last = next(item for item in batch or [] if isinstance(item, DecodedFrame))
    height, width, _ = first.pixels.shape
    scale.look(film.path, height)
    if film.unknown:
        said = f"{film.path}: {film.unknown} of {film.unknown + len(film.sound)} streams of sound are of a kind that is"
        tqdm.write(f"{said} not known here, and left out", sys.stderr)
    flicker, count = Flicker(), 0
    encoded: Future[None] | None = None
    with (
        tqdm(total=film.frames, desc=film.path.name, unit="frame", file=sys.stderr) as bar,
        closing(Writer(path, suffix, film, height=height, width=width)) as writer,
        ThreadPoolExecutor(1) as reading,
        ThreadPoolExecutor(1) as encoding,
    ):
        while batch is not None:
            following = reading.submit(next, batches, None)
            pictures = [item for item in batch if isinstance(item, DecodedFrame)]
            outputs: list[Pixels] = []
            if pictures:
                outputs = translate_frames(network, [one.pixels for one in pictures], where, memory_limit, scale.size)
                last = pictures[-1]
            for picture, output in zip(pictures, outputs, strict=True):
                flicker.add(picture.pixels, output)
                if seen is not None:
                    seen(picture.pixels, output)
            if encoded is not None:
                encoded.result()
            encoded = encoding.submit(_encode, writer, batch, outputs)
            count += len(pictures)
            bar.update(len(pictures))
            batch = following.result()
        if encoded is not None:
            encoded.result()
        writer.finish()
        bar.total = count
    shown = (last.time - first.time) * film.time_base + (last.duration * film.time_base or 1 / film.rate)
    return {
        "frames": count,
        "seconds": float(shown),
        "frames_per_second": float(film.rate),
        "width": width + width % 2,
        "height": height + height % 2,
        "sound": len(film.sound),
        **flicker.numbers(),
    }


def _encode(writer: Writer, items: Sequence[Any], outputs: Sequence[Pixels]) -> None:
    remaining = iter(outputs)
    for item in items:
        if isinstance(item, DecodedFrame):
            writer.frame(next(remaining), item.time, item.duration)
        else:
            writer.sound(item)


def _batches(items: Iterator[Any], where: torch.device, size: int | None) -> Iterator[list[Any]]:
    """Items in order, with the pictures that are computed together and the sound between; the last with fewer."""
    batch: list[Any] = []
    pictures = 0
    for item in items:
        batch.append(item)
        pictures += isinstance(item, DecodedFrame)
        if isinstance(item, DecodedFrame) and pictures == together(item.pixels, where, size):
            yield batch
            batch, pictures = [], 0
    if batch:
        yield batch
