"""What a finished run leaves: its scores and their protocol in metrics.json, what it took in cost.json and curve.csv.

The scores mean nothing without their protocol. Apart from what it took a second run repeats all to the byte.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from src.runs.folder import COST, CURVE, METRICS
from src.system.errors import UserError
from src.system.files import write


def save_metrics(folder: Path, metrics: Mapping[str, float], protocol: Mapping[str, object]) -> None:
    """Write both."""
    text = json.dumps({"metrics": dict(metrics), "protocol": dict(protocol)}, indent=2)
    write(folder / METRICS, (text + "\n").encode())


def load_metrics(folder: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """Scores by name, and their protocol; raises UserError if there are none."""
    path = folder / METRICS
    try:
        content = json.loads(path.read_text())
        return {str(key): float(value) for key, value in content["metrics"].items()}, dict(content["protocol"])
    except FileNotFoundError:
        raise UserError(f"{path}: missing; the run has not finished, or is none") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not the scores of a run ({error!r}); leave the run out or repeat it") from error


def save_cost(folder: Path, cost: Mapping[str, float]) -> None:
    """Write what a run took."""
    write(folder / COST, (json.dumps(dict(cost), indent=2) + "\n").encode())


def load_cost(folder: Path) -> dict[str, float]:
    """What a run took, by name; nothing where its folder does not say. Raises UserError if the file cannot be read."""
    path = folder / COST
    if not path.is_file():
        return {}
    try:
        return {str(key): float(value) for key, value in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not the cost of a run ({error!r}); remove it or repeat the run") from error


def save_curve(folder: Path, points: Sequence[Mapping[str, float]]) -> None:
    """Write `epoch`, `minutes` and scores, a line for each epoch that was scored."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(name for point in points for name in point)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(points)
    write(folder / CURVE, file.getvalue().encode())


def load_curve(folder: Path) -> list[dict[str, float]]:
    """Points in the order of their epochs; none where the run has no curve. UserError if the file cannot be read."""
    path = folder / CURVE
    if not path.is_file():
        return []
    try:
        with path.open(newline="") as file:
            points = [{name: float(value) for name, value in line.items() if value} for line in csv.DictReader(file)]
        return sorted(points, key=lambda point: (point["epoch"], point["minutes"]))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: not the curve of a run ({error!r}); remove it or repeat the run") from error
