"""Small pictures for reports: an asset as a data URI that any browser shows.

Rules: re-encoded by us, so that no byte of the file reaches the page; upright by EXIF; never upscaled.
"""

import base64
import io

from PIL import Image

from assay.provenance.asset import Asset
from assay.provenance.decoding import decode, upright, within
from assay.provenance.errors import AssayError

QUALITY = 85  # of JPEG


def thumbnail(asset: Asset, *, edge: int = 640) -> str:
    """A JPEG data URI at most `edge` pixels wide and high; an empty string where the picture cannot be decoded."""
    try:
        image = decode(asset)
    except AssayError:
        return ""
    return encode(image, edge=edge)


def encode(image: Image.Image, *, edge: int = 640) -> str:
    """The same for a decoded picture; transparency is shown on mid grey."""
    shown = within(upright(image, ground="#808080"), edge)
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=QUALITY, optimize=True, comment=b"")
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
