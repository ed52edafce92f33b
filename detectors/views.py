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
    """The whole of an upright picture at 224 x 224: uint8 (224, 224, 3). Averaged by whole factors first, then filtered."""
    match view:
        case View.BICUBIC:  # each side by its own factor
            small = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=1.0)
        case View.HAMMING:  # Pillow has loops of their own for squares
            factor = int(min((image.width * image.height) ** 0.5 / SIDE, min(image.size) / _LEAST))
            small = (image.reduce(factor) if factor > 1 else image).resize((SIDE, SIDE), Image.Resampling.HAMMING)
    return np.frombuffer(small.tobytes(), np.uint8).reshape(SIDE, SIDE, 3)
