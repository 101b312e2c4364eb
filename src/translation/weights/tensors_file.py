"""Exports as safetensors: weights alone, with the facts in the header. The form in which checkpoints are published."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from src.networks.generator import Generator, restore
from src.runs.folder import CONFIG
from src.runs.weights import AVERAGE, LAST
from src.system.errors import UserError
from src.translation.weights import facts as facts_of


def to_bytes(network: Generator, facts: Mapping[str, str], *, half: bool) -> bytes:
    """The file; `half` stores float16, which halves it and rounds the weights."""
    kind = torch.float16 if half else torch.float32
    tensors = {key: value.to(kind).cpu().contiguous() for key, value in network.state_dict().items()}
    return save(tensors, metadata=dict(facts))


def facts(path: Path) -> dict[str, str]:
    """What the file says of itself; nothing where it cannot be read."""
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError):
        return {}


def read(path: Path) -> Generator:
    """The generator, float32; raises UserError for any other file."""
    try:
        with safe_open(path, "pt") as file:
            names, said = list(file.keys()), file.metadata() or {}
            if not said and any(name.startswith((LAST, AVERAGE)) for name in names):
                raise UserError(f"{path}: the weights of a run, which its {CONFIG} describes; name its folder by run=")
            architecture = facts_of.architecture(said)
            return restore(architecture, {name: file.get_tensor(name).float() for name in names})
    except UserError:
        raise
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: {error}; name a file that src.export wrote") from error
