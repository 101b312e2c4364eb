"""When to stop: what the end of the training bought, and how many seeds would tell two rows apart.

For the eye alone, on stderr: kept tables hold what was found, and not what to do next.
"""

import math
from collections.abc import Sequence

import numpy as np

from src.runs.results import load_curve
from src.system.errors import UserError, one_of
from src.tables.table.collect import ScoredRun
from src.tables.table.columns import Column
from src.tables.table.rows import Row, with_bases
from src.tables.table.statistics import Summary, pairs_needed, summary
from src.tables.table.table import Table

SHARE = 0.8
"""Where the last fifth begins."""
MOST = 1000


def stopping(table: Table, apart: Sequence[str] | None = None) -> list[str]:
    """A line for each row whose runs have a curve, and one for each two rows that differ and share two seeds.

    Args:
        table: of finished runs.
        apart: labels of the two rows to tell apart; None takes every row with its CUT row, or with the first where
            there is none.

    Raises UserError for a label that the table has not.
    """
    column = next((one for one in table.columns if one.kind == "score" and one.direction), None)
    if column is None:
        return []
    by_label = {row.label: row for row in table.rows}
    if apart is not None:
        for label in apart:
            one_of("--apart", label, list(by_label))
        pairs = [(by_label[apart[0]], by_label[apart[1]])]
    else:
        pairs = with_bases(table.rows) or [(row, table.rows[0]) for row in table.rows[1:]]
    bought = [line for row in table.rows if (line := _bought(row, column)) is not None]
    said = [line for one, other in pairs if (line := _seeds(one, other, column)) is not None]
    if apart is not None and not said:
        raise UserError(f"--apart: {' and '.join(apart)} share fewer than two scored seeds; train both with more")
    return [*bought, *said]


def last_fifth(run: ScoredRun, column: Column) -> tuple[float, float] | None:
    """How much better the score became over the last fifth of a run's minutes, and how many those were.

    The score at its beginning lies on the line between the two epochs around it. None without scores on both sides.
    """
    points = [point for point in load_curve(run.folder) if column.key in point]
    minutes = [point["minutes"] for point in points]
    if len(points) < 2 or minutes[-1] <= 0 or minutes[0] > SHARE * minutes[-1]:
        return None
    values = [point[column.key] for point in points]
    before = float(np.interp(SHARE * minutes[-1], minutes, values))
    return (values[-1] - before) * column.direction, (1 - SHARE) * minutes[-1]


def _bought(row: Row, column: Column) -> str | None:
    found = [bought for run in row.runs.values() if (bought := last_fifth(run, column)) is not None]
    if not found:
        return None
    gain, minutes = (summary(values) for values in zip(*found, strict=True))
    ends = summary(list(column.by_seed(row.runs).values()))
    said = (
        f"{row.label}: the last fifth of the training ({minutes.mean:.3g} minutes a run) bought {_text(gain, column)}"
    )
    said += f" of {column.heading}"
    if ends.std is None:
        return f"{said}; one seed, so how far seeds lie apart is not known"
    spread = f"seeds lie {column.text(ends.std)} apart"
    if gain.mean <= 0:
        return f"{said}; {spread}: it had stopped to improve before"
    if gain.mean < ends.std:
        return f"{said}; {spread}, which is more: another seed says more than longer training"
    return f"{said}; {spread}, which is less: longer training may still pay"


def _seeds(one: Row, other: Row, column: Column) -> str | None:
    ours, theirs = column.by_seed(one.runs), column.by_seed(other.runs)
    differences = [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]
    if len(differences) < 2 or not np.isfinite(differences).all():
        return None
    found = summary(differences)
    assert found.std is not None
    between = f"{one.label} and {other.label} differ by {_text(found, column)} in {column.heading} over {found.n} seeds"
    if math.isclose(found.std, 0.0, abs_tol=1e-12 * max(map(abs, [*ours.values(), *theirs.values()]))):
        return None
    needed = pairs_needed(found.mean / found.std, most=MOST)
    many = f"more than {MOST} seeds" if needed is None else f"{needed} seeds"
    rough = "; of so few seeds that is a rough guess" if found.n < 5 else ""
    return f"{between}: were that so, {many} each would show it (paired t-test, 5 %, power 80 %){rough}"


def _text(found: Summary, column: Column) -> str:
    return column.text(found.mean) + ("" if found.std is None else f" ± {column.text(found.std)}")
