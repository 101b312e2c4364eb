"""All files of the ablation table, written into one folder: table.md, .csv, .tex, .png, runs.csv and report.html."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from src.system.errors import UserError
from src.system.files import as_bytes, write
from src.tables.page.render import render
from src.tables.table import figure, text
from src.tables.table.collect import collect
from src.tables.table.table import Table, tabulate

PAGE = "report.html"


def report(folders: Sequence[Path], output: Path, *, written: Table | None = None) -> Table:
    """Write the table of all runs in `folders` into `output`, and the page that shows them.

    Several jobs may do so at once: each writes again until no run has ended in the meantime, so the last one to write
    has seen them all.

    Args:
        folders: run folders, sweeps, or folders of those.
        output: a folder, made if missing.
        written: the table that an earlier call left there; while the runs still make the same one, the files stay.

    Raises UserError as `collect` and `tabulate` do, or if `output` cannot be written.
    """
    collection = collect(folders)
    while (table := tabulate(collection)) != written:
        files = {
            "table.md": as_bytes(text.markdown(table)),
            "table.csv": as_bytes(text.rows_csv(table)),
            "table.tex": as_bytes(text.latex(table)),
            "runs.csv": as_bytes(text.runs_csv(table)),
            "table.png": figure.draw(table),
        }
        _write(files, output)
        _write({PAGE: render(table, collection)}, output)
        seen, collection = collection, collect(folders)
        if collection == seen:
            break
    return table


def _write(files: Mapping[str, bytes], output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write(output / name, content)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror}); free or choose another place") from error
