"""A CSV with a line for each image of a scored set."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from src import files
from src.errors import UserError


def write_per_image(path: Path, names: Sequence[str], columns: Mapping[str, Sequence[float]]) -> None:
    """Columns `file` and those given, in the order of the images; written whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", *columns])
    writer.writerows(zip(names, *columns.values(), strict=True))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, text.getvalue().encode())
    except OSError as error:
        raise UserError(f"per_image={path}: cannot be written ({error.strerror}); name another file") from error
