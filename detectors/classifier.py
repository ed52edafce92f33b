"""Pixel classifiers: pictures in, opinions out. The only room for ONNX Runtime.

Rules: ONNX Runtime tells nobody that it runs, or what; nothing runs whose hash the card does not state; the raw logit and the
final answer are both kept, with the reason they differ; a classifier may say "synthetic" at an operating point or abstain, never "captured".
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.detectors.calibration import Point, PredictionSet, verbal
from assay.detectors.card import ModelCard, model_folder, read_card
from assay.detectors.evidence import Rate
from assay.detectors.quality import Quality
from assay.detectors.views import SIDE, whole
from assay.provenance.decoding import upright
from assay.provenance.errors import AssayError

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = NDArray[np.float32]
_BATCH = 4  # pictures per pass: larger ones need more memory and are no faster on processors
_UNDECIDED = "its answer is usual for generated and for human-made pictures alike"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one model thinks of one picture.

    `logit` is the model's own number and `score` its logistic, 0 to 1, uncalibrated; `llr` a bounded log10 likelihood ratio,
    None where the picture lies outside what was measured; `prediction` the conformal set (None with cards that have none);
    `abstained` why nothing is said: outside what was measured, or usual for generated and human-made pictures alike; `point`
    the strictest operating point passed, None where none was or it abstains; the rates are those measured at that point
    (at `sensitive` where none was passed) for pictures of this domain and quality.
    """

    model: str
    version: str
    logit: float
    score: float
    domain: str
    domain_share: float
    novelty: float
    llr: float | None
    prediction: PredictionSet | None
    point: Point | None
    abstained: str | None
    false_positive_rate: Rate | None
    true_positive_rate: Rate | None

    def passes(self, point: Point) -> bool:
        """Whether it speaks at this operating point: at it, or at a stricter one. Never where it abstains."""
        order = list(Point)
        return self.point is not None and not self.abstained and order.index(self.point) <= order.index(point)

    @property
    def strength(self) -> str:
        """The ratio in words."""
        return "no" if self.llr is None else verbal(self.llr)


class Network:
    """One ONNX graph on the processor: named arrays in, named arrays out."""

    def __init__(self, path: Path, *, threads: int = 0, optimised: bool = True) -> None:
        onnxruntime = _runtime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # 8-bit weights are unpacked once, when the graph is loaded, and all arithmetic is float32: same answer on every CPU
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        if not optimised:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        self.outputs = tuple(entry.name for entry in self._session.get_outputs())

    def run(self, batch: NDArray[np.generic], *outputs: str) -> tuple[Floats, ...]:
        """Run one batch. Arrays of `outputs` in that order; of all outputs where none is named."""
        wanted = outputs or self.outputs
        return tuple(self._session.run(list(wanted), {self._inputs[0]: batch}))


class RuntimeUnavailable(AssayError):
    """ONNX Runtime is missing, or this machine cannot load it."""


def _runtime() -> Any:
    """ONNX Runtime's module. Raises `RuntimeUnavailable`.

    From 1.29 on its builds report to their maker, also on Linux and macOS: processes, sessions and models, under an
    identifier that they keep on disk. The variables forbid all of it if they are set before the import (the names of 1.30 and
    1.29); the call is for programs that had imported it already.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise RuntimeUnavailable("pixel models need ONNX Runtime", "pip install onnxruntime") from error
    except (ImportError, OSError) as error:  # a library or an instruction set that this machine lacks
        raise RuntimeUnavailable(
            f"ONNX Runtime cannot be loaded on this machine: {error}"[:300],
            "assay scan --no-pixels goes on without the pixel classifier",
        ) from error
    with suppress(AttributeError):  # a build without
        onnxruntime.disable_telemetry_events()
    return onnxruntime


@lru_cache(maxsize=4)
def _encoder(path: Path, sha256: str, threads: int) -> Network:
    """An encoder that was verified, once per process: models share it. `sha256` tells contents of one path apart."""
    return Network(path, threads=threads)


@lru_cache(maxsize=4)
def _load(folder: Path, threads: int) -> "Classifier":
    return Classifier(read_card(folder), threads=threads)


def load(model: str | Path = "deep", *, threads: int = 0) -> "Classifier":
    """A shipped model by name, or a model folder; loaded once per process. `threads` 0: as many as there are cores.

    Raises `ModelRefused` where a file is missing or is not what the card describes.
    """
    return _load(model_folder(model).absolute(), threads)


def warm(model: str | Path = "deep", *, threads: int = 0) -> "Classifier":
    """Load a model and run it once, before any file: an instruction that this processor lacks would otherwise show with the first
    one, which would be blamed. Raises as `load` does."""
    classifier = load(model, threads=threads)
    (features,) = classifier.encoder.run(np.zeros((1, SIDE, SIDE, 3), np.uint8), "features")
    classifier.head.run(features)
    return classifier


class Classifier:
    """A model folder, ready to run."""

    def __init__(self, card: ModelCard, *, threads: int = 0) -> None:
        self.card = card
        self.encoder = _encoder(card.verified(card.encoder).resolve(), card.files[card.encoder], threads)
        self.head = Network(card.verified("head.onnx"), threads=1)

    def opinions(self, images: "Sequence[Image]", qualities: Sequence[Quality]) -> list[Opinion]:
        """One opinion per decoded picture, in order; `qualities` as `quality.measure` found them."""
        if len(images) != len(qualities):
            raise ValueError("one quality per image")
        opinions: list[Opinion] = []
        for start in range(0, len(images), _BATCH):
            batch = images[start : start + _BATCH]
            logits, domains, novelties = self.head.run(self.features(batch), "logits", "domain", "novelty")
            opinions += [
                self._opinion(image, quality, logits[i], domains[i], float(novelties[i]))
                for i, (image, quality) in enumerate(zip(batch, qualities[start : start + _BATCH], strict=True))
            ]
        return opinions

    def features(self, images: "Sequence[Image]") -> Floats:
        """The encoder's features: float32 (n, width)."""
        views = [whole(upright(image), self.card.view) for image in images]
        pixels = views[0][None] if len(views) == 1 else np.stack(views)  # one alone is not copied
        return self.encoder.run(pixels, "features")[0]

    def _opinion(self, image: "Image", quality: Quality, logits: Floats, domains: Floats, novelty: float) -> Opinion:
        logit = float(logits @ domains)
        index = int(domains.argmax())
        domain = self.card.domains[index]
        calibration = self.card.calibrations[domain]
        covariates = quality.covariates()
        unbounded = calibration.unbounded(logit, covariates)
        thresholds = self.card.thresholds[domain]
        passed = next((point for point in Point if unbounded >= thresholds[point].llr), None)
        conformal = self.card.conformal.get(domain)
        prediction = conformal.prediction(unbounded) if conformal else None
        outside = self._outside(image, novelty, prediction)
        abstained = outside or (_UNDECIDED if prediction is PredictionSet.BOTH else None)
        rates = (None, None) if outside else thresholds[passed or Point.SENSITIVE].rates(quality.bucket)
        return Opinion(
            model=self.card.name,
            version=self.card.version,
            logit=logit,
            score=1 / (1 + exp(-max(-30.0, min(30.0, logit)))),
            domain=domain,
            domain_share=float(domains[index]),
            novelty=novelty,
            llr=None if outside else calibration.llr(logit, covariates),
            prediction=prediction,
            point=None if abstained else passed,
            abstained=abstained,
            false_positive_rate=rates[0],
            true_positive_rate=rates[1],
        )

    def _outside(self, image: "Image", novelty: float, prediction: PredictionSet | None) -> str | None:
        if min(image.size) < self.card.least_side:
            return f"the picture is smaller than {self.card.least_side} pixels on a side"
        if novelty > self.card.novelty_limit:
            return "the picture is unlike all that the model was measured on"
        if prediction is PredictionSet.NEITHER:
            return "its answer is unusual for generated and for human-made pictures alike"
        return None
