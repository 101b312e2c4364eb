"""Writes the streets as Playing for Data (Richter et al. 2016) and Cityscapes (Cordts et al. 2016) are."""

import hashlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

from src.data.streets.camera import CAMERA
from src.data.streets.classes import palette
from src.data.streets.game import GAME
from src.data.streets.look import Domain, Pixels
from src.data.streets.render import render
from src.system.errors import UserError
from src.system.files import sha256

VERSION = "1"
MARKER = "streets.json"
GAME_FRAMES = 500
CITY_FRAMES: dict[tuple[str, str], int] = {
    ("train", "altenbruck"): 150,
    ("train", "morgenfeld"): 130,
    ("train", "seehausen"): 120,
    ("val", "lindenau"): 100,
}
COMPRESSION = 3  # zlib level: 3 % larger than 6 and twice as fast; part of the bytes, so part of the version

Job = tuple[Domain, int, dict[str, str]]


def write_streets(root: Path) -> None:
    """Write the whole set under a root that does not exist yet, or do nothing where it is complete.

    The folder appears at once and complete, or not at all; of two processes, one's work is kept.

    Raises UserError if the root holds something else.
    """
    _write(root, list(_jobs(GAME_FRAMES, CITY_FRAMES)))


def streets_digest(root: Path) -> str:
    """Sha256 over the sorted relative names and the contents of all files but the marker."""
    digest = hashlib.sha256()
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    for name in sorted(files):
        if name != MARKER:
            digest.update(f"{name}\n{sha256(files[name])}\n".encode())
    return digest.hexdigest()


def _jobs(game_frames: int, city_frames: dict[tuple[str, str], int]) -> Iterator[Job]:
    """Every frame: its domain, its index there, and the file name of each of its pictures by kind."""
    for index in range(game_frames):
        name = f"{index + 1:05d}.png"
        folder = GAME.name
        yield GAME, index, {"rgb": f"{folder}/images/{name}", "palette": f"{folder}/labels/{name}"}
    index = 0
    for (split, city), frames in city_frames.items():
        for k in range(frames):
            stem = f"{split}/{city}/{city}_{k:06d}_000019"
            names = {
                "rgb": f"{CAMERA.name}/leftImg8bit/{stem}_leftImg8bit.png",
                "ids": f"{CAMERA.name}/gtFine/{stem}_gtFine_labelIds.png",
                "colour": f"{CAMERA.name}/gtFine/{stem}_gtFine_color.png",
            }
            yield CAMERA, index, names
            index += 1


def _write(root: Path, jobs: list[Job]) -> None:
    """Render the jobs into a sibling folder, then rename it to the root."""
    if _is_complete(root):
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        _render_all(scratch, jobs)
        marker = {"version": VERSION, "frames": len(jobs), "digest": streets_digest(scratch)}
        (scratch / MARKER).write_text(json.dumps(marker, indent=2) + "\n")
        scratch.chmod(0o755)  # mkdtemp gives 0o700
        try:
            os.replace(scratch, root)
        except OSError:
            # another process was faster; its bytes are ours
            if not _is_complete(root):
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _render_all(folder: Path, jobs: list[Job]) -> None:
    """In as many processes as there are cores, where the set is large enough to pay for starting them."""
    processes = min(os.cpu_count() or 1, len(jobs) // 100)
    with tqdm(total=len(jobs), desc="writing the streets", unit="frame", leave=False) as bar:
        if processes < 2:
            for job in jobs:
                _render_one(folder, job)
                bar.update()
            return
        # spawned, not forked: this process may already run torch's threads
        others = set(active_children())
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            try:
                with _left_to_the_parent(signal.SIGINT):
                    done = pool.map(partial(_render_one, folder), jobs, chunksize=8)
                for _ in done:
                    bar.update()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in set(active_children()) - others:
                    worker.terminate()
                raise


@contextmanager
def _left_to_the_parent(number: signal.Signals) -> Iterator[None]:
    """Processes that are started inside never see the signal, which a terminal sends to all; this one does, later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _render_one(folder: Path, job: Job) -> None:
    domain, index, names = job
    rgb, labels = render(domain, index)
    for kind, name in names.items():
        _save(folder / name, kind, rgb, labels)


def _is_complete(root: Path) -> bool:
    """Whether the root holds this version; False if there is nothing, UserError for anything else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    marker = root / MARKER
    try:
        version = json.loads(marker.read_text())["version"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{root} exists but is no complete streets set: move it away or name another root") from None
    if version != VERSION:
        raise UserError(f"{root} holds streets version {version}, not {VERSION}: delete it or name another root")
    return True


def _save(path: Path, kind: str, rgb: Pixels, labels: Pixels) -> None:
    """Write one picture of a frame: its RGB, or its labels as palette, ids or colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "rgb":
        image = Image.fromarray(rgb)
    elif kind == "colour":
        image = Image.fromarray(np.array(palette(), np.uint8).reshape(256, 3)[labels])
    else:
        image = Image.fromarray(labels)
        if kind == "palette":
            image.putpalette(palette())  # turns grey into mode P
    image.save(path, compress_level=COMPRESSION)
