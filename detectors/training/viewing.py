"""Launder examples and keep what the models will look at, shard by shard, so that a stopped run goes on where it was.

Rules: one random state per picture and draw, from its sha256 and the seed alone, so that nothing depends on order or class;
pictures that cannot be decoded are counted, not replaced.
"""

import io
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.detectors.quality import measure
from assay.detectors.training.examples import Example
from assay.detectors.training.laundering import Cell, launder, launder_to
from assay.detectors.views import whole
from assay.provenance.decoding import upright

SHARD = 100
UNDECODABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
_DECODE_SIDE = 1024  # JPEGs are decoded at a reduced scale where both sides stay above this
_FRAME = (50, 50, 306, 306)  # the CNNDetection examples carry a coloured frame that tells the class


@dataclass(frozen=True, slots=True)
class Shard:
    """Views of up to 100 laundered pictures: `whole` uint8 (n, 224, 224, 3), `covariates` float32 (n, 4), `buckets` (n,)."""

    sha256: tuple[str, ...]
    whole: NDArray[np.uint8]
    covariates: NDArray[np.float32]
    buckets: tuple[str, ...]


def write_views(
    examples: Sequence[Example], places: Mapping[str, Path], target: Path, *, seed: int, cell: Cell | None = None
) -> None:
    """Launder and view the examples of one shard into `target`, unless it exists."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(_view(examples, places, seed=seed, cell=cell), target)


def read_views(path: Path) -> Shard:
    """Read one shard."""
    with np.load(path) as file:
        names = json.loads(str(file["names"]))
        return Shard(tuple(names["sha256"]), file["whole"], file["covariates"], tuple(names["buckets"]))


@contextmanager
def large_pictures() -> Iterator[None]:
    """Pictures here were chosen by their owner: Pillow's warning of large ones is not shown, its refusal of twice that stands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def read_picture(path: Path, example: Example) -> Image.Image:
    """Decode a training picture, upright, at a reduced scale where it is large. Raises one of `UNDECODABLE`."""
    opened = Image.open(path)
    opened.draft("RGB", (_DECODE_SIDE, _DECODE_SIDE))
    image = opened if opened.mode in ("RGBA", "LA", "PA", "P") else upright(opened)
    return image.crop(_FRAME) if example.source.startswith("PeterWang512/CNNDetection") else image


@large_pictures()
def _view(examples: Sequence[Example], places: Mapping[str, Path], *, seed: int, cell: Cell | None) -> Shard:
    names, wholes, covariates, buckets = [], [], [], []
    for example in examples:
        random = example.draws(seed)
        try:
            picture = read_picture(places[example.sha256], example)
            content = launder_to(picture, cell, random) if cell else launder(picture, random)
            image = Image.open(io.BytesIO(content))
            image.load()
        except UNDECODABLE:
            continue
        quality = measure(image)
        names.append(example.sha256)
        wholes.append(whole(upright(image)))
        covariates.append(quality.covariates())
        buckets.append(quality.bucket.value)
    if not names:
        raise ValueError(f"none of {len(examples)} pictures from {places[examples[0].sha256]} on can be decoded")
    return Shard(
        tuple(names),
        np.stack(wholes),
        np.array(covariates, np.float32),
        tuple(buckets),
    )


def _write(shard: Shard, target: Path) -> None:
    partial = target.with_suffix(".partial.npz")
    names = json.dumps({"sha256": shard.sha256, "buckets": shard.buckets})
    np.savez(partial, names=np.array(names), whole=shard.whole, covariates=shard.covariates)
    partial.rename(target)
