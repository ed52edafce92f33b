"""How much of an image's fine structure is left: size, compression, blur, upscaling. Error rates are conditional on it.

Rules: measured from the file's bytes and the decoded picture alone; never used as evidence of origin by itself.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from math import log2, log10
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay.provenance.decoding import grey

if TYPE_CHECKING:
    from PIL.Image import Image

Luma = NDArray[np.float32]

# Luminance table of ITU-T T.81 annex K.1, sorted: files store it in zigzag order, Pillow in either, so order is dropped.
# fmt: off
_ANNEX_K = np.sort(np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100,
    103, 99,
], np.float64))
# fmt: on
_WINDOW = 256  # pixels; the middle of the picture is looked at


class Bucket(StrEnum):
    """Classes of delivery for which error rates are stated separately."""

    GOOD = "good"  # at least 0.25 megapixels, JPEG quality 80 or better (or another codec), sharp
    COMPRESSED = "compressed"  # JPEG quality below 80
    SMALL = "small"  # below 0.25 megapixels
    SOFT = "soft"  # blurred or upscaled: little detail above a quarter of the sampling rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Measured covariates.

    `jpeg_quality` is the nearest quality of the reference encoder, 1 to 100 (None where the file is no JPEG); `detail` the
    share of the luminance gradient's energy above a quarter of the sampling rate, 0 to 1 (low after blur or upscaling);
    `blockiness` how much stronger steps are on the 8-pixel grid than beside it, 1 for none.
    """

    megapixels: float
    jpeg_quality: int | None
    detail: float
    blockiness: float

    @property
    def bucket(self) -> Bucket:
        """The class whose error rates apply; the most limiting one wins."""
        if self.megapixels < 0.25:
            return Bucket.SMALL
        if self.jpeg_quality is not None and self.jpeg_quality < 80:
            return Bucket.COMPRESSED
        return Bucket.SOFT if self.detail < 0.1 else Bucket.GOOD

    def covariates(self) -> tuple[float, float, float, float]:
        """Log10 megapixels, JPEG quality / 100 (1 for none), detail, log2 blockiness: what calibration may condition on."""
        quality = 1.0 if self.jpeg_quality is None else self.jpeg_quality / 100
        return (log10(max(self.megapixels, 1e-3)), quality, self.detail, log2(self.blockiness))


def measure(image: "Image") -> Quality:
    """Measure a decoded image as Pillow opened it (its `quantization` tells a JPEG's tables)."""
    luma = _middle(image)
    down, across = _steps(luma)
    detail = _detail(luma, down, across)
    return Quality(
        megapixels=image.width * image.height / 1e6,
        jpeg_quality=jpeg_quality(getattr(image, "quantization", None)),
        detail=detail,
        blockiness=_blockiness(down, across),  # last: it uses them up
    )


def of_part(quality: Quality, part: "Image") -> Quality:
    """The quality of a part cut out of a decoded image: its own size and detail, the whole's compression."""
    luma = _middle(part)
    return replace(quality, megapixels=part.width * part.height / 1e6, detail=_detail(luma, *_steps(luma)))


def jpeg_quality(tables: dict[int, list[int]] | None) -> int | None:
    """The reference encoder's quality (1-100) whose luminance table is nearest to `tables[0]`; None without tables."""
    if not tables or 0 not in tables or len(tables[0]) != 64:
        return None
    table = np.sort(np.asarray(tables[0], np.float64))
    exact = _exact_qualities().get(table.tobytes())
    return exact or int(np.abs(_logarithms() - np.log(table)).sum(axis=1).argmin()) + 1


@cache
def _exact_qualities() -> dict[bytes, int]:
    """The lowest quality for each of the reference encoder's sorted tables: what most files have needs no search."""
    return {table.tobytes(): 100 - index for index, table in enumerate(_reference_tables()[::-1])}


@cache
def _logarithms() -> NDArray[np.float64]:
    return np.log(_reference_tables())


@cache
def _reference_tables() -> NDArray[np.float64]:
    """The reference encoder's sorted luminance tables, (100, 64), from quality 1 to 100."""
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 / qualities, 200 - 2 * qualities)[:, None]
    return np.asarray(np.clip(np.floor((_ANNEX_K * scale + 50) / 100), 1, 255), np.float64)


def _middle(image: "Image") -> Luma:
    left, top = (max(0, (side - _WINDOW) // 2 // 8 * 8) for side in image.size)  # stays on the 8-pixel grid
    right, bottom = min(image.width, left + _WINDOW), min(image.height, top + _WINDOW)
    return np.asarray(grey(image.crop((left, top, right, bottom))), np.float32)


def _steps(luma: Luma) -> tuple[Luma, Luma]:
    """Differences of neighbours, downwards and across."""
    return luma[1:] - luma[:-1], luma[:, 1:] - luma[:, :-1]


def _detail(luma: Luma, down: Luma, across: Luma) -> float:
    """Energy of second differences against that of differences over two pixels: 0.5 for white noise, near 0 for smooth pictures.

    With a and b two differences in succession these are (b - a)^2 and (a + b)^2: sums of three products, so that no plane is made.
    """
    height, width = luma.shape
    if min(height, width) < 8:
        return 0.0
    squares, products = _successive(down)
    rest = _energy(down[1:, -2:] + down[:-1, -2:])  # the wide differences leave the last two lines out
    fine = (squares - products) / ((height - 2) * width)
    coarse = (squares + products - rest) / ((height - 2) * (width - 2))
    squares, products = _successive_across(across)
    rest = _energy(across[-2:, 1:] + across[-2:, :-1])
    fine += (squares - products) / (height * (width - 2))
    coarse += (squares + products - rest) / ((height - 2) * (width - 2))
    return min(1.0, max(0.0, fine / 3 / coarse)) if coarse > 0 else 0.0


def _successive(rows: Luma) -> tuple[float, float]:
    """Of every two rows in succession the sums of a^2 + b^2 and of 2ab."""
    flat, width = rows.ravel(), rows.shape[1]
    return 2 * _energy(flat) - _energy(rows[0]) - _energy(rows[-1]), 2 * float(flat[:-width] @ flat[width:])


def _successive_across(rows: Luma) -> tuple[float, float]:
    """The same of every two columns; pairs that straddle the end of a row are none."""
    flat, first, last = rows.ravel(), rows[:, 0], rows[:, -1]
    straddling = float(last[:-1] @ first[1:])
    return 2 * _energy(flat) - _energy(first) - _energy(last), 2 * (float(flat[:-1] @ flat[1:]) - straddling)


def _energy(plane: Luma) -> float:
    flat = plane.ravel()
    return float(flat @ flat)


def _blockiness(down: Luma, across: Luma) -> float:
    """How much stronger steps over every eighth line are; both planes become their magnitudes, in place."""
    ratios: list[float] = []
    for differences, along in ((down, 1), (across, 0)):
        length, count = differences.shape[along], differences.shape[1 - along]
        if count < 32:
            return 1.0
        steps, ones = np.abs(differences, out=differences), np.ones(length, np.float32)
        sums = steps @ ones if along else ones @ steps  # small integers: exact
        on_grid, whole = float(sums[7::8].sum()), float(sums.sum())
        lines = len(sums[7::8])
        ratios.append((on_grid / lines / length + 0.1) / ((whole - on_grid) / (count - lines) / length + 0.1))
    return min(8.0, max(0.25, sum(ratios) / 2))
