"""Image files of any usual kind, found and read as 8-bit RGB; what is no single picture of a sane size is refused."""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from src.data.colour_profiles import to_srgb
from src.data.sixteen_bits import WHITE, eight_bits
from src.system.errors import UserError
from src.system.files import write
from src.system.ranks import say

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp")
FORMATS = ("PNG", "JPEG", "WEBP")
"""What a file may hold, whatever it is called; Pillow's other decoders, some of which start programs, stay unused."""
ENCODING: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"},
    ".webp": {"format": "WEBP", "quality": 95, "method": 4},
}
"""How a file of each suffix is written."""
LONGEST = {".jpg": 65_500, ".webp": 16_383}
"""Pixels a side that a file of the suffix can hold."""
LARGEST = 89_478_485
"""Pixels, a quarter of a GiB as RGB: from here on Pillow too suspects a decompression bomb."""

THINNEST = 100
"""Times one side may be as long as the other; what is brought to a height of some hundred pixels grows with it."""

_OF_THE_DISK = ("@eaDir", "#recycle", "$RECYCLE.BIN")
"""Folders of thumbnails (Synology) and of what was thrown away, which are no more looked at than hidden ones."""
_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)  # of EXIF
_PNG_END, _TAIL = b"\0\0\0\0IEND\xaeB`\x82", 4096  # some tools append a few bytes of their own

# Pillow warns about what is refused below
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Pixels = NDArray[np.uint8]
"""[H, W, 3], RGB, 0 to 255."""

Read = Callable[[Path], Pixels]
"""Reads an image file, as `read_image` does."""

Kind = Literal["image", "class map", "mask"]


@dataclass(frozen=True)
class Listing:
    """What lies in a folder.

    Attributes:
        images: sorted.
        passed_over: how many other files there are, by suffix.
    """

    images: list[Path]
    passed_over: Mapping[str, int]


def find_images(folder: Path) -> list[Path]:
    """The images of `list_images`."""
    return list_images(folder).images


def list_images(folder: Path) -> Listing:
    """Every image below `folder` at any depth, told by its suffix; hidden files and folders are not looked at.

    Links are followed, each folder is visited once.

    Raises UserError if the folder is missing, cannot be listed or holds no image, or if an image is a dead link.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; check the path")
    others: Counter[str] = Counter()
    found = sorted(_below(folder, set(), others))
    if not found:
        instead = f"; there are {_counted(others)}" if others else ""
        raise UserError(f"{folder}: no images there; looked for {', '.join(SUFFIXES)} at any depth{instead}")
    return Listing(found, others)


def announce_passed_over(files: Mapping[str, int], key: str) -> None:
    """One line on stderr that counts the files that were passed over, by suffix; nothing if there are none.

    Args:
        files: how many, by suffix.
        key: of the configuration, which they lie below.
    """
    if count := sum(files.values()):
        say(f"{key}: {count} files passed over: {_counted(files)}; read are {', '.join(SUFFIXES)}")


@contextmanager
def open_image(path: Path, kind: Kind = "image") -> Iterator[Image.Image]:
    """The file, of which only the header is read yet; what goes wrong while it is decoded in the block counts too.

    Args:
        path: of a PNG, JPEG or WebP file.
        kind: what it should be, for messages.

    Raises UserError if the file is missing, torn, an animation, too large, too thin or no picture.
    """
    try:
        with Image.open(path, formats=FORMATS) as file:
            if file.width * file.height > LARGEST:
                raise Image.DecompressionBombError
            if max(file.size) > THINNEST * min(file.size):
                sides = f"{file.width}x{file.height}"
                raise UserError(f"{path}: is {sides}, one side over {THINNEST} times the other; crop or remove it")
            frames = getattr(file, "n_frames", 1)
            if frames > 1 and file.format != "MPO":  # a phone's JPEG with further pictures behind the one it shows
                raise UserError(f"{path}: is an animation of {frames} frames; keep one of them instead")
            yield file
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: the {kind} is gone; was the folder changed meanwhile?") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        limit = LARGEST // 10**6
        raise UserError(
            f"{path}: has more than {limit} megapixels, the most that is read; shrink or remove it"
        ) from None
    except Exception as error:  # a decoder that is given garbage raises whatever it stumbles over
        reason = str(error).splitlines()[0].replace(f" {str(path)!r}", "") if str(error) else type(error).__name__
        article = "an" if kind == "image" else "a"
        raise UserError(f"{path}: cannot be read as {article} {kind} ({reason}); mend or remove the file") from error


def read_image(path: Path, white: int = WHITE) -> Pixels:
    """The picture as a person sees it: upright by its EXIF, in sRGB by its ICC profile, without alpha.

    Grey and palette become RGB, and 16 bits are scaled to 8.

    Args:
        path: of the file.
        white: value that becomes 255 in a file of 16 bits a channel; larger ones do too.

    Raises UserError as `open_image` does.
    """
    with open_image(path) as file:
        picture = eight_bits(file, path, white)
        # a PNG may have its profile and EXIF behind the picture, where only decoding finds them
        return as_seen(picture, file.info.get("icc_profile"))


def as_seen(picture: Image.Image, profile: bytes | None) -> Pixels:
    """A picture of 8 bits a channel, upright by its EXIF, in sRGB by the profile, without alpha."""
    return np.array(to_srgb(ImageOps.exif_transpose(picture), profile), dtype=np.uint8)


def reading(white: int) -> str:
    """All that `read_image` does to a file beside decoding it, for what is kept of its pixels."""
    return f"upright, sRGB by profile, white {white}"


def demand_apart(jobs: Iterable[tuple[Path, Path]]) -> None:
    """Refuse sources of which two would become the same target; raises UserError that names both."""
    taken: dict[Path, Path] = {}
    for source, target in jobs:
        if taken.setdefault(target, source) != source:
            raise UserError(f"{taken[target]} and {source} would both become {target}; rename one")


def image_size(path: Path, kind: Kind = "image", *, to_its_end: bool = False) -> tuple[int, int]:
    """Width and height of the upright picture, from the file's header alone.

    Args:
        path: of the file.
        kind: what it should be, for messages.
        to_its_end: look at its last bytes too, which tell a PNG that was cut short.

    Raises UserError as `open_image` does.
    """
    with open_image(path, kind) as file:
        width, height = file.size
        if to_its_end and file.format == "PNG":
            _demand_end(path)
        # a PNG's own getexif would decode it, as EXIF may stand behind the picture
        sideways = Image.Image.getexif(file).get(_ORIENTATION) in _SIDEWAYS
    return (height, width) if sideways else (width, height)


def shortest_side(path: Path) -> int:
    """The smaller of width and height, from the header; raises UserError as `open_image` does."""
    return min(image_size(path))


def encoded(pixels: Pixels, suffix: str) -> bytes:
    """The content of an image file.

    Args:
        pixels: of the image.
        suffix: of the file: .png without loss, .jpg and .webp in the quality of ENCODING.
    """
    content = BytesIO()  # Pillow writes to a file by itself, and loses why it could not
    Image.fromarray(pixels).save(content, **ENCODING[suffix])
    return content.getvalue()


def write_image(path: Path, pixels: Pixels) -> None:
    """Write a PNG whole or not at all: under a temporary name first, then renamed."""
    write(path, encoded(pixels, ".png"))


def _below(folder: Path, visited: set[tuple[int, int]], others: Counter[str]) -> Iterator[Path]:
    """Images; `others` counts what is none, by suffix."""
    try:
        stat = folder.stat()
        names = sorted(name for name in os.listdir(folder) if not name.startswith(".") and name not in _OF_THE_DISK)
        entries = [(folder / name, (folder / name).is_dir()) for name in names]
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror}); mend or remove it") from error
    if (stat.st_dev, stat.st_ino) in visited:
        return
    visited.add((stat.st_dev, stat.st_ino))
    for path, is_folder in entries:
        if is_folder:
            yield from _below(path, visited, others)
        elif path.suffix.lower() in SUFFIXES:
            if path.is_file():
                yield path
            elif path.is_symlink():
                raise UserError(f"{path}: is a link that leads to no file; mend or remove it")
        else:
            others[path.suffix.lower() or "without suffix"] += 1


def _demand_end(png: Path) -> None:
    with png.open("rb") as file:
        file.seek(-min(_TAIL, png.stat().st_size), os.SEEK_END)
        if _PNG_END not in file.read():
            raise OSError("cut short")


def _counted(files: Mapping[str, int]) -> str:
    return ", ".join(f"{suffix} {count}" for suffix, count in sorted(files.items()))
