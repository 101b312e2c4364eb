"""What of a run is published: what was trained and how it was judged, and nothing of the machine or its user."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

from omegaconf import OmegaConf
from safetensors.torch import save

from src.config.schema import TrainConfig
from src.runs.folder import CONFIG, COST, METRICS, WEIGHTS, load_config
from src.runs.results import load_cost, load_metrics
from src.runs.resuming import EXTENDED
from src.runs.weights import load_weights
from src.system.errors import UserError

PRIVATE = ("resume", "init_from", "callbacks", "logger")
"""Of a configuration: where a run came from and under whose eyes it trained; W&B's entity stands there, say."""
PUBLIC = (*(field.name for field in fields(TrainConfig) if field.name not in PRIVATE), EXTENDED)
NOWHERE = ("cache", "init_from")
"""Keys at any depth whose folders are this machine's alone; they are published as null."""


def files(folder: Path) -> dict[str, bytes]:
    """Configuration, weights, scores and cost of a finished run, by name, as they are published.

    Of the configuration the keys of PUBLIC are kept; a path out of the working folder becomes its last part. Weights
    are written anew, without whatever else their file may hold.

    Raises UserError if the run is none or has not finished, or if a text names this machine all the same.
    """
    written = OmegaConf.to_container(load_config(folder), resolve=False)
    assert isinstance(written, dict)
    config = public({key: written[key] for key in PUBLIC if key in written})
    metrics, protocol = load_metrics(folder)
    texts = {
        CONFIG: OmegaConf.to_yaml(OmegaConf.create(config)),
        METRICS: json.dumps({"metrics": metrics, "protocol": public(protocol)}, indent=2) + "\n",
    }
    if cost := load_cost(folder):
        texts[COST] = json.dumps(cost, indent=2) + "\n"
    for name, text in texts.items():
        demand_nowhere(name, text, folder)
    return {WEIGHTS: save(dict(load_weights(folder))), **{name: text.encode() for name, text in texts.items()}}


def public(value: Any) -> Any:
    """A value of a configuration or protocol without paths of this machine, at any depth."""
    if isinstance(value, Mapping):
        return {key: None if key in NOWHERE else public(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [public(inner) for inner in value]
    if isinstance(value, str) and (value.startswith(("/", "~")) or ".." in PurePosixPath(value).parts):
        return PurePosixPath(value).name.lstrip("~.")
    return value


def demand_nowhere(name: str, text: str, folder: Path) -> None:
    """Raise UserError if a text names the home folder, the working folder or the run's."""
    for place in {Path.home(), Path.cwd(), folder.resolve()}:
        if place != Path("/") and re.search(rf"(?<![\w./-]){re.escape(str(place))}(?![\w.-])", text):
            raise UserError(
                f"{name}: {place}, a folder of this machine, would be published; mend it in a copy of the run"
            )
