"""A CSV with a line for each image of a scored set."""

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.system.files import as_bytes, write


def write_per_image(path: Path, names: Sequence[str], columns: Mapping[str, Sequence[float]]) -> None:
    """Columns `file` and those given, in the order of the images; written whole or not at all.

    The scores it goes with do not depend on it: where it cannot be written, one line on stderr says so.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", *columns])
    writer.writerows(zip(names, *columns.values(), strict=True))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, as_bytes(text.getvalue()))
    except OSError as error:
        print(f"per_image={path}: cannot be written ({error.strerror}); the scores stand", file=sys.stderr)
