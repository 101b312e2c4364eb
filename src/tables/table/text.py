"""A table as Markdown, LaTeX and CSV; the same table is the same bytes."""

from collections.abc import Sequence

from src.tables.cells import Rows, csv_of, escape, markdown_table, tabular
from src.tables.table.columns import Column
from src.tables.table.comparison import Comparison
from src.tables.table.rows import BASE
from src.tables.table.statistics import LEVEL
from src.tables.table.table import Table

MISSING = "-"


def markdown(table: Table) -> str:
    """The table, the tests below it, then protocol and notes."""
    parts = [markdown_table(headings(table), [_line(table, label, "**{}**") for label in table.labels])]
    if table.tests:
        parts.append(markdown_table(comparison_headings(), [comparison_line(one, "**{}**") for one in table.tests]))
    parts += [f"Protocol: {table.protocol}", *table.notes]
    return "\n\n".join(parts) + "\n"


def latex(table: Table) -> str:
    r"""Two `tabular`s and the notes in a `table*`, which wants \usepackage{booktabs,graphicx}."""
    notes = [f"Protocol: {table.protocol}", *table.notes]
    body = [r"\begin{table*}", r"\centering", *_latex_table(headings(table), _latex_lines(table))]
    if table.tests:
        tests = [[escape(cell) for cell in comparison_line(one, "{}")] for one in table.tests]
        body += [r"\par\medskip", *_latex_table(comparison_headings(), tests)]
    body += [r"\caption{" + "\n".join(escape(note) for note in notes) + "}", r"\end{table*}"]
    return "\n".join(body) + "\n"


def rows_csv(table: Table) -> str:
    """`Table.records`, with every digit."""
    records = table.records()
    return csv_of(list(records[0]), [list(record.values()) for record in records])


def runs_csv(table: Table) -> str:
    """A line a run: its row, seed and commit, every score in its file, and its costs."""
    members = [(row, run) for row in table.rows for run in row.runs.values()]
    names = list(dict.fromkeys(name for _, run in members for name in run.metrics))
    costs = [column for column in table.columns if column.kind == "cost"]
    header = ["run", "row", "variant", "seed", "commit", *names, *(column.key for column in costs)]
    return csv_of(
        header,
        [
            [run.name, row.label, row.variant, run.seed, run.protocol.get("commit")]
            + [run.metrics.get(name) for name in names]
            + [column.of(run) for column in costs]
            for row, run in members
        ],
    )


def headings(table: Table) -> list[str]:
    """Headings of the columns; the label's is empty."""
    return ["", "seeds", *(f"{column.heading} {column.arrow}".strip() for column in table.columns)]


def _line(table: Table, label: str, bold: str) -> list[str]:
    seeds = table.seeds(label)
    return [label, MISSING if seeds is None else str(seeds), *(cell(table, label, c, bold) for c in table.columns)]


def cell(table: Table, label: str, column: Column, bold: str = "{}") -> str:
    """A cell as people read it; `bold` is what one that is better than CUT is put into."""
    if column.kind == "quoted":
        return table.quotes.get((label, column.key), MISSING)
    cell = table.cells.get((label, column.key))
    if cell is None:
        return MISSING
    text = column.text(cell.mean)
    spread = "" if cell.std is None else column.text(cell.std)
    # a reference is the same for all runs, but for the last bits of different processors
    alike = table.seeds(label) is None and not spread.strip("0.,")
    # parameters are counted, not measured
    if spread and not alike and not column.key.startswith("parameters."):
        text += f" ± {spread}"
    if cell.n != table.seeds(label) and table.seeds(label) is not None:
        text += f" (n={cell.n})"
    test = table.test(label, column)
    return bold.format(text) if test is not None and test.better else text


def comparison_headings() -> list[str]:
    """Headings of the columns of the tests against CUT."""
    return ["score", "row", "against", "pairs", f"difference [{LEVEL} interval]", "p", "p (Holm)", ""]


def comparison_line(one: Comparison, bold: str = "{}") -> list[str]:
    """A test as people read it."""
    low, mean, high = (f"{x:+,.{one.column.decimals}f}" for x in (one.test.low, one.test.difference, one.test.high))
    verdict = f"{one.verdict} than {BASE}" if one.verdict in ("better", "worse") else one.verdict
    return [
        f"{one.column.heading} {one.column.arrow}".strip(),
        *(one.row, one.base, str(one.test.n), f"{mean} [{low}, {high}]"),
        *(f"{one.test.p:.2g}", f"{one.p_holm:.2g}", bold.format(verdict) if one.better else verdict),
    ]


def _latex_lines(table: Table) -> list[list[str]]:
    marked = [_line(table, label, "\0{}\1") for label in table.labels]
    return [[escape(c).replace("\0", r"\textbf{").replace("\1", "}") for c in line] for line in marked]


def _latex_table(headings: Sequence[str], lines: Rows) -> list[str]:
    return [r"\resizebox{\textwidth}{!}{%", *tabular([escape(h) for h in headings], lines)[:-1], r"\end{tabular}}"]
