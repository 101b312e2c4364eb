"""Every row against CUT, in every score, by the same seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.tables.table.columns import Column
from src.tables.table.rows import Row, with_bases
from src.tables.table.statistics import Paired, holm, paired

ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """A row against its CUT row in one score.

    Attributes:
        row: label.
        base: label of the CUT row.
        column: what is compared.
        test: the paired test.
        p_holm: its p, corrected for all comparisons of the column.
    """

    row: str
    base: str
    column: Column
    test: Paired
    p_holm: float

    @property
    def better(self) -> bool:
        """Whether the row is better, significantly so after the correction."""
        return self.verdict == "better"

    @property
    def verdict(self) -> str:
        """In a word or three."""
        if self.p_holm >= ALPHA:
            return "no difference shown"
        gain = self.test.difference * self.column.direction
        return "better" if gain > 0 else "worse" if gain < 0 else "different"


def comparisons(rows: Sequence[Row], columns: Sequence[Column]) -> list[Comparison]:
    """All that can be tested, in the order of columns, then rows."""
    found, pairs = [], with_bases(rows)
    for column in (column for column in columns if column.kind == "score"):
        tests = [
            (row, base, test)
            for row, base in pairs
            if (test := paired(column.by_seed(row.runs), column.by_seed(base.runs))) is not None
        ]
        adjusted = holm([test.p for _, _, test in tests])
        found += [
            Comparison(row.label, base.label, column, test, p)
            for (row, base, test), p in zip(tests, adjusted, strict=True)
        ]
    return found
