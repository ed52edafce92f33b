"""Small pictures for manifests.

Rules: never larger than asked for and never larger than the picture; a picture that cannot be decoded gets none.
"""

import io

from PIL import Image, ImageOps

from assay.provenance.asset import Asset
from assay.provenance.decoding import can_decode, decode
from assay.provenance.errors import AssayError

MEDIA_TYPE = "image/jpeg"
_QUALITY = 70


def thumbnail(asset: Asset, edge: int) -> bytes | None:
    """A JPEG of at most `edge` pixels on its long side, upright, without metadata; None where there is no decoder."""
    if not edge or not can_decode(asset.media_type):
        return None
    try:
        image = decode(asset)
    except AssayError:
        return None
    image.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=2.0)
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA", "P"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()
