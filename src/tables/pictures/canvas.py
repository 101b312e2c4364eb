"""From a figure to pixels or to SVG, without a screen, and the look that all lines have."""

import io
from typing import Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from src.data.images import Pixels
from src.system.files import as_bytes

# Okabe and Ito's palette, which stays apart for colour-blind readers; the dashes say the same once more
_LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")


def plain(text: str) -> str:
    """A name from outside, which may be no UTF-8, and which Matplotlib would read as a formula between two dollars."""
    return as_bytes(text).decode("utf-8", "backslashreplace").replace("$", r"\$")


def stroke(number: int) -> tuple[str, Literal["-", "--", "-.", ":"]]:
    """Colour and dashes of a line; further lines begin again."""
    return _LINES[number % len(_LINES)], _DASHES[number % len(_DASHES)]


def rendered(figure: Figure) -> Pixels:
    """The figure at its own size and resolution, [H, W, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, :3])


def vector(figure: Figure) -> bytes:
    """The figure as SVG on nothing, its text as outlines; the same figure is the same bytes."""
    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "the same names of its parts"}):
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None})
    return file.getvalue()
