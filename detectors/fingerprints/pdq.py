"""PDQ, the perceptual hash of 256 bits that Meta published (ThreatExchange, hashing/pdq): the only importer of `pdqhash`.

Rules: a place is squeezed to 64 x 64 pixels by a triangle filter before it is hashed, which stands for PDQ's own smoothing;
for whole pictures the hash then differs from the reference implementation's in a few bits.
"""

from typing import Any

import numpy as np
from PIL import Image

from assay.provenance.errors import MissingExtra

PDQ = "pdq"
BITS = 256
LEAST_QUALITY = 50  # of 100; PDQ's authors say not to match below


def pdq(square: Image.Image) -> tuple[bytes, int]:
    """(hash of 32 bytes, quality from 0 to 100) of a grey square of 64 x 64 pixels. Raises `MissingExtra`."""
    grey = np.asarray(square, np.uint8)
    bits, quality = _library().compute(np.ascontiguousarray(np.stack([grey] * 3, axis=-1)))
    return np.packbits(bits).tobytes(), int(quality)


def installed() -> bool:
    """Whether pictures can be hashed here."""
    try:
        _library()
    except MissingExtra:
        return False
    return True


def _library() -> Any:
    try:
        import pdqhash
    except ImportError as error:
        raise MissingExtra("finding stripped manifests", "recovery") from error
    return pdqhash
