"""What the pixels remember of earlier JPEG compression: where its 8×8 grid lies, and how coarse it was.

Rules: everything is measured on one crop of the luminance; strengths are given, and the least that means something is a
constant with its counts in docs/camera-traces.md; nothing here says who compressed or why. Sources: Chen and Hsu 2008 (blockiness of shifted grids), Lukáš and
Fridrich 2003 and Farid 2009 (traces of a first quantisation), re-implemented from the papers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay.detectors.traces.jpeg import luminance_table
from assay.provenance.decoding import rgb

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = NDArray[np.float32]

CROP = 384  # pixels a side
_MODES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0))  # (vertical, horizontal) frequency
_QUALITIES = tuple(range(30, 97, 2))
LINES = 4.0  # least strength of a grid; uncompressed pictures reach 2.5 (docs/camera-traces.md has the counts)
FITS = 15.0  # least strength of `quality_before_decoding`; uncompressed pictures reach 8.8
GAPS = 15.0  # least strength of `quality_before_last`; photographs compressed once reach 10
_TEXTURED = 0.3  # share of blocks that must hold more than a mean; flat drawings have histograms of their own
_NOISE = 0.8  # by how much rounding to whole pixels moves a coefficient, at most nearly always
_FINE = 512  # bins of a quarter
_TALL = 24  # multiples of the last step that are looked at


@dataclass(frozen=True, slots=True)
class Grid:
    """An 8×8 grid in the pixels: its offset (across, down) from the picture's corner and how far it stands out."""

    across: int
    down: int
    strength: float


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier compression at about this libjpeg quality, and how far its trace exceeds chance."""

    quality: int
    strength: float


def luminance(image: "Image", side: int = CROP) -> Floats:
    """The middle of a picture as luminance (0–255); the crop begins at multiples of eight."""
    across = max(image.width - side, 0) // 2 // 8 * 8
    down = max(image.height - side, 0) // 2 // 8 * 8
    box = (across, down, min(across + side, image.width), min(down + side, image.height))
    return np.asarray(rgb(image.crop(box)).convert("L")).astype(np.float32)


def grid_of(pixels: Floats, *, ignore: tuple[int, int] | None = None) -> Grid:
    """The 8×8 grid that stands out most in luminance, however little it does.

    `ignore` is the offset of a JPEG's own grid. Its blocks are symmetrical, so their own middle line can stand out, too: a
    second grid shifted by just four pixels cannot be told from it and is not looked for.
    """
    slopes = pixels[:, 1:] - pixels[:, :-1]
    steps = np.minimum(np.abs(slopes[1:] - slopes[:-1]), 24)  # edges of things are no grid
    across, strength_across = _line(steps, None if ignore is None else ignore[0])
    down, strength_down = _line(np.ascontiguousarray(steps.T), None if ignore is None else ignore[1])
    return Grid(across, down, min(strength_across, strength_down))


def _line(steps: Floats, ignore: int | None) -> tuple[int, float]:
    """The offset (0–7) whose lines are steepest, and by how many standard errors it exceeds the next."""
    bands, width = steps.shape[0] // 16, steps.shape[1] // 8 * 8
    if bands < 4 or width < 64:
        return 0, 0.0
    sums = steps[: bands * 16, :width].reshape(bands, 16, width).sum(axis=1)
    means = sums.reshape(bands, -1, 8).mean(axis=1) / 16  # [band, edge behind column mod 8]
    means -= np.median(means, axis=1, keepdims=True)
    mean, error = means.mean(axis=0), means.std(axis=0) / np.sqrt(bands) + 1e-6
    order = [(int(edge) + 1) % 8 for edge in np.argsort(mean)[::-1]]
    own = () if ignore is None else (ignore, (ignore + 4) % 8)
    best, second = [offset for offset in order if offset not in own][:2]
    spread = np.hypot(error[best - 1], error[second - 1])
    return best, float((mean[best - 1] - mean[second - 1]) / spread)


def coefficients(pixels: Floats, across: int = 0, down: int = 0) -> Floats:
    """DCT coefficients of the low modes for the grid at an offset. Shape (modes, blocks)."""
    rows, columns = (pixels.shape[0] - down) // 8, (pixels.shape[1] - across) // 8
    area = pixels[down : down + rows * 8, across : across + columns * 8] - 128
    blocks = area.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(rows, columns, 64)
    # Row by row: one large product would wake a thread on every core for a fifth of a millisecond's work.
    return np.asarray(blocks @ _basis().T, dtype=np.float32).reshape(-1, len(_MODES)).T


@cache
def _basis() -> Floats:
    angle = (2 * np.arange(8) + 1) * np.pi / 16
    waves = np.cos(np.arange(8)[:, None] * angle[None, :]) / 2
    waves[0] /= np.sqrt(2)
    return np.stack([np.outer(waves[v], waves[h]).ravel() for v, h in _MODES]).astype(np.float32)


def quality_before_decoding(found: Floats) -> Earlier:
    """The libjpeg quality whose steps fit coefficients of a picture that is not stored as JPEG, however badly.

    Counts coefficients near multiples of a step and compares with what a smooth histogram gives, in standard deviations.
    """
    if not found.size or (np.abs(found) > 4 * _NOISE).any(axis=0).mean() < _TEXTURED:
        return Earlier(0, 0.0)
    counts = _histogram(found * 4, _FINE)
    near, expected, spread = (weights @ counts for weights in _near_multiples())
    return _strongest((near - expected) / np.sqrt(spread + 1))


def quality_before_last(found: Floats, last: Sequence[int]) -> Earlier:
    """The libjpeg quality of a coarser compression before the one with table `last` (natural order) on the same grid.

    A mode that was quantised once has fewer coefficients the larger they are. An earlier, coarser step leaves gaps: values
    that no multiple of it rounds to. Gaps are counted against the next value that is reached, in standard deviations.
    """
    steps = tuple(int(last[vertical * 8 + horizontal]) for vertical, horizontal in _MODES)
    if not all(steps):  # T.81 knows no step of 0; a damaged table has one, and decoders take it
        return Earlier(0, 0.0)
    multiples = np.rint(found / np.array(steps, np.float32)[:, None])
    if not found.size or (multiples != 0).any(axis=0).mean() < _TEXTURED:
        return Earlier(0, 0.0)
    counts = _histogram(multiples, _TALL)
    lacking, total = (weights @ counts for weights in _gap_weights(steps))
    return _strongest(lacking / np.sqrt(total + 1))


def _histogram(values: Floats, bins: int) -> Floats:
    """Per mode, how many absolute values lie in [n, n + 1); larger ones are left out. Shape (modes × bins,)."""
    numbers = np.minimum(np.abs(values).astype(np.int64), bins) + np.arange(len(values))[:, None] * (bins + 1)
    counts = np.bincount(numbers.ravel(), minlength=len(values) * (bins + 1))
    return counts.reshape(len(values), bins + 1)[:, :bins].ravel().astype(np.float32)


def _strongest(strengths: Floats) -> Earlier:
    best = int(strengths.argmax())
    return Earlier(_QUALITIES[best], float(max(strengths[best], 0.0)))


@cache
def _near_multiples() -> tuple[Floats, Floats, Floats]:
    """Per quality, weights over the bins: whether they lie near a multiple of its step, the chance of that, its variance."""
    values = (np.arange(_FINE) + 0.5)[None, None, :] / 4
    step = np.array([luminance_table(quality, _MODES) for quality in _QUALITIES], dtype=float)[:, :, None]
    usable = (values > step / 2) & (step > 2.6 * _NOISE)
    near = usable & (np.abs(values - np.rint(values / step) * step) <= _NOISE)
    chance = usable * np.minimum(2 * _NOISE / step, 1)
    return tuple(w.reshape(len(_QUALITIES), -1).astype(np.float32) for w in (near, chance, chance * (1 - chance)))  # type: ignore[return-value]


@lru_cache(maxsize=64)
def _gap_weights(steps: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Per quality, weights over the multiples of the last steps: the next reached value less each gap, and both added."""
    lacking, total = [], []
    for quality in _QUALITIES:
        for last, first in zip(steps, luminance_table(quality, _MODES), strict=True):
            less, both = _gaps(last, first)
            lacking.append(less)
            total.append(both)
    shape = len(_QUALITIES), len(_MODES) * _TALL
    return np.array(lacking, np.float32).reshape(shape), np.array(total, np.float32).reshape(shape)


@cache
def _gaps(last: int, first: int) -> tuple[list[int], list[int]]:
    """`_gap_weights` for one mode."""
    less, both = [0] * _TALL, [0] * _TALL
    if first > last:
        reached = {round(multiple * first / last) for multiple in range(_TALL * last // first + 2)}
        above = _TALL
        for n in reversed(range(1, _TALL)):
            if n in reached:
                above = n
            elif above < _TALL:
                less[above] += 1
                less[n] -= 1
                both[above] += 1
                both[n] += 1
    return less, both
