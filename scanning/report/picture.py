"""Small pictures for reports: an asset as a data URI that any browser shows.

Rules: re-encoded by us, so that no byte of the file reaches the page; upright by EXIF; never upscaled.
"""

import base64
import io

from PIL import Image, ImageOps

from assay.provenance.asset import Asset
from assay.provenance.decoding import decode
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
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    if "A" in upright.getbands() or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (128, 128, 128, 255))
        upright = Image.alpha_composite(ground, layer)
    buffer = io.BytesIO()
    upright.convert("RGB").save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
