"""How much of an image's fine structure is left: size, compression, blur, upscaling. Error rates are conditional on it.

Rules: measured from the file's bytes and the decoded picture alone; never used as evidence of origin by itself.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
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
_WINDOW = 320  # pixels; the middle of the picture is looked at


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
        return (float(np.log10(max(self.megapixels, 1e-3))), quality, self.detail, float(np.log2(self.blockiness)))


def measure(image: "Image") -> Quality:
    """Measure a decoded image as Pillow opened it (its `quantization` tells a JPEG's tables)."""
    luma = _middle(image)
    down, across = _steps(luma)
    return Quality(
        megapixels=image.width * image.height / 1e6,
        jpeg_quality=jpeg_quality(getattr(image, "quantization", None)),
        detail=_detail(luma, down, across),
        blockiness=_blockiness(down, across),
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
    return int(np.abs(_logarithms() - np.log(table)).sum(axis=1).argmin()) + 1


@cache
def _logarithms() -> NDArray[np.float64]:
    """Of the reference encoder's sorted tables, (100, 64), from quality 1 to 100."""
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 / qualities, 200 - 2 * qualities)[:, None]
    return np.asarray(np.log(np.clip(np.floor((_ANNEX_K * scale + 50) / 100), 1, 255)), np.float64)


def _middle(image: "Image") -> Luma:
    left, top = (max(0, (side - _WINDOW) // 2 // 8 * 8) for side in image.size)  # stays on the 8-pixel grid
    right, bottom = min(image.width, left + _WINDOW), min(image.height, top + _WINDOW)
    return np.asarray(grey(image.crop((left, top, right, bottom))), np.float32)


def _steps(luma: Luma) -> tuple[Luma, Luma]:
    """Differences of neighbours, downwards and across."""
    return luma[1:] - luma[:-1], luma[:, 1:] - luma[:, :-1]


def _detail(luma: Luma, down: Luma, across: Luma) -> float:
    """Energy of differences over one pixel against those over two: 0.5 for white noise, near 0 for smooth pictures."""
    if min(luma.shape) < 8:
        return 0.0
    fine = (_energy(down[1:] - down[:-1]) + _energy(across[:, 1:] - across[:, :-1])) / 6
    coarse = (_energy(luma[2:, :-2] - luma[:-2, :-2]) + _energy(luma[:-2, 2:] - luma[:-2, :-2])) / 2
    return min(1.0, fine / coarse) if coarse > 0 else 0.0


def _energy(plane: Luma) -> float:
    flat = plane.ravel(order="K")  # as it lies in memory: nothing is copied
    return float(flat @ flat) / flat.size


def _blockiness(down: Luma, across: Luma) -> float:
    ratios = []
    for differences, along in ((down, 1), (across, 0)):
        steps = np.abs(differences).mean(axis=along)
        if len(steps) < 32:
            return 1.0
        on_grid = steps[7::8].mean()
        beside = np.delete(steps, np.arange(7, len(steps), 8)).mean()
        ratios.append((float(on_grid) + 0.1) / (float(beside) + 0.1))
    return float(np.clip(np.mean(ratios), 0.25, 8.0))
