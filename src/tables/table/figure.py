"""A table as a figure: a panel a score, a line a row, every seed a dot."""

import io
import math
import textwrap

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from src.metrics import references
from src.tables.pictures.canvas import plain
from src.tables.table.columns import Column
from src.tables.table.comparison import ALPHA
from src.tables.table.rows import BASE
from src.tables.table.table import Table

ACROSS = 3
WIDEST = 62
"""Characters of a label on one line; what is longer goes on below, for which a row has room."""
# Okabe and Ito's palette, which stays apart for colour-blind readers; the marker says the same once more
PLAIN, BETTER, REFERENCE = "#0072B2", "#D55E00", "#7F7F7F"


def draw(table: Table) -> bytes:
    """A PNG without date or version, so that the same table is the same file with the same matplotlib."""
    scores = [column for column in table.columns if column.kind == "score"]
    across = min(ACROSS, len(scores)) or 1
    down = math.ceil(len(scores) / across) or 1
    height = 1.0 + 0.28 * len(table.labels)
    figure = Figure(figsize=(2.0 + 3.2 * across, 0.6 + down * height), dpi=150, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharey=True).flatten()
    for axis, column in zip(axes, scores, strict=False):
        _panel(axis, table, column)
    for axis in axes[len(scores) :]:
        axis.set_visible(False)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    canvas, file = FigureCanvasAgg(figure), io.BytesIO()
    canvas.print_png(file, metadata={"Software": None})
    return file.getvalue()


def panel(table: Table, column: Column) -> Figure:
    """One score alone, without its name."""
    size = (3.0 + 0.06 * min(WIDEST, max(map(len, table.labels))), 0.4 + 0.26 * len(table.labels))
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    _panel(axis, table, column)
    axis.set_title("")
    axis.spines[:].set_visible(False)
    return figure


def _panel(axis: Axes, table: Table, column: Column) -> None:
    labels, rows = table.labels, {row.label: row for row in table.rows}
    for place, label in enumerate(labels):
        cell = table.cells.get((label, column.key))
        if cell is None or not math.isfinite(cell.mean):
            continue
        test = table.test(label, column)
        reference = label in references.ROWS.values()
        better = test is not None and test.better
        colour = REFERENCE if reference else BETTER if better else PLAIN
        marker = "D" if reference else "*" if better else "o"
        axis.errorbar(
            cell.mean, place, xerr=cell.std, color=colour, marker=marker, capsize=3, markersize=7 + 3 * better
        )
        seeds = list(column.by_seed(rows[label].runs).values()) if label in rows else []
        if len(seeds) > 1:
            axis.plot(seeds, [place + 0.22] * len(seeds), ".", color=PLAIN, alpha=0.5, markersize=4)
    base = next((row.label for row in table.rows if row.variant == BASE), None)
    if base is not None and (cell := table.cells.get((base, column.key))) is not None:
        axis.axvline(cell.mean, color=PLAIN, linewidth=0.8, linestyle=":")
    wrapped = [textwrap.fill(label, WIDEST, break_long_words=False, break_on_hyphens=False) for label in labels]
    axis.set_yticks(range(len(labels)), [plain(label) for label in wrapped], fontsize=8 if wrapped == labels else 7)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.set_title(plain(f"{column.heading} {column.arrow}"), fontsize=9)
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="x", linewidth=0.3)


def _legend() -> list[Line2D]:
    kinds = [
        (REFERENCE, "D", 7, "reference"),
        (PLAIN, "o", 7, "mean ± std over seeds"),
        (BETTER, "*", 10, f"better than {BASE}, p (Holm) < {ALPHA}"),
        (PLAIN, ".", 4, "a seed"),
    ]
    return [
        Line2D([], [], color=colour, marker=marker, markersize=size, label=label, linestyle="none")
        for colour, marker, size, label in kinds
    ]
