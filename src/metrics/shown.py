"""Scores as a person reads them in a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Column, Table

from src.metrics.direction import ARROWS, better


def talk() -> Console:
    """To stderr, with every name printed as it is, also one with brackets or colons in it."""
    return Console(stderr=True, markup=False, emoji=False)


def score_table(title: str, columns: Sequence[str], scores: Mapping[str, Sequence[float | None]]) -> Table:
    """A line a score: its name, with an arrow that says what is better, and its values; "-" where there is none.

    Names are whole, and the table fits a terminal of 80 columns if the headings are short: it has no rules.

    Args:
        title: above it.
        columns: headings of the values.
        scores: by name, a value a column.
    """
    table = Table(Column("score", no_wrap=True), title=title, box=None, padding=(0, 1, 0, 0))
    for heading in columns:
        table.add_column(heading, justify="right")
    for name, values in scores.items():
        table.add_row(f"{name} {ARROWS[better(name)]}", *map(_readable, values))
    return table


def _readable(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"
