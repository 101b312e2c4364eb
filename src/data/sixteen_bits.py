"""Files of 16 bits a channel: to 8 bits by the value that is white in them, which only their user knows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.system.errors import UserError

WHITE = 65535
"""Of a 16-bit file, unless its user knows better: a camera's 12 bits end at 4095, or 4080."""


def has_sixteen_bits(file: Image.Image) -> bool:
    """Whether an open file has 16 bits a channel; Pillow keeps them for grey alone."""
    return file.mode.startswith("I") or any(";16" in str(tile.args) for tile in getattr(file, "tile", ()))


def sixteen_bits(path: Path) -> NDArray[np.uint16]:
    """The values of a file of 16 bits a channel as they are: [H, W], or [H, W, 3] of colour; not turned upright.

    Raises UserError if they cannot be decoded.
    """
    values = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise UserError(f"{path}: its 16 bits cannot be decoded; mend or remove the file")
    return np.ascontiguousarray(values if values.ndim == 2 else values[:, :, 2::-1])


def eight_bits(file: Image.Image, path: Path, white: int) -> Image.Image:
    """Of 8 bits a channel, with its alpha as such; scaled where Pillow's own conversion would clip or cut."""
    colours = has_sixteen_bits(file) and not file.mode.startswith("I")
    file.load()  # what is torn is refused by Pillow
    if file.mode.startswith("I") or (colours and white != WHITE):
        values = sixteen_bits(path) if colours else np.asarray(file)
        scaled = (values.astype(np.float64) * (255 / white)).round().clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(scaled)
        picture.info |= file.info
        return picture
    if file.mode in ("P", "PA") and "transparency" in file.info:
        return file.convert("RGBA")
    return file


def white_of(settings: Mapping[str, Any] | None) -> int:
    """Of a run, from the `data` of its configuration; WHITE where it names none."""
    return demand_white((settings or {}).get("white", WHITE), "data.white")


def demand_white(white: object, key: str) -> int:
    """The value itself; raises UserError if no file of 16 bits could have it as white."""
    if not isinstance(white, int) or isinstance(white, bool) or not 255 <= white <= WHITE:
        raise UserError(f"{key} is the value of white in 16-bit files and must lie in [255, {WHITE}], got {white}")
    return white
