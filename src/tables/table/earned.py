"""Whether a row earned its training: better than the best of what learns nothing, beyond its interval over seeds."""

from collections.abc import Sequence

from src.metrics import references
from src.tables.table.collect import ScoredRun
from src.tables.table.columns import Column
from src.tables.table.rows import Row
from src.tables.table.statistics import LEVEL, interval

_JUDGED = ("kid", "swd_unit", "content_accuracy", "content_agreement")


def earned(rows: Sequence[Row], columns: Sequence[Column], runs: Sequence[ScoredRun]) -> list[str]:
    """One line that says it of each row, by the headline score, SWD, and content where a judge was given.

    Empty for runs that were made without a colour transfer to compare with.
    """
    if not any(name.endswith("_transfer") for run in runs for name in run.metrics):
        return []
    judged = list({column.family: column for column in columns if column.kind == "score"}.values())
    judged = [column for column in judged if column.family in _JUDGED and column.direction]
    bests = [(column, best) for column in judged if (best := _best(column, runs)) is not None]
    said = [f"{row.label}: " + ", ".join(_verdict(row, column, *best) for column, best in bests) for row in rows]
    return [
        f"Earned its training, if the whole {LEVEL} interval over seeds is better than the best that learns nothing: "
        f"{'; '.join(said)}."
    ]


def _best(column: Column, runs: Sequence[ScoredRun]) -> tuple[str, float] | None:
    """The best reference that learns nothing, and its value."""
    found = [
        (references.NAMES[suffix], value)
        for suffix in references.LEARNT_NOTHING
        for value in {column.reference(run, suffix) for run in runs}
        if value is not None
    ]
    return max(found, key=lambda one: one[1] * column.direction, default=None)


def _verdict(row: Row, column: Column, name: str, best: float) -> str:
    values = list(column.by_seed(row.runs).values())
    against = f"{name}, {column.text(best)}"
    between = interval(values)
    if between is None:
        return f"{column.heading} not shown (fewer than two seeds; {against})"
    worst = min(between, key=lambda value: value * column.direction)
    word = "yes" if (worst - best) * column.direction > 0 else "no"
    return f"{column.heading} {word} ([{column.text(between[0])}, {column.text(between[1])}]; {against})"
