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
_HOPE = (0.15, 0.3, 0.5, 0.6)  # what must be reached before each step width: below, no match ever came of it
_FITS = 0.98  # moving on would change nothing
_DRIFT = (
    0.1  # share of the original by which an edge may leave the guess: further off, single edges begin to fit anything
)
_FLAT = 2.0  # deviation in grey levels below which there is nothing to compare


def agreement(copy: Image.Image, view: View, original: Image.Image) -> float:
    """The best correlation between what `view` shows of the copy and a place near its region in the original.

    Both are grey working pictures. From -1 to 1; where there is no hope of a match, what was reached when it was given up.
    """
    (seen,) = _textures([cut(copy, view.box, view.turn, side=_SIDE)])
    start = box = REGIONS[view.region]
    (best,) = _correlations(seen, original, [box])
    for step, hope in zip(_STEPS, _HOPE, strict=True):
        if not hope <= best < _FITS:
            break
        for _ in range(_ROUNDS):
            boxes = _neighbours(box, step, start)
            found = _correlations(seen, original, boxes)
            nearest = int(np.argmax(found))
            if found[nearest] <= best + 1e-4:
                break
            best, box = found[nearest], boxes[nearest]
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


def _correlations(seen: NDArray[np.float32], original: Image.Image, boxes: list[Box]) -> list[float]:
    textures = _textures([cut(original, box, side=_SIDE) for box in boxes])
    return [float(value) for value in np.mean(seen * textures, axis=(1, 2))]


def _textures(squares: list[Image.Image]) -> NDArray[np.float32]:
    """What remains of each when the local mean is taken away, at mean 0 and deviation 1; zero where nothing remains."""
    grey = np.stack([np.asarray(square, np.float32) for square in squares])
    width = 2 * _BLUR + 1
    means = np.pad(grey, ((0, 0), (_BLUR, _BLUR), (_BLUR, _BLUR)), mode="edge")
    for axis in (1, 2):
        sums = np.cumsum(np.insert(means, 0, 0, axis=axis), axis=axis)
        ahead, behind = np.split(sums, [width], axis=axis)[1], np.split(sums, [-width], axis=axis)[0]
        means = (ahead - behind) / np.float32(width)
    rest = grey - means
    rest -= rest.mean(axis=(1, 2), keepdims=True)
    deviations = rest.std(axis=(1, 2), keepdims=True)
    return np.where(deviations > _FLAT, rest / np.maximum(deviations, _FLAT), 0).astype(np.float32)
