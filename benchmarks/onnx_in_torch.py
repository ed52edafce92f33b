"""An ONNX graph of one of our models, run by torch, so that gradients reach its input.

Rules: the operators that the models use and no others; an unknown one is an error that names it. `Cast` to float keeps the
input's gradient; integers are constants. The caller compares with ONNX Runtime before believing a gradient.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper

Tensor = torch.Tensor


class Graph:
    """Call with the one input as a float tensor; gives the outputs by name."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path)
        self._nodes = list(model.graph.node)
        self._constants = {
            tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in model.graph.initializer
        }
        self._input = model.graph.input[0].name
        self.outputs = tuple(output.name for output in model.graph.output)
        unknown = {node.op_type for node in self._nodes} - set(OPERATORS) - {"Split"}
        if unknown:
            raise NotImplementedError(f"{path.name}: operators without a translation: {', '.join(sorted(unknown))}")
        self._fold()

    def _fold(self) -> None:
        """What depends on constants alone is computed once."""
        rest = []
        for node in self._nodes:
            if all(name in self._constants for name in node.input if name):
                self._run(node, self._constants)
            else:
                rest.append(node)
        self._nodes = rest

    def __call__(self, given: Tensor) -> Mapping[str, Tensor]:
        values = dict(self._constants)
        values[self._input] = given
        for node in self._nodes:
            self._run(node, values)
        return {name: values[name] for name in self.outputs}

    def _run(self, node: Any, values: dict[str, Tensor]) -> None:
        attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        inputs = [values[name] if name else None for name in node.input]
        if node.op_type == "Split":
            parts = torch.tensor_split(inputs[0], len(node.output), dim=attributes.get("axis", 0))
            values.update(zip(node.output, parts, strict=True))
        else:
            values[node.output[0]] = OPERATORS[node.op_type](attributes, *inputs)


def _convolution(a: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    top, left, bottom, right = a.get("pads", (0, 0, 0, 0))
    padded = torch.nn.functional.pad(x, (left, right, top, bottom))
    return torch.nn.functional.conv2d(
        padded, weight, bias, stride=tuple(a.get("strides", (1, 1))), dilation=tuple(a.get("dilations", (1, 1))),
        groups=a.get("group", 1),
    )  # fmt: skip


def _unpacked(a: dict[str, Any], x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    shape = [1] * x.ndim
    if scale.ndim:
        shape[a.get("axis", 1)] = -1
    offset = zero.to(torch.float32).reshape(shape) if zero is not None else 0.0
    return (x.to(torch.float32) - offset) * scale.reshape(shape)


def _reshaped(a: dict[str, Any], x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape([x.shape[at] if size == 0 else size for at, size in enumerate(shape.tolist())])


def _sliced(
    a: dict[str, Any], x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None
) -> Tensor:
    chosen = [slice(None)] * x.ndim
    along = axes.tolist() if axes is not None else list(range(len(starts)))
    strides = steps.tolist() if steps is not None else [1] * len(along)
    for axis, start, end, step in zip(along, starts.tolist(), ends.tolist(), strides, strict=True):
        chosen[axis] = slice(start, end, step)
    return x[tuple(chosen)]


def _gathered(a: dict[str, Any], x: Tensor, index: Tensor) -> Tensor:
    axis = a.get("axis", 0)
    if index.ndim == 0:
        return x.select(axis, int(index))
    return torch.index_select(x, axis, index.reshape(-1))


def _axes(a: dict[str, Any], axes: Tensor | None) -> tuple[int, ...]:
    return tuple(axes.tolist()) if axes is not None else tuple(a["axes"])


def _mean(a: dict[str, Any], x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.mean(dim=_axes(a, axes), keepdim=bool(a.get("keepdims", 1)))


def _total(a: dict[str, Any], x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.sum(dim=_axes(a, axes), keepdim=bool(a.get("keepdims", 1)))


def _general(a: dict[str, Any], x: Tensor, y: Tensor, z: Tensor | None = None) -> Tensor:
    x, y = (x.T if a.get("transA") else x), (y.T if a.get("transB") else y)
    product = a.get("alpha", 1.0) * (x @ y)
    return product if z is None else product + a.get("beta", 1.0) * z


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Abs": lambda a, x: x.abs(),
    "Add": lambda a, x, y: x + y,
    "Cast": lambda a, x: x.to(torch.float32) if a["to"] == onnx.TensorProto.FLOAT else x.to(torch.int64),
    "Clip": lambda a, x, low=None, high=None: torch.clamp(x, low, high),
    "Concat": lambda a, *parts: torch.cat(parts, dim=a["axis"]),
    "Constant": lambda a: torch.from_numpy(numpy_helper.to_array(a["value"]).copy()),
    "Conv": _convolution,
    "DequantizeLinear": _unpacked,
    "Div": lambda a, x, y: x / y,
    "Erf": lambda a, x: torch.erf(x),
    "Expand": lambda a, x, shape: x.expand([int(size) for size in shape]),
    "Flatten": lambda a, x: x.flatten(a.get("axis", 1)),
    "Gather": _gathered,
    "Gemm": _general,
    "GlobalAveragePool": lambda a, x: x.mean(dim=(2, 3), keepdim=True),
    "LayerNormalization": lambda a, x, scale, bias: torch.nn.functional.layer_norm(
        x, x.shape[a.get("axis", -1) :], scale, bias, a.get("epsilon", 1e-5)
    ),
    "Log": lambda a, x: x.log(),
    "MatMul": lambda a, x, y: x @ y,
    "Max": lambda a, x, y: torch.maximum(x, y),
    "Mul": lambda a, x, y: x * y,
    "Pow": lambda a, x, y: x**y,
    "ReduceMean": _mean,
    "ReduceSum": _total,
    "Relu": lambda a, x: x.relu(),
    "Reshape": _reshaped,
    "Shape": lambda a, x: torch.tensor(x.shape, dtype=torch.int64),
    "Sigmoid": lambda a, x: x.sigmoid(),
    "Slice": _sliced,
    "Softmax": lambda a, x: x.softmax(dim=a.get("axis", -1)),
    "Sqrt": lambda a, x: x.sqrt(),
    "Squeeze": lambda a, x, axes: x.squeeze(tuple(axes.tolist())),
    "Sub": lambda a, x, y: x - y,
    "Tanh": lambda a, x: x.tanh(),
    "Transpose": lambda a, x: x.permute(tuple(a["perm"])),
    "Unsqueeze": lambda a, x, axes: x[tuple([None] * len(axes))] if axes.tolist() == [0] else x.unsqueeze(int(axes[0])),
}
