"""The table as data: rows, columns, a cell for each pair, tests against CUT, and what must be said about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from src.metrics import references
from src.system.errors import UserError
from src.tables.table import protocol
from src.tables.table.collect import Collection, ScoredRun
from src.tables.table.columns import Column, columns
from src.tables.table.comparison import Comparison, comparisons
from src.tables.table.earned import earned
from src.tables.table.notes import notes
from src.tables.table.published import QUOTED
from src.tables.table.rows import Row, pooled
from src.tables.table.statistics import Summary, summary


@dataclass(frozen=True)
class Table:
    """All there is to print.

    Attributes:
        rows: of the trained variants, in order.
        columns: in order.
        cells: by label (those of `references.ROWS` too) and column key; what is missing is not there.
        quotes: the paper's values as printed, likewise.
        tests: against CUT, in the order of columns, then rows.
        protocol: one paragraph.
        notes: one sentence or a few each.
    """

    rows: Sequence[Row]
    columns: Sequence[Column]
    cells: Mapping[tuple[str, str], Summary]
    quotes: Mapping[tuple[str, str], str]
    tests: Sequence[Comparison]
    protocol: str
    notes: Sequence[str]

    @property
    def labels(self) -> list[str]:
        """Labels of all rows, references first."""
        known = {label for label, _ in self.cells}
        shown = [label for suffix, label in references.ROWS.items() if suffix in references.OLDEST or label in known]
        return [*shown, *(row.label for row in self.rows)]

    def seeds(self, label: str) -> int | None:
        """How many seeds a row has; None for a reference."""
        return next((len(row.runs) for row in self.rows if row.label == label), None)

    def test(self, label: str, column: Column) -> Comparison | None:
        """The test of a cell, if there is one."""
        return next((one for one in self.tests if (one.row, one.column) == (label, column)), None)

    def records(self) -> list[dict[str, str | int | float | None]]:
        """A flat record a row, all with the same keys in the same order; None for what is missing.

        A score `kid` has `kid` (the mean), `kid:std`, `kid:n`, and against CUT `kid:difference`, `kid:low` and
        `kid:high` (95 % interval), `kid:p` and `kid:p_holm`.
        """
        return [self._record(label) for label in self.labels]

    def _record(self, label: str) -> dict[str, str | int | float | None]:
        record: dict[str, str | int | float | None] = {"row": label, "seeds": self.seeds(label)}
        for column in self.columns:
            key = column.key
            if column.kind == "quoted":
                printed = self.quotes.get((label, key))
                record[key] = None if printed is None else float(printed)
                continue
            cell = self.cells.get((label, key))
            mean, std, n = (cell.mean, cell.std, cell.n) if cell else (None,) * 3
            record |= {key: mean, f"{key}:std": std, f"{key}:n": n}
            if column.kind == "score":
                one = self.test(label, column)
                found = {} if one is None else {**vars(one.test), "p_holm": one.p_holm}
                record |= {f"{key}:{name}": found.get(name) for name in ("difference", "low", "high", "p", "p_holm")}
        return record


def tabulate(collection: Collection) -> Table:
    """The table of finished runs.

    Raises UserError if there are none, if their protocols differ, or if a run is there twice.
    """
    runs = collection.finished
    if not runs:
        raise UserError(f"no run has scores yet: {', '.join(collection.unfinished)}")
    common = protocol.shared(runs)
    rows, shown = pooled(runs), columns(runs)
    tests = comparisons(rows, shown)
    quotes = {
        (row.label, column.key): QUOTED[column.family][1][row.variant]
        for row in rows
        for column in shown
        if column.kind == "quoted" and row.variant in QUOTED[column.family][1]
    }
    return Table(
        rows=rows,
        columns=shown,
        cells=_cells(rows, runs, shown),
        quotes=quotes,
        tests=tests,
        protocol=protocol.described(common, runs),
        notes=[*notes(rows, shown, tests, collection), *earned(rows, shown, runs)],
    )


def _cells(rows: Sequence[Row], runs: Sequence[ScoredRun], shown: Sequence[Column]) -> dict[tuple[str, str], Summary]:
    cells: dict[tuple[str, str], Summary] = {}
    for column in shown:
        for suffix, label in references.ROWS.items():
            # no network has a part in them, so runs of one protocol agree, and are no sample
            agreed = {value for run in runs if (value := column.reference(run, suffix)) is not None}
            if agreed:
                cells[label, column.key] = summary(sorted(agreed))
        for row in rows:
            if values := list(column.by_seed(row.runs).values()):
                cells[row.label, column.key] = summary(values)
    return cells
