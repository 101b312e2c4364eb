"""metrics.json: the scores of a finished run, and the protocol without which they mean nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.run_files import METRICS
from src.system.errors import UserError
from src.system.files import write


def save(folder: Path, metrics: Mapping[str, float], protocol: Mapping[str, object]) -> None:
    """Write both."""
    text = json.dumps({"metrics": dict(metrics), "protocol": dict(protocol)}, indent=2)
    write(folder / METRICS, (text + "\n").encode())


def load(folder: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """Scores by name, and their protocol; raises UserError if there are none."""
    path = folder / METRICS
    try:
        content = json.loads(path.read_text())
        return {str(key): float(value) for key, value in content["metrics"].items()}, dict(content["protocol"])
    except FileNotFoundError:
        raise UserError(f"{path}: missing; the run has not finished, or is none") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not the scores of a run ({error!r}); leave the run out or repeat it") from error
