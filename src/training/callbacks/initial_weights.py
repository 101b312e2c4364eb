"""Weights of an earlier run to start a new one from; everything else of the new run is fresh."""

from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from src.networks.generator import Architecture, Generator
from src.runs.folder import WEIGHTS
from src.runs.weights import AVERAGE, load_tensors
from src.system.errors import UserError
from src.system.files import sha256
from src.translation.weights import load, tensors_file

_ATTENTION = "H.attention."


class InitialWeights(Callback):
    """Knows which file a run started from, over a resume too, when the file may be gone."""

    def __init__(self) -> None:
        self._sha256: str | None = None

    def take(self, method: nn.Module, source: Path) -> str:
        """Give a fresh method the weights of `source`; says in one line what was taken, see `take_weights`.

        Args:
            method: changed in place.
            source: a run folder, its weights.safetensors, a file of src.export, or a released generator.
        """
        path = source / WEIGHTS if source.is_dir() else source
        line = take_weights(method, path)
        self._sha256 = sha256(path)
        return line

    def protocol(self) -> dict[str, object]:
        """`init_from_sha256`, of the file; nothing for a run that started from its seed."""
        return {} if self._sha256 is None else {"init_from_sha256": self._sha256}

    def state_dict(self) -> dict[str, Any]:
        """The file's hash."""
        return {"sha256": self._sha256}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self._sha256 = state_dict["sha256"]


def take_weights(method: nn.Module, path: Path) -> str:
    """Copy into a method what a weights file holds under the same names; says in one line what that was.

    Networks (G, D, H, ...) that only one of the two has stay as they are, so CUT may start from a CycleGAN's G. So does
    attention unless all of its weights fit: another module has weights of another meaning. The average is left; it
    starts anew from the weights.

    Args:
        method: changed in place.
        path: of a weights.safetensors, or of a generator alone, see `load.generator`.

    Raises UserError, naming the first key that differs, if a network is there but of another architecture, or if
    there is no G.
    """
    saved, theirs = _saved(path)
    ours = _architecture(method)
    if theirs is not None and ours is not None and theirs != ours:
        settings = " ".join(f"generator.{name}={str(value).lower()}" for name, value in theirs._asdict().items())
        raise UserError(f"init_from: {path} is a generator of another architecture; give {settings}")
    own = {key: value for key, value in method.state_dict().items() if isinstance(value, Tensor)}
    shared = {_part(key) for key in saved} & {_part(key) for key in own}
    if "G" not in shared:
        raise UserError(f"init_from: {path} holds no generator; name a run folder or its {WEIGHTS}")
    fresh = sorted({_part(key) for key in own} - shared)
    if {k: v.shape for k, v in saved.items() if _attends(k)} != {k: v.shape for k, v in own.items() if _attends(k)}:
        if any(_attends(key) and _part(key) in shared for key in own):
            fresh.append("attention")
        saved, own = ({k: v for k, v in tensors.items() if not _attends(k)} for tensors in (saved, own))
    of_shared = [key for key in {**own, **saved} if _part(key) in shared]
    for key in of_shared:
        there, here = (tuple(tensors[key].shape) if key in tensors else None for tensors in (saved, own))
        if there != here:
            raise UserError(
                f"init_from: {path} is of another architecture: {key} is {there or 'missing'} there and "
                f"{here or 'missing'} here; repeat the settings of its run"
            )
    method.load_state_dict({key: saved[key] for key in of_shared}, strict=False)
    return f"init_from: {', '.join(sorted(shared))} from {path}; fresh: {', '.join(fresh) or 'nothing'}"


def _saved(path: Path) -> tuple[dict[str, Tensor], Architecture | None]:
    """Weights by name, without the average; of a file that holds a generator alone, its architecture."""
    if path.suffix == ".safetensors" and "architecture" not in tensors_file.facts(path):
        tensors = load_tensors(path)
        return {key: value for key, value in tensors.items() if not key.startswith(AVERAGE)}, None
    try:
        generator = load.generator(path)
    except UserError as error:
        raise UserError(f"init_from: {error}") from error
    return {f"G.{key}": value for key, value in generator.state_dict().items()}, generator.architecture


def _architecture(method: nn.Module) -> Architecture | None:
    generator = dict(method.named_children()).get("G")
    return generator.architecture if isinstance(generator, Generator) else None


def _part(key: str) -> str:
    return key.partition(".")[0]


def _attends(key: str) -> bool:
    return key.startswith(_ATTENTION)
