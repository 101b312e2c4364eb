"""Training frames at the size before the crop, decoded once and kept as raw pixels for every job and rank.

A shard is a safetensors file of some hundred frames, memory-mapped by its readers. It is named by the content of its
source files and by everything its pixels depend on, so it is never out of date; it is written under a temporary name
and renamed, so it is never half there; processes that want the same one wait for the first.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import albumentations
import cv2
import PIL
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from tqdm import tqdm

from src.data.images import Pixels, read_image
from src.data.sixteen_bits import WHITE
from src.data.transforms import Transforms
from src.system.errors import UserError
from src.system.files import sha256, write

VERSION = 2
SHARD = 128
"""Frames a shard."""


class FrameCache:
    """Reads frames as `transforms.to_size(read_image(path, white))` would, to the bit.

    Args:
        folder: for the shards; shared by whoever likes, holding nothing else.
        transforms: brings a frame to size.
        white: see read_image.
    """

    def __init__(self, folder: Path, transforms: Transforms, white: int = WHITE) -> None:
        self.folder = folder
        self.transforms = transforms
        self.white = white
        self._places: dict[Path, tuple[Path, str]] = {}

    def prepare(self, files: Sequence[Path]) -> None:
        """Write the shards that are missing or torn; needed before these files can be read.

        Raises UserError if a file cannot be read or the folder not be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            digests = self._digests(files)
            for start in tqdm(range(0, len(files), SHARD), desc="caching frames", unit="shard", leave=False):
                self._write(files[start : start + SHARD], digests)
        except OSError as error:
            raise UserError(f"data.cache={self.folder}: cannot be written ({error}); name another folder") from error

    def __call__(self, path: Path) -> Pixels:
        """The frame [H, W, 3] at the size before the crop; its checksum is verified.

        Raises UserError for a damaged shard.
        """
        shard, digest = self._places[path]
        try:
            file, sums = _open(shard)
            pixels: Pixels = file.get_tensor(digest)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{shard}: damaged or gone ({error}); remove it and start again") from error
        if zlib.crc32(pixels.data) != int(sums[digest]):
            raise UserError(f"{shard}: damaged (wrong checksum); remove it and start again")
        return pixels

    def _write(self, files: Sequence[Path], digests: Mapping[Path, str]) -> None:
        wanted = {digests[path]: path for path in files}
        key = _name([self._settings(), *sorted(wanted)])
        shard = self.folder / f"{key}.safetensors"
        if not _whole(shard):
            with FileLock(self.folder / f".{key}.lock"):
                # another process may have been first
                if not _whole(shard):
                    with ThreadPoolExecutor() as pool:
                        frames = dict(zip(wanted, pool.map(self._load, wanted.values()), strict=True))
                    sums = {digest: str(zlib.crc32(frame.data)) for digest, frame in frames.items()}
                    write(shard, save(frames, sums))
        self._places |= {path: (shard, digests[path]) for path in files}

    def _load(self, path: Path) -> Pixels:
        return self.transforms.to_size(read_image(path, self.white))

    def _settings(self) -> str:
        libraries = (PIL.__version__, cv2.__version__, albumentations.__version__)
        return json.dumps([VERSION, self.white, self.transforms.sizing, libraries])

    def _digests(self, files: Sequence[Path]) -> dict[Path, str]:
        """Sha256 of every file's content; files whose size and time are known are not read again."""
        name = _name([str(path.resolve()) for path in files])
        memo = self.folder / f"{name}.json"
        try:
            known = json.loads(memo.read_text())
        except (OSError, ValueError):
            known = {}

        def entry(path: Path) -> list[object]:
            stat = path.stat()
            seen = known.get(str(path.resolve()), [])
            if seen[:2] == [stat.st_size, stat.st_mtime_ns]:
                return list(seen)
            return [stat.st_size, stat.st_mtime_ns, sha256(path)]

        with ThreadPoolExecutor() as pool:
            entries = dict(zip(files, pool.map(entry, files), strict=True))
        write(memo, json.dumps({str(path.resolve()): value for path, value in entries.items()}).encode())
        return {path: str(value[2]) for path, value in entries.items()}


def _name(lines: Sequence[str]) -> str:
    return hashlib.sha256(os.fsencode("\n".join(lines))).hexdigest()[:32]


def _whole(shard: Path) -> bool:
    """Whether it is there, of the size its header says."""
    try:
        safe_open(shard, framework="numpy")
    except (SafetensorError, OSError):
        return False
    return True


@lru_cache(maxsize=1024)
def _open(shard: Path) -> tuple[Any, dict[str, str]]:
    file = safe_open(shard, framework="numpy")
    return file, file.metadata() or {}  # type: ignore[no-untyped-call]
