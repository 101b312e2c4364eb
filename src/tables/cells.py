"""Rows of cells as the Markdown, LaTeX and CSV of a table; the same cells are the same bytes."""

import csv
import io
import re
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]
_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\to$", "<": r"$<$", ">": r"$>$"},
}


def markdown_table(headings: Sequence[str], rows: Rows, *, left: int = 1) -> str:
    """A table whose first columns stand left, as many as `left` says, and whose others stand right."""
    rule = ["---" if column < left else "---:" for column in range(len(headings))]
    # a bar would end the cell
    return "\n".join(f"| {' | '.join(c.replace('|', '/') for c in line)} |" for line in (headings, rule, *rows))


def tabular(headings: Sequence[str], rows: Rows) -> list[str]:
    """The lines of a `tabular` for booktabs, of cells that `escape` has made LaTeX."""
    first, *others = (" & ".join(line) + r" \\" for line in (headings, *rows))
    return [
        rf"\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}",
        *(r"\toprule", first, r"\midrule", *others, r"\bottomrule"),
        r"\end{tabular}",
    ]


def escape(text: str) -> str:
    """Text as LaTeX that prints it."""
    escaped = re.sub("|".join(map(re.escape, _LATEX)), lambda found: _LATEX[found[0]], text)
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)


def csv_of(header: Sequence[str], rows: Sequence[Sequence[str | int | float | None]]) -> str:
    """A CSV with every digit; None is an empty cell."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return file.getvalue()
