"""From a figure to pixels, without a screen and without global state."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from src.data.images import Pixels
from src.system.files import as_bytes


def plain(text: str) -> str:
    """A name from outside, which may be no UTF-8, and which Matplotlib would read as a formula between two dollars."""
    return as_bytes(text).decode("utf-8", "backslashreplace").replace("$", r"\$")


def rendered(figure: Figure) -> Pixels:
    """The figure at its own size and resolution, [H, W, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
