"""Build the three networks that find faces, in plain ONNX operators, from weights inside an installed distribution.

Rules: the weight files are pickles, so nothing is read whose hash is not the published one; pixels go in as they are decoded;
five facial landmarks, which the last network also gives, are left out, because nobody needs them here.
Source: Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", IEEE
Signal Processing Letters 23 (2016), figure 2: layers, kernels and strides.
"""

import hashlib
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = list[NDArray[np.float32]]
DISTRIBUTION = "mtcnn"  # 1.0.0, MIT
_SHA256 = {
    "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
_MIDDLE, _SPREAD = 127.5, 128.0


def published_weights() -> dict[str, Weights]:
    """Arrays by file name, in the order of the layers: kernel, bias and slope of each, then the branches' kernels and biases."""
    import joblib

    places = {file.name: Path(str(file.locate())) for file in files(DISTRIBUTION) or () if file.name in _SHA256}
    if set(places) != set(_SHA256):
        raise FileNotFoundError(f"{DISTRIBUTION} carries no weights; install version 1.0.0")
    for name, place in places.items():
        if hashlib.sha256(place.read_bytes()).hexdigest() != _SHA256[name]:
            raise ValueError(f"{place} is not the published file; nothing of it was read")
    return {name: joblib.load(place) for name, place in places.items()}


def build(weights: dict[str, Weights], folder: Path) -> None:
    """Write `proposal.onnx`, `refinement.onnx` and `output.onnx`.

    Input `pixels`: uint8 (batch, height, width, 3); 24 x 24 for the second, 48 x 48 for the third, of any size for the first.
    Outputs `shifts` (batch, 4), the box's left, top, right and bottom against the window, as shares of its side, and
    `probability` (batch,); of the first network with two more axes, rows and columns of windows of 12 pixels every 2 pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _proposal(weights["pnet.lz4"], folder / "proposal.onnx")
    _judging(weights["rnet.lz4"], folder / "refinement.onnx", side=24, pools=(3, 3, 0), hidden=128)
    _judging(weights["onet.lz4"], folder / "output.onnx", side=48, pools=(3, 3, 2, 0), hidden=256)


class _Graph:
    """A chain of layers over one stream of weights."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.weights = iter(weights)
        planes = self.op("Cast", "pixels", to=TensorProto.FLOAT)
        planes = self.op("Div", self.op("Sub", planes, self.constant(_MIDDLE)), self.constant(_SPREAD))
        self.planes = self.op("Transpose", planes, perm=[0, 3, 1, 2])

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Any, kind: type = np.float32) -> str:
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(value, kind, order="C"), name))
        return name

    def convolution(self, planes: str) -> str:
        kernel, bias = next(self.weights), next(self.weights)
        return self.op("Conv", planes, self.constant(kernel.transpose(3, 2, 0, 1)), self.constant(bias))

    def block(self, pool: int = 0) -> None:
        """Convolution, parametric rectifier and, where `pool` is its side, pooling over every second place."""
        planes = self.convolution(self.planes)
        self.planes = self.op("PRelu", planes, self.constant(next(self.weights).reshape(-1, 1, 1)))
        if pool:
            self.planes = self.op("MaxPool", self.planes, kernel_shape=[pool, pool], strides=[2, 2], ceil_mode=1)

    def dense(self, rows: str, **output: str) -> str:
        return self.op("Gemm", rows, self.constant(next(self.weights)), self.constant(next(self.weights)), **output)

    def write(self, target: Path, side: int | None, outputs: dict[str, list[str | int]]) -> None:
        shape: list[str | int] = ["batch", side or "height", side or "width", 3]
        model = helper.make_model(
            helper.make_graph(
                self.nodes,
                f"faces-{target.stem}",
                [helper.make_tensor_value_info("pixels", TensorProto.UINT8, shape)],
                [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name, axes in outputs.items()],
                self.initializers,
            ),
            opset_imports=[helper.make_opsetid("", 17)],
            ir_version=8,
            producer_name="assay",
        )
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, target)


def _proposal(weights: Weights, target: Path) -> None:
    graph = _Graph(weights)
    for pool in (2, 0, 0):
        graph.block(pool)
    graph.op("Identity", graph.convolution(graph.planes), output="shifts")
    shares = graph.op("Softmax", graph.convolution(graph.planes), axis=1)
    graph.op("Gather", shares, graph.constant(1, np.int64), axis=1, output="probability")
    graph.write(
        target,
        None,
        {"shifts": ["batch", 4, "rows", "columns"], "probability": ["batch", "rows", "columns"]},
    )


def _judging(weights: Weights, target: Path, *, side: int, pools: tuple[int, ...], hidden: int) -> None:
    graph = _Graph(weights)
    for pool in pools:
        graph.block(pool)
    # the published layers count columns first: the paper's code was written where pictures lie on their side
    flat = graph.op("Flatten", graph.op("Transpose", graph.planes, perm=[0, 3, 2, 1]), axis=1)
    rows = graph.op("PRelu", graph.dense(flat), graph.constant(next(graph.weights).reshape(1, hidden)))
    graph.dense(rows, output="shifts")
    if side == 48:
        next(graph.weights), next(graph.weights)  # landmarks
    shares = graph.op("Softmax", graph.dense(rows), axis=1)
    graph.op("Gather", shares, graph.constant(1, np.int64), axis=1, output="probability")
    graph.write(target, side, {"shifts": ["batch", 4], "probability": ["batch"]})
