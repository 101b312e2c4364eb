"""cost.json: what a run took. Apart from metrics.json, which a second run repeats to the byte."""

import json
from collections.abc import Mapping
from pathlib import Path

from src.run_files import COST
from src.system.errors import UserError
from src.system.files import write


def save(folder: Path, cost: Mapping[str, float]) -> None:
    """Write what a run took."""
    write(folder / COST, (json.dumps(dict(cost), indent=2) + "\n").encode())


def load(folder: Path) -> dict[str, float]:
    """What a run took, by name; nothing where its folder does not say. Raises UserError if the file cannot be read."""
    path = folder / COST
    if not path.is_file():
        return {}
    try:
        return {str(key): float(value) for key, value in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not the cost of a run ({error!r}); remove it or repeat the run") from error
