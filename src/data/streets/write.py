"""Writes the streets as Playing for Data (Richter et al. 2016) and Cityscapes (Cordts et al. 2016) are.

All frames of a set are drawn before any is read: a training needs the sizes of all files and the colours of half of
them before its first step, and a default one comes to read every frame, in training or as validation. So the set is
drawn fast, on every core, and what a stop has left is gone on from: frames lie in a hidden folder beside the root,
which becomes the root once all of them stand. A frame is a function of its number, so it does not matter which process
draws it, and when. One process draws at a time; others that want the same root, as the ranks of a run do, wait and find
it complete.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

from src.data.streets.frames import PROGRAM, UNFINISHED, Frame, all_frames, draw, is_drawn
from src.system.device import cores
from src.system.errors import UserError
from src.system.files import sha256
from src.system.ranks import say

VERSION = "1"
MARKER = "streets.json"
GAME_FRAMES = 500
CITY_FRAMES: dict[tuple[str, str], int] = {
    ("train", "altenbruck"): 150,
    ("train", "morgenfeld"): 130,
    ("train", "seehausen"): 120,
    ("val", "lindenau"): 100,
}
LEAST = 50
"""Frames that pay for starting a process."""


def write_streets(root: Path) -> None:
    """Write the whole set under a root that does not exist yet, or do nothing where it is complete.

    The folder appears at once and complete, or not at all; see the module about what is kept of a set that is not.

    Raises UserError if the root holds something else.
    """
    write_frames(root, list(all_frames(GAME_FRAMES, CITY_FRAMES)))


def write_frames(root: Path, wanted: Sequence[Frame]) -> None:
    """Write a set of these frames, as `write_streets` does the whole one."""
    if _is_complete(root):
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    lock = root.parent / f".{root.name}.lock"
    with _held(lock, root):
        if not _is_complete(root):  # another process may have been first
            scratch = root.parent / f".{root.name}-{VERSION}{UNFINISHED}"
            scratch.mkdir(exist_ok=True)
            _draw_all(scratch, [frame for frame in wanted if not is_drawn(scratch, frame)], len(wanted))
            for torn in scratch.rglob(f".*{UNFINISHED}"):
                torn.unlink()
            marker = {"version": VERSION, "frames": len(wanted), "digest": streets_digest(scratch)}
            (scratch / MARKER).write_text(json.dumps(marker, indent=2) + "\n")
            scratch.replace(root)
        lock.unlink(missing_ok=True)  # who waits for it, or makes another, finds a complete root


def streets_digest(root: Path) -> str:
    """Sha256 over the sorted relative names and the contents of all files but the marker."""
    digest = hashlib.sha256()
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    for name in sorted(files):
        if name != MARKER:
            digest.update(f"{name}\n{sha256(files[name])}\n".encode())
    return digest.hexdigest()


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


@contextmanager
def _held(path: Path, root: Path) -> Iterator[None]:
    """The lock of those that draw a root; a line on stderr says that another process has it."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=1)
    except Timeout:
        say(f"{root}: another process draws the streets there; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _draw_all(folder: Path, missing: Sequence[Frame], total: int) -> None:
    """In as many processes as there are cores, where there are frames enough to pay for starting them."""
    processes = min(cores(), len(missing) // LEAST)
    with tqdm(total=total, initial=total - len(missing), desc="drawing the streets", unit="frame", leave=False) as bar:
        if processes < 2:
            for frame in missing:
                draw(folder, frame)
                bar.update()
            return
        left = iter(missing)
        with _programs(folder, processes) as programs, ThreadPoolExecutor(processes) as pool, _ended(programs):
            for done in as_completed([pool.submit(_ask, program, left, bar) for program in programs]):
                done.result()


def _ask(program: "subprocess.Popen[bytes]", left: Iterator[Frame], bar: "tqdm[Any]") -> None:
    """Have a program draw frames as long as there are any.

    Args:
        program: that draws.
        left: the frames, of which the threads of other programs take theirs.
        bar: counts them.
    """
    assert program.stdin is not None
    assert program.stdout is not None
    for frame in left:
        try:
            program.stdin.write(json.dumps(frame).encode() + b"\n")
            answer = program.stdout.readline()
        except OSError:
            answer = b""
        if not answer:
            raise UserError(
                f"data.root: a process that draws the streets has died (exit code {program.wait()}), of too little "
                "memory perhaps; the same command goes on"
            )
        if (failure := json.loads(answer)) is not None:
            raise OSError(*failure)
        bar.update()


@contextmanager
def _programs(folder: Path, count: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Programs that draw into a folder; none is left running."""
    source = str(Path(__file__).resolve().parents[3])
    paths = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    with ExitStack() as stack:
        environment = {**os.environ, "PYTHONPATH": paths}
        with _left_to_this_process(signal.SIGINT):
            programs = [
                stack.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", PROGRAM, str(folder.absolute())],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment,
                    )
                )
                for _ in range(count)
            ]  # fmt: skip
        yield programs


@contextmanager
def _ended(programs: Sequence["subprocess.Popen[bytes]"]) -> Iterator[None]:
    """After the block, whatever ended it: a frame that is being drawn is dropped."""
    try:
        yield
    finally:
        for program in programs:
            program.kill()


@contextmanager
def _left_to_this_process(number: signal.Signals) -> Iterator[None]:
    """Processes that are started inside never see the signal, which a terminal sends to all; this one does, later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
