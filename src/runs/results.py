"""What a finished run leaves: metrics.json, its scores and their protocol, and cost.json, what it took.

The scores mean nothing without their protocol. Apart from cost.json a second run repeats all to the byte.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.runs.folder import COST, METRICS
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
