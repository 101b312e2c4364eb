"""A generator as an ONNX graph: one or two operators a layer, for images of any number and size.

Written out by hand, which is short: PyTorch's own exporter takes seconds and further packages, and writes paths of this
machine into the file.
"""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from src.networks.colour import KNEE, ColourAlignment
from src.networks.generator import STRIDE, Generator, ResBlock
from src.networks.output import KEPT, PlainOutput, ResidualOutput
from src.networks.resample import BlurDown, BlurUp

OPSET, IR_VERSION = 18, 8
"""Version of the operators, of 2022; whatever is newer reads them too."""
INPUT, OUTPUT = "image", "translation"


def build(onnx: ModuleType, network: Generator) -> Any:
    """The ModelProto; `onnx` is the package, which few need."""
    graph = _Graph(onnx)
    image = x = graph.aligned(network.align, INPUT)
    for layer in network.layers():
        x = graph.output(layer, x, image) if isinstance(layer, PlainOutput | ResidualOutput) else graph.add(layer, x)
    graph.nodes[-1].output[0] = OUTPUT
    sides = ["images", 3, f"{STRIDE} * rows", f"{STRIDE} * columns"]
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sides) for name in (INPUT, OUTPUT)]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "translator", ends[:1], ends[1:], graph.weights),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="attention-cut",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and weights so far; a name is a number."""

    def __init__(self, onnx: ModuleType) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def aligned(self, align: nn.Module, image: str) -> str:
        """Append the colour alignment, if there is one; returns the name of its output."""
        if not isinstance(align, ColourAlignment):
            return image
        matrix, shift = self._weight(_array(align.matrix)[:, :, None, None]), self._weight(_array(align.shift))
        u = self._node("Conv", image, matrix, shift)
        straight = self._held(u, KNEE)
        rest = self._weight(np.array(1 - KNEE, np.float32))
        pressed = self._node("Tanh", self._node("Div", self._node("Sub", u, straight), rest))
        return self._node("Add", straight, self._node("Mul", pressed, rest))

    def output(self, layer: PlainOutput | ResidualOutput, r: str, image: str) -> str:
        """Append what makes an image of the last convolution's output."""
        if isinstance(layer, PlainOutput):
            return self._node("Tanh", r)
        kept = self._weight(np.array(KEPT, np.float32))
        wide = self._node("Atanh", self._node("Mul", image, kept))
        return self._held(self._node("Div", self._node("Tanh", self._node("Add", wide, r)), kept))

    def _held(self, x: str, to: float = 1.0) -> str:
        ends = (self._weight(np.array(value, np.float32)) for value in (-to, to))
        return self._node("Clip", x, *ends)

    def add(self, layer: nn.Module, x: str) -> str:
        """Append a layer; returns the name of its output."""
        if isinstance(layer, ResBlock):
            inner = x
            for one in layer.body:
                inner = self.add(one, inner)
            return self._node("Add", x, inner)
        if isinstance(layer, nn.ReflectionPad2d):
            return self._reflect(x, int(layer.padding[0]))
        if isinstance(layer, nn.Conv2d):
            sides = {"strides": list(layer.stride), "pads": [int(side) for side in layer.padding] * 2}
            return self._node("Conv", x, *self._of(layer), **sides)
        if isinstance(layer, nn.ConvTranspose2d):
            sides = {"strides": list(layer.stride), "pads": [int(side) for side in layer.padding] * 2}
            return self._node("ConvTranspose", x, *self._of(layer), **sides, output_padding=list(layer.output_padding))
        if isinstance(layer, nn.InstanceNorm2d):
            assert not layer.affine
            assert not layer.track_running_stats
            ends = (self._weight(np.full(layer.num_features, value, np.float32)) for value in (1, 0))
            return self._node("InstanceNormalization", x, *ends, epsilon=layer.eps)
        if isinstance(layer, BlurDown):
            kernel = self._weight(_array(layer.kernel))
            return self._node("Conv", self._reflect(x, 1), kernel, strides=[2, 2], group=len(layer.kernel))
        if isinstance(layer, BlurUp):
            scales = self._weight(np.array([1, 1, 2, 2], np.float32))
            return self._node("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
        if isinstance(layer, nn.ReLU):
            return self._node("Relu", x)
        raise TypeError(f"no ONNX operator for {type(layer).__name__}")

    def _reflect(self, x: str, by: int) -> str:
        pads = self._weight(np.array([0, 0, by, by, 0, 0, by, by], np.int64))
        return self._node("Pad", x, pads, mode="reflect")

    def _of(self, layer: nn.Conv2d | nn.ConvTranspose2d) -> list[str]:
        assert layer.bias is not None
        return [self._weight(_array(layer.weight)), self._weight(_array(layer.bias))]

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def _weight(self, value: NDArray[Any]) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights.append(self.onnx.numpy_helper.from_array(value, name))
        return name


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().cpu().numpy()
    return array
