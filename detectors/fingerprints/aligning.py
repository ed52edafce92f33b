"""A second look at a candidate: the copy laid over the original's thumbnail, moved until it fits best.

Rules: what is compared are edges and texture, not brightness, so that colour shifts do not matter and two smooth pictures do
not look alike; the answer is a correlation, 1 where they fit exactly, about 0 where they are strangers.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.detectors.fingerprints.grounds import REGIONS, Box, View, cut

_SIDE = 48  # pixels
_BLUR = 3  # radius in pixels of the mean that is taken away
_STEPS = (0.04, 0.02, 0.01, 0.005)  # shares of the original by which an edge is moved
_ROUNDS = 4  # at each step width
_DRIFT = (
    0.1  # share of the original by which an edge may leave the guess: further off, single edges begin to fit anything
)
_HOPELESS = (
    0.1,
    0.2,
)  # at the guess itself, and at the first step width: below, nothing that counts as a match comes of it
_FLAT = 2.0  # deviation in grey levels below which there is nothing to compare


def agreement(copy: Image.Image, view: View, original: Image.Image) -> float:
    """The best correlation between what `view` shows of the copy and a place near its region in the original.

    Both are grey working pictures. From -1 to 1; where there is no hope of a match, what was reached when it was given up.
    """
    seen = _texture(cut(copy, view.box, view.turn, side=_SIDE))
    start = box = REGIONS[view.region]
    best = _correlation(seen, original, box)
    if best < _HOPELESS[0]:
        return best
    for step in _STEPS:
        for _ in range(_ROUNDS):
            moved = max((_correlation(seen, original, other), other) for other in _neighbours(box, step, start))
            if moved[0] <= best + 1e-4:
                break
            best, box = moved
        if best < _HOPELESS[1]:
            break
    return best


def _neighbours(box: Box, step: float, start: Box) -> list[Box]:
    """Boxes with one edge moved, and those moved or scaled as a whole."""
    changes = [
        tuple(sign * step if edge == at else 0.0 for at in range(4)) for edge, sign in product(range(4), (-1, 1))
    ]
    changes += [(sign * step, 0.0, sign * step, 0.0) for sign in (-1, 1)]
    changes += [(0.0, sign * step, 0.0, sign * step) for sign in (-1, 1)]
    changes += [(sign * step, sign * step, -sign * step, -sign * step) for sign in (-1, 1)]
    found = []
    for change in changes:
        moved = tuple(
            min(1.0, first + _DRIFT, max(0.0, first - _DRIFT, at + by))
            for at, by, first in zip(box, change, start, strict=True)
        )
        found.append((moved[0], moved[1], moved[2], moved[3]))
    return found


def _correlation(seen: NDArray[np.float32], original: Image.Image, box: Box) -> float:
    return float(np.mean(seen * _texture(cut(original, box, side=_SIDE))))


def _texture(square: Image.Image) -> NDArray[np.float32]:
    """What remains when the local mean is taken away, at mean 0 and deviation 1; zero where nothing remains."""
    grey = np.asarray(square, np.float32)
    width = 2 * _BLUR + 1
    padded = np.pad(grey, _BLUR, mode="edge")
    for axis in (0, 1):
        sums = np.cumsum(np.insert(padded, 0, 0, axis=axis), axis=axis)
        ahead = np.take(sums, range(width, sums.shape[axis]), axis=axis)
        behind = np.take(sums, range(sums.shape[axis] - width), axis=axis)
        padded = ((ahead - behind) / width).astype(np.float32)
    rest = grey - padded
    rest -= rest.mean()
    deviation = float(rest.std())
    return rest / deviation if deviation > _FLAT else np.zeros_like(rest)
