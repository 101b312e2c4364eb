"""The generator of a run as one file, compared with the network before it is written."""

import io
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from src.config import schema
from src.config.quoting import pasted
from src.networks.generator import Generator
from src.runs import hub
from src.runs.weights import load_translator
from src.system.errors import UserError, one_of
from src.system.files import write
from src.translation.weights import facts, load, onnx_file, tensors_file, torchscript_file
from src.translation.weights.card import card

SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt", "safetensors": ".safetensors"}
SIZES = ((1, 36, 100), (2, 64, 20), (1, 92, 132))
"""Batch, height and width of the images a file is compared on with the network: odd multiples of 4, long and tall."""
TOLERANCES = {"float32": 1e-4, "float16": 1e-2}
"""Largest difference of outputs, which lie in [-1, 1], by the precision that weights are stored with."""


def export(config: schema.ExportConfig) -> dict[str, object]:
    """Write the file and its card, `<file>.md`; returns both names, the bytes, and the difference that was seen.

    Raises UserError, and leaves nothing, for a mistake or if the file's outputs are not the network's.
    """
    output = Path(config.output)
    _check(config, output)
    folder = hub.folder_of(config.run)
    network = load_translator(folder, average=config.average)
    assert isinstance(network, Generator)
    provenance = facts.gather(folder, network, average=config.average, licence=config.licence)
    tolerance = TOLERANCES[config.precision]
    sizes = ", ".join(f"{height}x{width}" for _, height, width in SIZES)
    checked = f"outputs within {tolerance:g} of the network's at {sizes}; stored as {config.precision}"
    address = hub.pinned(config.run)
    came_from = {} if address is None else {"hub": address}
    provenance = replace(provenance, facts={**provenance.facts, **came_from, "tolerance": checked})
    content = _bytes(config, network, provenance.facts)
    difference = _checked(config, network, content, output.name, tolerance)
    page = output.with_name(f"{output.name}.md")
    output.parent.mkdir(parents=True, exist_ok=True)
    write(page, card(output.name, provenance).encode())
    try:
        write(output, content)
    except BaseException:  # a signal too
        page.unlink(missing_ok=True)
        raise
    print(f"translate with: python -m src.translate {pasted('weights', output)} input=... output=...", file=sys.stderr)
    return {"file": str(output), "card": str(page), "bytes": len(content), "largest_difference": difference}


def largest_difference(network: Callable[[Tensor], Tensor], exported: Callable[[Tensor], Tensor]) -> float:
    """Of the outputs of two networks at SIZES, on smooth images with noise; NaN if either gives it."""
    draws = torch.Generator().manual_seed(0)
    worst = []
    with torch.inference_mode():
        for batch, height, width in SIZES:
            coarse = torch.rand(batch, 3, height // 4, width // 4, generator=draws) * 2 - 1
            smooth = F.interpolate(coarse, (height, width), mode="bicubic")
            image = (smooth + 0.1 * torch.randn(smooth.shape, generator=draws)).clamp(-1, 1)
            worst.append((network(image) - exported(image)).abs().max())
    return float(torch.stack(worst).max())


def _check(config: schema.ExportConfig, output: Path) -> None:
    one_of("format", config.format, SUFFIXES)
    one_of("precision", config.precision, TOLERANCES)
    if config.precision != "float32" and config.format != "safetensors":
        raise UserError(f"precision={config.precision}: of format=safetensors only; leave it out")
    if output.suffix != SUFFIXES[config.format]:
        raise UserError(f"output={output}: format={config.format} ends in {SUFFIXES[config.format]}; name it so")
    for path in (output, output.with_name(f"{output.name}.md")):
        if path.exists():
            raise UserError(f"output={output}: {path} is there already; remove it or name another file")


def _bytes(config: schema.ExportConfig, network: Generator, texts: dict[str, str]) -> bytes:
    if config.format == "onnx":
        return onnx_file.to_bytes(network, texts)
    if config.format == "torchscript":
        return torchscript_file.to_bytes(network, texts)
    return tensors_file.to_bytes(network, texts, half=config.precision == "float16")


def _checked(config: schema.ExportConfig, network: Generator, content: bytes, name: str, tolerance: float) -> float:
    """The largest difference, with the file read as src.translate reads it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        differences = [largest_difference(network, load.translator(None, str(path), average=True, accelerator="cpu"))]
    if config.format == "torchscript":  # src.translate reads its weights and leaves the program
        with torchscript_file.expected_warnings():
            program = torch.jit.load(io.BytesIO(content))
        differences.append(largest_difference(network, program))
    for difference in differences:
        if not difference <= tolerance:
            raise UserError(
                f"output={config.output}: its outputs differ by {difference:.2g} from the network's, more than "
                f"{tolerance:g}; nothing was written, choose another format"
            )
    return max(differences)
