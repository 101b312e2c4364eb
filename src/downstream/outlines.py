"""The picture of invented pixels: source, output with them outlined, what the source holds, what the judge sees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from src.data.images import Pixels
from src.data.labels import IGNORE, ClassMap, LabelTable
from src.tables.pictures.canvas import plain, rendered


@dataclass(frozen=True)
class Case:
    """One image.

    Attributes:
        name: of its file.
        source: pixels.
        output: pixels, of the same size.
        reference: train ids of the source, at the size of its labels.
        predicted: the judge's train ids for the output, likewise.
        invented: where the judge sees the watched class and the reference has another, likewise.
    """

    name: str
    source: Pixels
    output: Pixels
    reference: ClassMap
    predicted: NDArray[np.int64]
    invented: NDArray[np.bool_]


def draw(cases: Sequence[Case], table: LabelTable) -> Pixels:
    """One row a case, the worst first, and a legend of the classes in it. -> [H, W, 3]."""
    height, width = cases[0].source.shape[:2]
    titles = ("source", f"output, invented {table.watched} outlined", "reference", "judged")
    row = 3.0 * height / width + 0.08
    figure = Figure(figsize=(3.0 * len(titles), 0.9 + row * len(cases)), dpi=110, layout="constrained")
    axes = figure.subplots(len(cases), len(titles), squeeze=False)
    seen: set[int] = set()
    for number, case in enumerate(cases):
        predicted = case.predicted.astype(np.uint8)
        seen |= {int(value) for part in (case.reference, predicted) for value in np.unique(part)}
        extent = (0.0, case.reference.shape[1], case.reference.shape[0], 0.0)
        pictures = (case.source, case.output, table.paint(case.reference), table.paint(predicted))
        for axis, title, picture in zip(axes[number], titles, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest", extent=extent)
            axis.set_title(title if number == 0 else "", fontsize=8)
            axis.set_xticks([])
            axis.set_yticks([])
        if case.invented.any() and not case.invented.all():
            rows, columns = case.invented.shape
            grid = (np.arange(columns) + 0.5, np.arange(rows) + 0.5)
            axes[number][1].contour(*grid, case.invented.astype(float), levels=[0.5], colors="magenta", linewidths=0.8)
        axes[number][0].set_ylabel(f"{plain(case.name)}\n{case.invented.mean():.1%}", fontsize=6)
    handles = [
        Patch(facecolor=tuple(table.paint(np.array([[k]], np.uint8))[0, 0] / 255), edgecolor="grey", label=name)
        for k, name in enumerate(table.names)
        if k in seen and k != IGNORE
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=8, fontsize=6, frameon=False)
    return rendered(figure)
