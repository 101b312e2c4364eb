"""How a player turns and mirrors the frames of a film, by the display matrix that comes with them."""

from typing import Any

import numpy as np

from src.data.images import Pixels


def display_matrix(frame: Any) -> tuple[int, int, int, int] | None:
    """How a player turns a frame: a, b, c, d of its display matrix as signs, None where it turns nothing.

    A pixel at (p, q) is shown at (a p + c q, b p + d q), up to a shift.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32)
    signs = tuple(int(np.sign(one)) for one in (a, b, c, d))
    if sorted(map(abs, signs)) != [0, 0, 1, 1] or abs(signs[0]) != abs(signs[3]):
        raise ValueError("it is turned by no multiple of 90 degrees")
    return signs  # type: ignore[return-value]


def upright(pixels: Pixels, matrix: tuple[int, int, int, int] | None) -> Pixels:
    """A frame, [H, W, 3], as its display matrix turns and mirrors it."""
    if matrix is None:
        return pixels
    a, b, c, d = matrix
    if a == 0:  # width becomes height
        pixels, a, d = pixels.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(pixels[:: d or 1, :: a or 1])
