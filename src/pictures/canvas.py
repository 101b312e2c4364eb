"""From a figure to pixels, without a screen and without global state."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from src.data.images import Pixels


def plain(text: str) -> str:
    """A name from outside, which Matplotlib would read as a formula between two dollars."""
    return text.replace("$", r"\$")


def rendered(figure: Figure) -> Pixels:
    """The figure at its own size and resolution, [H, W, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
