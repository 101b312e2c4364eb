"""Exports as ONNX, run by ONNX Runtime; before one is loaded, its graph must be plain data.

Plain: operators of the standard alone, in one flat list without branches, loops or functions, and every weight inside
the file. Such a graph can compute and nothing else: it names no other file and no library.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from src.networks.generator import Generator
from src.system import packages
from src.system.errors import UserError
from src.translation.weights import facts as facts_of
from src.translation.weights import onnx_graph

_STANDARD = {"", "ai.onnx"}


def to_bytes(network: Generator, facts: Mapping[str, str]) -> bytes:
    """The file."""
    onnx, _ = _packages("format=onnx")
    model = onnx_graph.build(onnx, network)
    onnx.helper.set_model_props(model, dict(facts))
    content: bytes = model.SerializeToString()
    return content


class OnnxTranslator(nn.Module):
    """A translator that ONNX Runtime computes on the CPU.

    Args:
        content: of a file of src.export.

    Raises ValueError if it is none, or one that could do more than compute.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        onnx, runtime = _packages("an .onnx file")
        try:
            model = onnx.load_model_from_string(content)
        except Exception as error:  # protobuf's own kinds
            raise ValueError("not an ONNX file") from error
        _demand_plain(onnx, model)
        facts_of.architecture({one.key: one.value for one in model.metadata_props})
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            (image,), (translation,) = self._session.get_inputs(), self._session.get_outputs()
            self._names = image.name, translation.name
            shape = self(torch.zeros(1, 3, 16, 24)).shape
        except Exception as error:  # the runtime's own kinds
            raise ValueError(f"ONNX Runtime cannot run it ({' '.join(str(error).split())[:200]})") from error
        if shape != (1, 3, 16, 24):
            raise ValueError(f"translates an image of 16x24 pixels into {tuple(shape)}")

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1], H and W multiples of 4 -> the same shape, on the same device."""
        image, translation = self._names
        arrays = [one[None].cpu().numpy().astype(np.float32) for one in images_B3HW]
        outputs = [self._session.run([translation], {image: array})[0] for array in arrays]
        return torch.from_numpy(np.concatenate(outputs)).to(images_B3HW)


def facts(path: Path) -> dict[str, str]:
    """What the file says of itself; nothing where it cannot be read, or the packages are missing."""
    try:
        onnx, _ = _packages("an .onnx file")
        model = onnx.load_model_from_string(path.read_bytes())
    except Exception:  # protobuf's own kinds
        return {}
    return {one.key: one.value for one in model.metadata_props}


def read(path: Path) -> OnnxTranslator:
    """The translator; raises UserError for any other file, or where the packages are missing."""
    try:
        return OnnxTranslator(path.read_bytes())
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path}: {error}; name a file that src.export wrote") from error


def _packages(what: str) -> tuple[ModuleType, ModuleType]:
    packages.demand(what, "onnx", "onnxruntime", extra="export")
    import onnx
    import onnxruntime

    return onnx, onnxruntime


def _demand_plain(onnx: ModuleType, model: Any) -> None:
    """Raise ValueError for a graph that could reach beyond its own numbers."""
    if model.functions or model.training_info or model.graph.sparse_initializer:
        raise ValueError("has functions, a training graph or sparse weights, as no export has")
    if domains := {one.domain for one in model.opset_import} - _STANDARD:
        raise ValueError(f"uses operators of {min(domains)[:80]!r}; only the standard's are run")
    tensors = list(model.graph.initializer)
    kinds = onnx.AttributeProto
    plain = (kinds.FLOAT, kinds.FLOATS, kinds.INT, kinds.INTS, kinds.STRING, kinds.STRINGS, kinds.TENSOR)
    for node in model.graph.node:
        if node.domain not in _STANDARD:
            raise ValueError(
                f"uses operator {node.op_type[:80]!r} of {node.domain[:80]!r}; only the standard's are run"
            )
        for attribute in node.attribute:
            if attribute.type not in plain:
                raise ValueError(f"has a branch or a loop ({node.op_type[:80]!r}), as no export has")
            tensors += [attribute.t] if attribute.type == kinds.TENSOR else []
    for tensor in tensors:
        if tensor.data_location != onnx.TensorProto.DEFAULT or tensor.external_data:
            raise ValueError(f"weight {tensor.name[:80]!r} lies in another file, which is not opened")
