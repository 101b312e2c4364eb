"""Score maps and chosen places: the panel after an epoch, and runs explained on one image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from src.data.images import Pixels
from src.data.transforms import to_pixels
from src.methods.base import ScoreMap
from src.tables.pictures.canvas import plain, rendered, stroke

COLOURS = "cividis"
"""Its lightness rises evenly, and it reads the same with and without a sense of red and green."""
LOW, HIGH = 1, 99
"""Percentiles a map's colours span: a few extreme places would leave the rest of the map one colour."""
_FACE, _EDGE = "white", "black"  # of a place's mark, which stands out on dark and on bright
_CELL, _DPI = 2.2, 110  # inches a map is wide

Maps = Mapping[str, ScoreMap]
Curve = Mapping[int, float]
"""A value by epoch, from 1."""


@dataclass(frozen=True)
class Explained:
    """What one run makes of an image.

    Attributes:
        label: of the run.
        output: G(x), [3, H, W] in [-1, 1].
        maps: by tap; empty for a method that samples no patches.
        spread: how the chosen places spread in training, by quantity, then by tap.
    """

    label: str
    output: Tensor
    maps: Maps
    spread: Mapping[str, Mapping[str, Curve]]


def panel(names: Sequence[str], rows: Sequence[tuple[Mapping[str, Tensor], Maps]]) -> Pixels:
    """One row a frame: images side by side, then the score map and chosen places of each tap. -> [H, W, 3].

    Args:
        names: of the frames.
        rows: images [3, H, W] in [-1, 1] by what they are, the same in all rows, and maps by tap.
    """
    images, taps = list(rows[0][0].items()), list(rows[0][1])
    figure, axes = _grid(len(rows), len(images) + len(taps), images[0][1], legend=bool(taps))
    for row, (name, (shown, maps)) in enumerate(zip(names, rows, strict=True)):
        for axis, (what, image) in zip(axes[row], shown.items(), strict=False):
            _show(axis, to_pixels(image), what if row == 0 else "")
        axes[row][0].set_ylabel(plain(name), fontsize=6)
        for axis, tap in zip(axes[row][len(shown) :], taps, strict=True):
            _map(axis, maps[tap], _heading(tap, [maps[tap]]) if row == 0 else "")
    if taps:
        _legend(figure)
    return rendered(figure)


def explanation(name: str, source: Tensor, runs: Sequence[Explained]) -> Pixels:
    """Runs on one image: a column a tap; the source beside how the choice spread, then a row of maps for each run.

    For a single run the chosen places follow on the source itself.

    Args:
        name: of the image.
        source: [3, H, W] in [-1, 1].
        runs: one or more.
    """
    taps = list(dict.fromkeys(tap for run in runs for tap in run.maps))
    quantities = list(dict.fromkeys(quantity for run in runs for quantity in run.spread)) if taps else []
    above = max(len(quantities), 1)
    alone = len(runs) == 1 and bool(taps)
    figure, axes = _grid(above + len(runs) + alone, 1 + max(len(taps), 1), source, legend=bool(taps))
    _show(axes[0][0], to_pixels(source), f"source: {name}")
    for row, quantity in enumerate(quantities):
        for axis, tap in zip(axes[row][1:], taps, strict=True):
            _curves(axis, [run.spread.get(quantity, {}).get(tap, {}) for run in runs])
            axis.set_title(f"{tap}: {quantity}", fontsize=7)
    for row, run in enumerate(runs, start=above):
        _show(axes[row][0], to_pixels(run.output), f"output: {run.label}")
        for axis, tap in zip(axes[row][1:], taps, strict=False):
            if tap in run.maps:
                _map(axis, run.maps[tap], _heading(tap, [run.maps[tap]]))
        if not run.maps:
            axes[row][1].text(0, 0.5, "samples no patches", fontsize=9, transform=axes[row][1].transAxes)
    if alone:
        for axis, tap in zip(axes[-1][1:], taps, strict=True):
            _show(axis, on_source(to_pixels(source), runs[0].maps[tap]), f"{tap}: where they are")
    for axis in (axis for row in axes for axis in row):
        if not axis.has_data():
            axis.set_axis_off()
    if taps:
        lines = [_line(number, label=run.label) for number, run in enumerate(runs)] if quantities else []
        _legend(figure, lines if len(runs) > 1 else [])
    return rendered(figure)


def on_source(source: Pixels, score_map: ScoreMap) -> Pixels:
    """The source in full colour at the chosen places, faint elsewhere. [H, W, 3] -> [H, W, 3].

    A tap that sees a reflected border is shown on the source with that border, so it is larger.
    """
    height, width = score_map.grid
    border = max((height - source.shape[0]) // 2, 0)
    seen = np.pad(source, ((border, border), (border, border), (0, 0)), mode="reflect")
    chosen = np.zeros(height * width, dtype=bool)
    chosen[score_map.places[0].cpu().numpy()] = True
    rows = np.arange(seen.shape[0]) * height // seen.shape[0]
    columns = np.arange(seen.shape[1]) * width // seen.shape[1]
    there = chosen.reshape(height, width)[rows[:, None], columns[None, :], None]
    faint = 200 + seen.mean(axis=2, keepdims=True) / 255 * 50
    return np.where(there, seen, faint).round().astype(np.uint8)


def _grid(rows: int, columns: int, image: Tensor, *, legend: bool) -> tuple[Figure, list[list[Axes]]]:
    height, width = image.shape[1:]
    size = (_CELL * columns, 0.25 + rows * (0.2 + _CELL * height / width) + 0.7 * legend)
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    axes: list[list[Axes]] = figure.subplots(rows, columns, squeeze=False).tolist()
    for axis in (axis for row in axes for axis in row):
        axis.set_xticks([])
        axis.set_yticks([])
    return figure, axes


def _show(axis: Axes, image: Pixels, title: str) -> None:
    axis.imshow(image, interpolation="nearest")
    axis.set_title(plain(title), fontsize=8)


def _heading(tap: str, maps: Sequence[ScoreMap]) -> str:
    return f"{tap}: {maps[0].places.shape[1]} of {maps[0].score.shape[1]:,} places"


def _map(axis: Axes, score_map: ScoreMap, title: str) -> None:
    score = score_map.score[0].unflatten(0, score_map.grid).float().cpu().numpy()
    low, high = np.percentile(score, (LOW, HIGH))
    axis.imshow(score, cmap=COLOURS, vmin=low, vmax=max(high, low + 1e-12), interpolation="nearest")
    places = score_map.places[0].cpu().numpy()
    width = score_map.grid[1]
    axis.scatter(places % width, places // width, s=7, linewidths=0.5, c=_FACE, edgecolors=_EDGE)
    axis.set_title(title, fontsize=8)


def _curves(axis: Axes, curves: Sequence[Curve]) -> None:
    for number, curve in enumerate(curves):
        if curve:
            line = _line(number, list(curve), list(curve.values()))
            line.set_marker("." if len(curve) < 20 else "")
            axis.add_line(line)
    epochs = [epoch for curve in curves for epoch in curve]
    if not epochs:
        return
    axis.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    axis.set_ylim(0, 1.03)
    axis.set_xticks(sorted({min(epochs), max(epochs)}))
    axis.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    # between the two ticks; below the tick where there is one alone, in their middle
    axis.set_xlabel("epoch", fontsize=7, labelpad=-6 if min(epochs) < max(epochs) else 1)
    axis.tick_params(labelsize=6)
    axis.grid(axis="y", linewidth=0.3)


def _line(number: int, x: Sequence[float] = (), y: Sequence[float] = (), label: str = "") -> Line2D:
    colour, dashes = stroke(number)
    return Line2D(x, y, color=colour, linestyle=dashes, linewidth=1.4, label=plain(label))


def _legend(figure: Figure, lines: Sequence[Line2D] = ()) -> None:
    """The colour bar, the sign of a place, and the lines of the runs."""
    bar = figure.colorbar(
        ScalarMappable(cmap=COLOURS), ax=figure.axes, location="bottom", shrink=0.4, aspect=40, pad=0.01
    )
    bar.set_ticks([0, 1], labels=["low", "high"])
    bar.ax.tick_params(labelsize=7, length=0)
    bar.set_label(f"score: brighter ranks higher; each map spans its own percentiles {LOW} to {HIGH}", fontsize=7)
    place = Line2D([], [], linestyle="none", marker="o", markersize=4, label="a chosen place")
    place.set(markerfacecolor=_FACE, markeredgecolor=_EDGE)
    figure.legend(handles=[place, *lines], loc="outside lower left", ncols=8, fontsize=7, frameon=False)
