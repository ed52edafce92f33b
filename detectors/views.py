"""What a pixel model looks at: fixed-size arrays made of a decoded picture.

Rules: the picture is turned upright and laid on white where it is transparent; the whole of it is squeezed, not cropped, so that
nothing is out of sight. A model is good for views like those that it was fitted on: what changes one takes a new name in `card.View`.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.detectors.card import View

SIDE = 224
_LEAST = 0.8 * SIDE  # pixels that averaging leaves of the shorter side


def whole(image: Image.Image, view: View) -> NDArray[np.uint8]:
    """The whole of an upright picture at 224 x 224: uint8 (224, 224, 3). Averaged by `factors` first, then filtered."""
    if view is View.BICUBIC:
        small = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=1.0)
    else:
        factor, _ = factors(image.size, view)
        small = (image.reduce(factor) if factor > 1 else image).resize((SIDE, SIDE), Image.Resampling.HAMMING)
    return np.frombuffer(small.tobytes(), np.uint8).reshape(SIDE, SIDE, 3)


def factors(size: tuple[int, int], view: View) -> tuple[int, int]:
    """By which whole factors a picture of `size` (width, height) is averaged across and down."""
    if view is View.BICUBIC:
        return max(1, size[0] // SIDE), max(1, size[1] // SIDE)
    even = max(1, int(min((size[0] * size[1]) ** 0.5 / SIDE, min(size) / _LEAST)))  # Pillow has loops made for squares
    return even, even
