"""A translator from a run's folder or from a single file, whatever its format."""

from pathlib import Path
from typing import NamedTuple

from torch import nn

from src.networks.generator import Generator
from src.runs import hub
from src.runs.folder import WEIGHTS, load_config
from src.runs.weights import load_translator
from src.system.errors import UserError, did_you_mean
from src.translation.weights import facts, onnx_file, released, tensors_file, torchscript_file

SUFFIXES = (".safetensors", ".onnx", ".pt", ".pth")


class Source(NamedTuple):
    """Where a translator's weights lie.

    Attributes:
        run: folder of the run; None for a single file.
        file: of the weights.
        hub: their address on the Hub, with its commit; None for what was named by its path.
    """

    run: Path | None
    file: Path
    hub: str | None


def source(run: str | None, weights: str | None) -> Source:
    """What a command names, fetched from the Hub if it lies there; raises UserError if not exactly one is named."""
    if (run is None) == (weights is None):
        both = "exclude each other" if run is not None else "name what translates"
        raise UserError(f"run and weights: {both}; give run=<folder of a trained run> or weights=<file>")
    if run is not None:
        folder = hub.folder_of(run)
        return Source(folder, folder / WEIGHTS, hub.pinned(run))
    path = hub.path_of(str(weights))
    of_run = path.is_dir() and hub.is_address(str(weights))
    return Source(path if of_run else None, path / WEIGHTS if of_run else path, hub.pinned(weights))


def translator(run: str | None, weights: str | None, *, average: bool, accelerator: str) -> nn.Module:
    """The network x -> y that a command names, in evaluation mode on the CPU.

    Args:
        run: folder of a trained run, or its address on the Hub; or else:
        weights: a file of src.export, or its address, or a file of the released CUT or CycleGAN code.
        average: of a run, its averaged weights.
        accelerator: asked for.

    Raises UserError if not exactly one is named, or it holds no translator.
    """
    folder, file, _ = source(run, weights)
    if folder is not None:
        return load_translator(folder, average=average)
    if not average:
        raise UserError(f"average=false: {file} holds one set of weights; leave average out")
    if file.suffix.lower() == ".onnx":
        if accelerator not in ("auto", "cpu"):
            raise UserError(f"accelerator={accelerator}: ONNX Runtime computes {file} on the CPU; leave it out")
        return onnx_file.read(_there(file))
    return generator(file)


def training_height(run: str | None, weights: str | None) -> int | None:
    """Height in pixels of the frames that a translator was trained on; None where neither run nor file says.

    Raises UserError if not exactly one is named, or the run has no configuration.
    """
    folder, file, _ = source(run, weights)
    if folder is not None:
        return facts.height_of(load_config(folder).get("data"))
    readers = {".safetensors": tensors_file, ".onnx": onnx_file, ".pt": torchscript_file, ".pth": torchscript_file}
    reader = readers.get(file.suffix.lower())
    return None if reader is None else facts.height(reader.facts(file))


def generator(path: Path) -> Generator:
    """The generator of a file, for all formats but ONNX, which holds a graph and no network of ours.

    Raises UserError if the file is missing or holds none.
    """
    suffix = _there(path).suffix.lower()
    if suffix == ".safetensors":
        return tensors_file.read(path)
    if suffix in (".pt", ".pth"):  # both are used for both
        return torchscript_file.read(path) if torchscript_file.is_archive(path) else released.read(path)
    if suffix == ".onnx":
        raise UserError(f"{path}: ONNX holds a graph, not the weights; name a .safetensors, .pt or .pth")
    raise UserError(f"{path}: not a weights file; {', '.join(SUFFIXES)} are read{did_you_mean(suffix, SUFFIXES)}")


def _there(path: Path) -> Path:
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a run by run=, or a file")
    if not path.is_file():
        raise UserError(f"{path}: no such file; check the path")
    return path
