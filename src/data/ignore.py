"""Ignore masks: which pixels of a domain's frames, the ego car's hood or a border, are neither places nor scored."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from src.data.images import Pixels, find_images, image_size, read_image
from src.data.transforms import interpolation
from src.system.errors import UserError
from src.system.ranks import say

Mask = NDArray[np.bool_]
"""[H, W], true where a pixel is ignored."""

THRESHOLD = 128
"""Grey level, of 255, from which on a pixel of a mask means ignored."""
THREADS = 8  # a disk across the network answers several at a time


@dataclass(frozen=True)
class MaskSurvey:
    """How masks and frames fit together, by the headers of their files.

    Attributes:
        found: frames that have a mask.
        missing: frames without one, of which nothing is ignored.
        faults: a line for each mask of another size than its frame, or that cannot be read.
    """

    found: int
    missing: int
    faults: list[str]


class IgnoreMasks:
    """The masks of one domain: one picture for all its frames, or a folder with a picture a frame.

    In a folder the mask of a frame is called as the frame is, whatever its suffix. It may lie below folders that are
    called as the frame's own: of <folder>/a/1.png and <folder>/1.png the first is that of <any>/a/1.jpg.

    Args:
        path: of the picture or the folder.
        key: of the setting, for messages.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.key = key
        self._by_place: dict[tuple[str, ...], Path] = {}
        if path.is_dir():
            for picture in find_images(path):
                place = picture.relative_to(path).with_suffix("").parts
                if (other := self._by_place.setdefault(place, picture)) != picture:
                    raise UserError(f"{key}: {other} and {picture} would be masks of the same frame; remove one")
        elif not path.is_file():
            raise UserError(f"{key}={path}: no such picture or folder; name one, absolute or relative to data.root")

    def of(self, frame: Path) -> Path | None:
        """The mask's file, if the frame has one."""
        if not self._by_place:
            return self.path
        parts = frame.with_suffix("").parts
        places = (parts[start:] for start in range(len(parts)))
        return next((self._by_place[place] for place in places if place in self._by_place), None)

    def files(self, frames: Sequence[Path]) -> list[Path]:
        """The masks of these frames, each once, sorted."""
        return sorted({mask for frame in frames if (mask := self.of(frame)) is not None})

    def read(self, frame: Path) -> Mask | None:
        """At the size of the frame's file; None for a frame without a mask.

        Raises UserError if it cannot be read.
        """
        if not self._by_place:
            return self._picture
        mask = self.of(frame)
        return None if mask is None else _read(mask)

    def at(self, frame: Path, shape: tuple[int, int]) -> Mask:
        """Of the frame resized to (height, width): true where anything of an ignored pixel went into a pixel."""
        mask = self.read(frame)
        return np.zeros(shape, dtype=np.bool_) if mask is None else _resized(mask, shape)

    def along(self, frame: Path, pixels: Pixels) -> Pixels:
        """The resized frame with its mask as a fourth channel of 0 and 255, to be cropped and mirrored with it."""
        ignored = self.at(frame, pixels.shape[:2])
        return np.dstack([pixels, ignored.astype(np.uint8) * 255])

    def survey(self, frames: Sequence[Path]) -> MaskSurvey:
        """Look at the sizes of all; a frame that cannot be read is for others to name."""
        with ThreadPoolExecutor(THREADS) as pool:
            faults = list(pool.map(self._fault, frames))
        missing = sum(self.of(frame) is None for frame in frames)
        return MaskSurvey(len(frames) - missing, missing, list(dict.fromkeys(fault for fault in faults if fault)))

    def demand_fit(self, frames: Sequence[Path]) -> MaskSurvey:
        """Raise UserError for a mask of another size than its frame, for one that is itself a frame, or for none."""
        if own := set(frames) & set(self.files(frames)):
            raise UserError(f"{self.key}: {min(own)} is a frame of the set; keep masks in a folder of their own")
        found = self.survey(frames)
        if found.faults:
            more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
            raise UserError(f"{found.faults[0]}{more}")
        if not found.found:
            raise UserError(f"{self.key}={self.path}: holds no mask that is called as one of the {len(frames)} frames")
        return found

    def summary(self, frames: Sequence[Path], *, quick: bool) -> dict[str, Any]:
        """Counts, ready for JSON; `share` of the frames' pixels is ignored, None where that was not looked at.

        Args:
            frames: of the domain.
            quick: decode nothing.
        """
        found = self.survey(frames)
        share = None if quick or found.faults else float(np.mean([self._share(frame) for frame in frames]))
        return {"found": found.found, "missing": found.missing, "share": share, "faults": found.faults}

    def _share(self, frame: Path) -> float:
        mask = self.read(frame)
        return 0.0 if mask is None else float(mask.mean())

    def announce(self, found: MaskSurvey) -> None:
        """One line on stderr that counts the frames without a mask; nothing if there are none."""
        if found.missing:
            frames = found.found + found.missing
            say(f"{self.key}: {found.missing} of {frames} frames have no mask, all of them counts")

    @cached_property
    def _picture(self) -> Mask:
        return _read(self.path)

    @cached_property
    def _size(self) -> tuple[int, int]:
        return image_size(self.path, "mask", to_its_end=True)

    def _fault(self, frame: Path) -> str | None:
        mask = self.of(frame)
        if mask is None:
            return None
        try:
            size = image_size(frame)
        except UserError:
            return None
        try:
            other = image_size(mask, "mask", to_its_end=True) if self._by_place else self._size
        except UserError as error:
            return str(error)
        if size == other:
            return None
        sizes = f"is {other[0]}x{other[1]}, its frame {frame} {size[0]}x{size[1]}"
        return f"{self.key}: {mask} {sizes}; a mask has the size of its frame"


def ignore_masks(settings: Mapping[str, Any]) -> dict[str, IgnoreMasks]:
    """By domain, x and y, those that `root`, `ignore_x` and `ignore_y` of a data node name; older runs name none.

    Raises UserError if there is no such picture or folder.
    """
    base = Path(settings.get("root") or ".")
    keys = {domain: f"ignore_{domain}" for domain in ("x", "y")}
    return {
        domain: IgnoreMasks(base / str(settings[key]), f"data.{key}")
        for domain, key in keys.items()
        if settings.get(key) is not None
    }


def _read(mask: Path) -> Mask:
    return np.asarray(cv2.cvtColor(read_image(mask), cv2.COLOR_RGB2GRAY) >= THRESHOLD)


def _resized(mask: Mask, shape: tuple[int, int]) -> Mask:
    if mask.shape == shape:
        return mask
    # the share that ignored pixels have in each, by the very interpolation of the frame
    share = cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=interpolation(mask.shape, shape))
    return np.asarray(np.abs(share) > 1e-6)
