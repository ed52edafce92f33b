"""What a pixel model looks at: fixed-size arrays made of a decoded picture.

Rules: the picture is turned upright and laid on white where it is transparent; the whole of it is squeezed, not cropped, so that
nothing is out of sight. A model is good for views like those that it was fitted on: what changes one takes a new name in `card.View`.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.detectors.card import View

SIDE = 224
_FILTERS = {View.BICUBIC: Image.Resampling.BICUBIC, View.HAMMING: Image.Resampling.HAMMING}


def whole(image: Image.Image, view: View) -> NDArray[np.uint8]:
    """The whole of an upright picture at 224 x 224: uint8 (224, 224, 3). Averaged by whole factors first, then filtered."""
    small = image.resize((SIDE, SIDE), _FILTERS[view], reducing_gap=1.0)
    return np.frombuffer(small.tobytes(), np.uint8).reshape(SIDE, SIDE, 3)
