"""A perceptual hash: 256 bits that stay nearly the same when a picture is scaled or compressed again. The only importer of pdqhash.

Rules: a picture too plain to be told from others has none; likeness is a hint for grouping and evidence of nothing. Source:
"The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm", Facebook, 2019: quality and distance as given there.
"""

from typing import TYPE_CHECKING

import numpy as np
from PIL.Image import Resampling

from assay.provenance.decoding import rgb, within
from assay.provenance.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

NEAR = 31  # of 256 bits: at most so many differ between two copies of one picture
_LEAST_QUALITY = 50  # of 100
_EDGE = 512  # pixels; the hash is made of 64 × 64 and gains nothing from more


def perceptual_hash(image: "Image") -> str:
    """The PDQ hash in 64 hexadecimal digits, or an empty string for a picture without enough structure."""
    try:
        import pdqhash
    except ImportError as error:
        raise MissingExtra("grouping pictures that look alike", "near") from error
    small = within(rgb(image), _EDGE, Resampling.BICUBIC)
    bits, quality = pdqhash.compute(np.asarray(small))
    if quality < _LEAST_QUALITY:
        return ""
    return np.packbits(np.asarray(bits, dtype=np.uint8)).tobytes().hex()
