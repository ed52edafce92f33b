"""Aligned pairs: a human-made picture and the same picture after a network: an autoencoder of latent diffusion, a CycleGAN, an upscaler.

Rules: both are the same crop, of one size, written losslessly, so that only the network's traces tell them apart; a pair is
trained on or looked at, never quoted as a generator found. The networks' weights are read from a clone or an installed
distribution, never shipped. Idea: Rajan et al. 2025, "Aligned Datasets Improve Detection of Latent Diffusion-Generated Images".
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.detectors.training.examples import COLUMNS, Example, Label
from assay.detectors.training.viewing import read_picture

AUTOENCODER = "flux-2-autoencoder"  # of the family "flux": held out where that is measured
CYCLEGAN = "cyclegan"  # of the family of that name, likewise
UPSCALER = "real-esrgan"  # likewise
SIDE = 256  # pixels; a multiple of what the networks halve
Reconstruct = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def write_pairs(
    examples: Sequence[Example], places: Mapping[str, Path], folder: Path, reconstruct: Reconstruct, generator: str
) -> Iterator[tuple[Example, Example]]:
    """Write originals and twins into `folder`, by sha256, and `pairs.csv` there; yields each pair's rows.

    `examples` are human-made; those with a side under 256 pixels are passed over. `generator` is what twins are said to be of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "pairs.csv"
    rows: list[Example] = []
    for example in examples:
        picture = read_picture(places[example.sha256], example).convert("RGB")
        if min(picture.size) < SIDE:
            continue
        crop = _crop(picture, example.draws(0))
        original = replace(example, sha256=_write(crop, folder), dhash="")
        twin = replace(
            original,
            sha256=_write(reconstruct(crop), folder),
            label=Label.GENERATED,
            generator=generator,
            pair=original.sha256,
        )
        rows += [original, twin]
        yield original, twin
    with index.open("w", newline="") as file:
        writer = csv.DictWriter(file, (*COLUMNS, "pair"))
        writer.writeheader()
        for row in rows:
            writer.writerow({column: getattr(row, column) or "" for column in (*COLUMNS, "pair")})


def _crop(picture: Image.Image, random: np.random.Generator) -> NDArray[np.uint8]:
    """A drawn square, halved first while both sides allow it: what pictures look like after their first delivery."""
    while min(picture.size) >= 2 * SIDE:
        picture = picture.reduce(2)
    x, y = (int(random.integers(0, side - SIDE + 1)) for side in picture.size)
    return np.asarray(picture.crop((x, y, x + SIDE, y + SIDE)))


def _write(pixels: NDArray[np.uint8], folder: Path) -> str:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    (folder / digest).write_bytes(content.getvalue())
    return digest
