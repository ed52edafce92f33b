"""Where the faces of a picture are: three small networks, each of which judges what the one before let through.

Rules: a face found says nothing of the picture's origin; nobody is recognised, and nothing of a face is kept; faces are looked for
in a picture of at most 512 pixels, so that they cost tens of milliseconds however large it is.
Source: Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", IEEE
Signal Processing Letters 23 (2016), whose thresholds and sizes are used; the networks: models/faces/README.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.detectors.card import FACES, ModelCard, model_folder, read_card
from assay.detectors.classifier import Classifier, Network, Opinion
from assay.detectors.quality import Quality, of_part
from assay.provenance.decoding import upright

Floats = NDArray[np.float32]
NETWORKS = ("proposal.onnx", "refinement.onnx", "output.onnx")
LEAST = 64  # pixels of the picture as it came: smaller faces hold too little to be judged
MARGIN = 0.3  # of the face's side, on each side of it
_SIDE = 512  # pixels of the long side in which faces are looked for
_SMALLEST = 20  # pixels there, the smallest face that the first network was trained on
_STEP = 0.709  # from one size to the next: half the area
_CELL, _STRIDE = 12, 2  # of the first network
_PROPOSED, _REFINED, _FOUND = 0.6, 0.7, 0.9  # least probabilities of the three networks
_MOST = 300  # windows that the second network looks at; crowds have fewer
_TRIALS = 30  # human-made faces that must have been measured for an opinion to be told
_JUDGED = 5  # faces of one picture, the largest: each costs as much as a whole picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A face's box in pixels of the upright picture, and the last network's probability that it is one."""

    left: float
    top: float
    right: float
    bottom: float
    probability: float

    @property
    def side(self) -> float:
        """The longer side of the box in pixels."""
        return max(self.right - self.left, self.bottom - self.top)

    def crop(self, picture: Image.Image) -> Image.Image:
        """The square around the face with its margin, moved inwards at the picture's edges; never larger than the picture."""
        side = round(min(self.side * (1 + 2 * MARGIN), *picture.size))
        middles = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        left, top = (
            min(max(0, round(middle - side / 2)), edge - side)
            for middle, edge in zip(middles, picture.size, strict=True)
        )
        return picture.crop((left, top, left + side, top + side))


class FaceFinder:
    """The three networks of a folder. Raises as `Network` does where one cannot be loaded."""

    def __init__(self, proposal: Path, refinement: Path, output: Path, *, threads: int = 1) -> None:
        self._proposal = Network(proposal, threads=threads)
        self._judges = (
            (Network(refinement, threads=threads), 24, _REFINED, 0.7),
            (Network(output, threads=threads), 48, _FOUND, 0.3),
        )

    def faces(self, picture: Image.Image, *, least: float = LEAST) -> tuple[Face, ...]:
        """Faces of an upright RGB picture, `least` pixels or more on their longer side, largest first."""
        factor = min(1.0, _SIDE / max(picture.size))
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        small = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0) if factor < 1 else picture
        boxes = self._proposals(small, max(_SMALLEST, 0.8 * least * factor))
        for network, side, probable, shared in self._judges:
            boxes = _judged(small, boxes, network, side, probable, shared)
        found = [
            Face(
                left=max(0.0, left / factor),
                top=max(0.0, top / factor),
                right=min(float(picture.width), right / factor),
                bottom=min(float(picture.height), bottom / factor),
                probability=probability,
            )
            for left, top, right, bottom, probability in boxes.tolist()
        ]
        return tuple(sorted((face for face in found if face.side >= least), key=lambda face: -face.side))

    def _proposals(self, picture: Image.Image, least: float) -> Floats:
        """(n, 5): left, top, right, bottom, probability."""
        found = [np.zeros((0, 5), np.float32)]
        for scale in _scales(min(picture.size), least):
            size = int(np.ceil(picture.width * scale)), int(np.ceil(picture.height * scale))
            pixels = np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
            shifts, probabilities = self._proposal.run(pixels[None], "shifts", "probability")
            rows, columns = np.nonzero(probabilities[0] >= _PROPOSED)
            corners = np.stack([columns, rows, columns, rows], axis=1) * _STRIDE + np.array([0, 0, _CELL, _CELL])
            boxes = (corners + shifts[0, :, rows, columns] * _CELL) / scale
            found.append(apart(np.column_stack([boxes, probabilities[0, rows, columns]]).astype(np.float32), 0.5))
        return apart(np.concatenate(found), 0.7)[:_MOST]


class FaceClassifier:
    """The model for faces, ready to run: it finds them and judges each by itself."""

    def __init__(self, card: ModelCard, *, threads: int = 0) -> None:
        self.card = card
        self._finder = FaceFinder(*(card.verified(name) for name in NETWORKS), threads=threads)
        self._classifier = Classifier(card, threads=threads)

    def opinions(self, image: Image.Image, quality: Quality) -> tuple[tuple[tuple[Face, Opinion], ...], int]:
        """The largest faces of a decoded picture with an opinion on each, and how many were found; `quality` is the picture's."""
        picture = upright(image)
        faces = self._finder.faces(picture)
        crops = [face.crop(picture) for face in faces[:_JUDGED]]
        opinions = self._classifier.opinions(crops, [of_part(quality, crop) for crop in crops])
        return tuple(zip(faces, map(measured, opinions), strict=False)), len(faces)


def measured(opinion: Opinion) -> Opinion:
    """The opinion, withheld where too few human-made faces of its kind were measured to say how often it is wrong."""
    rate = opinion.false_positive_rate
    if opinion.llr is None or (rate is not None and rate.trials >= _TRIALS):
        return opinion
    trials = 0 if rate is None else rate.trials
    reason = f"only {trials} human-made faces of such pictures ({opinion.domain}) were measured"
    return replace(opinion, llr=None, point=None, abstained=reason, false_positive_rate=None, true_positive_rate=None)


@lru_cache(maxsize=2)
def _load(folder: Path, threads: int) -> FaceClassifier:
    return FaceClassifier(read_card(folder), threads=threads)


def load(model: str | Path = FACES, *, threads: int = 0) -> FaceClassifier:
    """The shipped model for faces, or a folder like it; loaded once per process. `threads` 0: as many as there are cores.

    Raises `ModelRefused` where a file is missing or is not what the card describes.
    """
    return _load(model_folder(model).absolute(), threads)


def _scales(side: int, least: float) -> Iterator[float]:
    scale = _CELL / least
    while side * scale >= _CELL:
        yield scale
        scale *= _STEP


def _judged(picture: Image.Image, boxes: Floats, network: Network, side: int, probable: float, shared: float) -> Floats:
    """Boxes that a network confirms, with its corrections: squares of the picture at `side`, black beyond its edges."""
    if not len(boxes):
        return boxes
    middle, half = (boxes[:, :2] + boxes[:, 2:4]) / 2, (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    squares = np.hstack([middle - half, middle + half]).round().astype(int)
    squares[:, 2:] = np.maximum(squares[:, 2:], squares[:, :2] + 1)
    crops = [np.asarray(picture.crop(tuple(s)).resize((side, side), Image.Resampling.BILINEAR)) for s in squares]
    shifts, probabilities = network.run(np.stack(crops), "shifts", "probability")
    sides = (squares[:, 2] - squares[:, 0])[:, None]
    moved = np.column_stack([squares + shifts * sides, probabilities]).astype(np.float32)
    return apart(moved[probabilities >= probable], shared)


def apart(boxes: Floats, most: float) -> Floats:
    """The most probable (n, 5) of boxes that share more than `most` of their joint area, most probable first."""
    rest = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    kept = []
    while len(rest):
        first, rest = rest[0], rest[1:]
        kept.append(first)
        corner = np.maximum(first[:2], rest[:, :2]), np.minimum(first[2:4], rest[:, 2:4])
        shared = np.clip(corner[1] - corner[0], 0, None).prod(axis=1)
        areas = (rest[:, 2:4] - rest[:, :2]).prod(axis=1) + (first[2:4] - first[:2]).prod()
        rest = rest[shared <= most * (areas - shared)]
    return np.array(kept, np.float32).reshape(-1, 5)
