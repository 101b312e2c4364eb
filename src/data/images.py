"""Image files of any usual kind, found and read as 8-bit RGB."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from src import files
from src.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

Pixels = NDArray[np.uint8]
"""[H, W, 3], RGB, 0 to 255."""


def find_images(folder: Path) -> list[Path]:
    """Every image below `folder` at any depth, sorted; hidden files and folders are passed over.

    Raises UserError if the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; check the path")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise UserError(f"{folder}: no images there; looked for {', '.join(SUFFIXES)} at any depth")
    return found


def read_image(path: Path) -> Pixels:
    """The picture as a person sees it: EXIF rotation applied, 16 bits scaled to 8, grey and palette as RGB, no alpha.

    Raises UserError if the file is missing, torn, too large to be a picture or not an image.
    """
    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file)
            return _rgb(upright)
    except FileNotFoundError:
        raise UserError(f"{path}: the image is gone; was the folder changed meanwhile?") from None
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0].replace(f" {str(path)!r}", "") if str(error) else type(error).__name__
        raise UserError(f"{path}: cannot be read as an image ({reason}); mend or remove the file") from error


def shortest_side(path: Path) -> int:
    """The smaller of width and height, from the file's header alone; raises UserError as `read_image` does."""
    try:
        with Image.open(path) as file:
            return int(min(file.size))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return int(min(read_image(path).shape[:2]))  # says what is wrong


def write_image(path: Path, pixels: Pixels) -> None:
    """Write a PNG whole or not at all: under a temporary name first, then renamed."""
    content = BytesIO()  # Pillow writes to a file by itself, and loses why it could not
    Image.fromarray(pixels).save(content, format="PNG")
    files.write(path, content.getvalue())


def _rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion clips at 255 instead of scaling
        grey = (np.asarray(image, dtype=np.float64) / 257).round().clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("P", "PA") and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"), dtype=np.uint8)  # a view of Pillow's memory could not be written to
