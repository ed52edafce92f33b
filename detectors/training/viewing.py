"""Launder an example and look at it as a model will.

Rules: one random state per picture and draw, from its sha256 and the seed alone, so that nothing depends on order or class;
pictures that cannot be decoded are left out, not replaced.
"""

import hashlib
import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.detectors.card import View
from assay.detectors.quality import measure
from assay.detectors.training import laundering, screens
from assay.detectors.training.examples import Example
from assay.detectors.training.laundering import Cell, launder, launder_to
from assay.detectors.views import whole
from assay.provenance.decoding import upright

UNDECODABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
_DECODE_SIDE = 1024  # JPEGs are decoded at a reduced scale where both sides stay above this
_FRAME = (50, 50, 306, 306)  # the CNNDetection examples carry a coloured frame that tells the class


@dataclass(frozen=True, slots=True)
class Look:
    """A laundered picture: `pixels` uint8 (224, 224, 3), quality covariates (4,) and bucket."""

    pixels: NDArray[np.uint8]
    covariates: tuple[float, float, float, float]
    bucket: str


@contextmanager
def large_pictures() -> Iterator[None]:
    """Pictures here were chosen by their owner: Pillow's warning of large ones is not shown, its refusal of twice that stands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def cache_mark(networks: Iterable[Path]) -> str:
    """Twelve digits that change with the networks' files and with the code that launders: a cache of what was found is for these."""
    files = (*networks, Path(laundering.__file__), Path(screens.__file__))
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:12]


def read_picture(path: Path, example: Example) -> Image.Image:
    """Decode a training picture, upright, at a reduced scale where it is large. Raises one of `UNDECODABLE`."""
    opened = Image.open(path)
    opened.draft("RGB", (_DECODE_SIDE, _DECODE_SIDE))
    image = opened if opened.mode in ("RGBA", "LA", "PA", "P") else upright(opened)
    return image.crop(_FRAME) if example.source.startswith("PeterWang512/CNNDetection") else image


@large_pictures()
def look(example: Example, place: Path, view: View, *, seed: int, cell: Cell | None = None) -> Look | None:
    """Launder one example, to a cell of the grid where one is given, and view it; None where it cannot be decoded."""
    random = example.draws(seed)
    try:
        picture = read_picture(place, example)
        content = launder_to(picture, cell, random) if cell else launder(picture, random)
        image = Image.open(io.BytesIO(content))
        image.load()
    except UNDECODABLE:
        return None
    quality = measure(image)
    return Look(whole(upright(image), view), quality.covariates(), quality.bucket.value)
