"""What a pixel model looks at: fixed-size arrays cut from a decoded picture.

Rules: the picture is turned upright and laid on white where it is transparent; the whole picture is squeezed, not cropped, so
that nothing is out of sight; native crops are never rescaled unless the picture is smaller than the crop.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE = 224


def whole(image: Image.Image) -> NDArray[np.uint8]:
    """The whole of an upright picture at 224 x 224: uint8 (224, 224, 3)."""
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0))


def native(image: Image.Image, places: "Sequence[tuple[float, float]]") -> NDArray[np.uint8]:
    """Crops at full resolution, one per place (x, y from 0 to 1): uint8 (n, 224, 224, 3)."""
    if min(image.size) < SIDE:
        factor = SIDE / min(image.size)
        image = image.resize((max(SIDE, round(image.width * factor)), max(SIDE, round(image.height * factor))))
    crops = []
    for x, y in places:
        left, top = round(x * (image.width - SIDE)), round(y * (image.height - SIDE))
        crops.append(np.asarray(image.crop((left, top, left + SIDE, top + SIDE))))
    return np.stack(crops)
