"""What must be said below a table for it to be read as it is meant."""

import math
from collections.abc import Sequence

from src.tables.table.collect import Collection
from src.tables.table.columns import Column
from src.tables.table.comparison import ALPHA, Comparison
from src.tables.table.protocol import commits
from src.tables.table.published import SOURCE
from src.tables.table.rows import BASE, Row, base_of, with_bases
from src.tables.table.statistics import LEVEL, summary


def notes(
    rows: Sequence[Row], columns: Sequence[Column], tests: Sequence[Comparison], collection: Collection
) -> list[str]:
    """A sentence or a few each: how to read the cells, what was not tested, what may mislead, what is missing."""
    kinds = {column.kind for column in columns}
    found = ["Cells: mean ± standard deviation over seeds. ↓: less is better, ↑: more is better. -: missing."]
    if tests:
        found.append(
            f"Differences from {BASE}: paired t-test by seed; the {LEVEL} interval is of one comparison, p (Holm) is "
            f"corrected for all comparisons of a score. Bold: better than {BASE}, p (Holm) below {ALPHA}."
        )
    if "best" in kinds:
        found.append("Best epoch: chosen on the frames it is scored on, so it flatters; the last epoch is the result.")
    if "quoted" in kinds:
        found.append(
            f"Paper (quoted): {SOURCE}; its data differ, and size and number of images are not said there: not "
            "comparable with the scores beside it."
        )
    single = [row.label for row in rows if len(row.runs) == 1]
    if single:
        found.append(f"One seed, so no deviation and no test: {', '.join(single)}.")
    return found + _above_real(rows, columns) + _untested(rows, columns, tests) + _warnings(rows, collection)


def _above_real(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """By which scores outputs beat the real images, as they often do by IS, which never compares with them."""
    found = []
    for column in columns:
        floors = [value for row in rows for run in row.runs.values() if (value := column.reference(run, "_floor"))]
        if not floors or not column.direction:
            continue
        means = {row.label: summary(list(values)).mean for row in rows if (values := column.by_seed(row.runs).values())}
        if above := [label for label, mean in means.items() if (mean - floors[0]) * column.direction > 0]:
            more = "More" if column.direction > 0 else "Less"
            found.append(
                f"{column.heading}: the real images have {column.text(floors[0])}. {more} than that, as of "
                f"{', '.join(above)}, is no nearer to them."
            )
    return found


def _untested(rows: Sequence[Row], columns: Sequence[Column], tests: Sequence[Comparison]) -> list[str]:
    tested = {one.row for one in tests}
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.variant == BASE or row.label in tested or len(row.runs) == 1:
            continue
        base = base_of(row, rows)
        if base is not None:
            reason = f"fewer than two seeds in common with {base.label}, or differences that do not vary"
            if diverged := _diverged(row, base, columns):
                reason = f"scores that are not finite, of {', '.join(diverged)}"
        else:
            there = any(other.variant == BASE for other in rows)
            reason = f"no {BASE} row has the same settings" if there else f"there is no {BASE} row"
        by_reason.setdefault(reason, []).append(row.label)
    return [f"Not tested against {BASE}: {', '.join(labels)} ({reason})." for reason, labels in by_reason.items()]


def _diverged(row: Row, base: Row, columns: Sequence[Column]) -> list[str]:
    """Names of the runs for whose scores no difference can be computed, where there are seeds enough."""
    seeds = row.runs.keys() & base.runs.keys()
    runs = [one.runs[seed] for one in (row, base) for seed in sorted(seeds)] if len(seeds) > 1 else []
    scores = [column for column in columns if column.kind == "score"]
    return [run.name for run in runs if not all(math.isfinite(column.of(run) or 0) for column in scores)]


def _warnings(rows: Sequence[Row], collection: Collection) -> list[str]:
    found = []
    for row, base in with_bases(rows):
        if changes := row.against(base):
            found.append(f"Warning: {row.label} differs from {base.label} in more than its method: {changes}.")
    if len(of := commits(collection.finished)) > 1:
        found.append(f"Warning: the runs are of different commits: {', '.join(of)}.")
    if unscored := [run.name for run in collection.finished if not run.metrics]:
        found.append(f"Trained without scores, as asked: {', '.join(unscored)}.")
    if missing := collection.unfinished:
        found.append(f"Without scores (failed, stopped or still running), so not in the table: {', '.join(missing)}.")
    return found
