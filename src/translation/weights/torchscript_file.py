"""Exports as TorchScript: a program with its weights, for C++ and mobile. Only the weights are ever read here.

TorchScript's loader runs what the archive holds, and PyTorch warns against files from strangers. But the archive is
a zip with each weight as raw numbers in an entry of its own; the facts, in another entry, say which is which.
"""

import io
import json
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit import TracerWarning  # type: ignore[attr-defined]  # in sight there, if not declared so

from src.networks.generator import Generator, blank, restore
from src.system.errors import UserError
from src.system.unpromised import ignore
from src.translation.weights import facts as facts_of

FACTS = "attention-cut.json"
_LARGEST = 2**20


def to_bytes(network: Generator, facts: Mapping[str, str]) -> bytes:
    """The archive, of the network's operations as they run on an image of any size."""
    with expected_warnings():
        program = torch.jit.trace(_Program(network).eval(), torch.zeros(1, 3, 32, 40), check_trace=False)
        # once to see where the weights come to lie; the facts stand beside them and move nothing
        content = {"facts": dict(facts), "entries": _places(network, zipfile.ZipFile(_saved(program, {})))}
        return _saved(program, {FACTS: json.dumps(content)}).getvalue()


def is_archive(path: Path) -> bool:
    """Whether a file is TorchScript, and no other of torch's."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.partition("/")[2] in ("constants.pkl", f"extra/{FACTS}") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def facts(path: Path) -> dict[str, str]:
    """What the file says of itself; nothing where it is no archive of src.export's."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {str(key): str(value) for key, value in _facts(archive)["facts"].items()}
    except (ValueError, LookupError, RuntimeError, OSError, zipfile.BadZipFile, zlib.error):
        return {}


def read(path: Path) -> Generator:
    """The generator; raises UserError for any archive that src.export did not write."""
    try:
        with zipfile.ZipFile(path) as archive:
            content = _facts(archive)
            architecture = facts_of.architecture(content["facts"])
            tensors = dict(_tensors(archive, content["entries"], blank(architecture).state_dict()))
        return restore(architecture, tensors)
    except (ValueError, LookupError, TypeError, RuntimeError, OSError, zipfile.BadZipFile, zlib.error) as error:
        detail = error.args[0] if isinstance(error, KeyError) else error
        raise UserError(f"{path}: {detail}; of TorchScript only files that src.export wrote are read") from error


@contextmanager
def expected_warnings() -> Iterator[None]:
    """Without what PyTorch says of TorchScript's age: whoever asks for it has a program that wants it."""
    with warnings.catch_warnings():
        ignore("torchscript")
        # norms compare shapes, which are right or the trace would have failed; the file is checked at other sizes
        warnings.simplefilter("ignore", TracerWarning)
        yield


class _Program(nn.Module):
    """Layer after layer: what the encoder checks of an image's size would be recorded for one size."""

    def __init__(self, network: Generator) -> None:
        super().__init__()
        self.align = network.align
        *layers, self.output = network.layers()
        self.layers = nn.Sequential(*layers)

    def forward(self, x_B3HW: Tensor) -> Tensor:
        image_B3HW = self.align(x_B3HW)
        output: Tensor = self.output(self.layers(image_B3HW), image_B3HW)
        return output


def _saved(program: Any, extra: dict[str, str]) -> io.BytesIO:
    buffer = io.BytesIO()
    torch.jit.save(program, buffer, _extra_files=extra)
    return buffer


def _places(network: Generator, archive: zipfile.ZipFile) -> dict[str, str]:
    """Which entry, below the archive's own folder, holds which weight; where two hold the same, either serves."""
    names = {name: name.partition("/")[2] for name in archive.namelist()}
    by_content = {archive.read(name): below for name, below in names.items() if below.startswith("data/")}
    return {key: by_content[value.contiguous().numpy().tobytes()] for key, value in network.state_dict().items()}


def _facts(archive: zipfile.ZipFile) -> dict[str, Any]:
    names = [name for name in archive.namelist() if name.partition("/")[2] == f"extra/{FACTS}"]
    if len(names) != 1 or archive.getinfo(names[0]).file_size > _LARGEST:
        raise ValueError(f"has no {FACTS}")
    content = json.loads(archive.read(names[0]))
    if not isinstance(content, dict) or not all(isinstance(content.get(key), dict) for key in ("facts", "entries")):
        raise ValueError(f"its {FACTS} cannot be read")
    return content


def _tensors(
    archive: zipfile.ZipFile, entries: Mapping[str, object], expected: Mapping[str, Tensor]
) -> Iterator[tuple[str, Tensor]]:
    folder = archive.namelist()[0].partition("/")[0]
    for key, like in expected.items():
        entry = archive.getinfo(f"{folder}/{entries[key]}")
        if entry.file_size != 4 * like.numel():  # before anything is unpacked
            raise ValueError(f"{key} is {entry.file_size} bytes there, and {4 * like.numel()} are expected")
        yield key, torch.frombuffer(bytearray(archive.read(entry)), dtype=torch.float32).view(like.shape)
