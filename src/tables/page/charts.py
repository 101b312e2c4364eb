"""The charts of a page: quantities over epochs, a line a row; as pictures that are sharp at any size."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from src.tables.pictures.canvas import stroke, vector

MARKED = 12
"""Epochs up to which every point is marked."""

Seeds = Sequence[Mapping[int, float]]
"""Values of a row by epoch, a mapping a seed."""


def over_epochs(rows: Sequence[Seeds], ends: tuple[float, float] | None = None) -> Figure:
    """The mean of each row's seeds, and their range where there are several; a row without values keeps its colour.

    Args:
        rows: at least one of them with a value.
        ends: of the vertical axis; by default those of the values.
    """
    figure = Figure(figsize=(3.4, 2.1), layout="constrained")
    axis = figure.subplots()
    for number, seeds in enumerate(rows):
        epochs = sorted({epoch for seed in seeds for epoch in seed})
        values = [[seed[epoch] for seed in seeds if epoch in seed] for epoch in epochs]
        colour, dashes = stroke(number)
        marker = "." if len(epochs) <= MARKED else ""
        axis.plot(epochs, [fmean(of_epoch) for of_epoch in values], color=colour, linestyle=dashes, marker=marker)
        if len(seeds) > 1:
            axis.fill_between(
                epochs, [min(v) for v in values], [max(v) for v in values], color=colour, alpha=0.16, lw=0
            )
    axis.set_ylim(ends)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.set_xlabel("epoch", fontsize=8)
    axis.tick_params(labelsize=8, length=0)
    axis.grid(axis="y", linewidth=0.4)
    axis.spines[:].set_visible(False)
    return figure


def key(number: int) -> Figure:
    """A line's sample, for a legend."""
    figure = Figure(figsize=(0.4, 0.12))
    colour, dashes = stroke(number)
    figure.add_artist(Line2D([0.02, 0.98], [0.5, 0.5], color=colour, linestyle=dashes))
    return figure


def uri(figure: Figure) -> str:
    """A figure as part of a page, without a background: it is the page's own."""
    figure.patch.set_visible(False)
    for axis in figure.axes:
        axis.patch.set_visible(False)
    return "data:image/svg+xml;base64," + b64encode(vector(figure)).decode()
