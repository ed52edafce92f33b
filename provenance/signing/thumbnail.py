"""Small pictures for manifests.

Rules: never larger than asked for and never larger than the picture; a picture that cannot be decoded gets none.
"""

import io

from assay.provenance.asset import Asset
from assay.provenance.decoding import can_decode, decode, upright, within
from assay.provenance.errors import AssayError

MEDIA_TYPE = "image/jpeg"
_QUALITY = 70


def thumbnail(asset: Asset, edge: int) -> bytes | None:
    """A JPEG of at most `edge` pixels on its long side, upright, without metadata; None where there is no decoder."""
    if not edge or not can_decode(asset.media_type):
        return None
    try:
        image = within(upright(decode(asset)), edge)
    except AssayError:
        return None
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, optimize=True, comment=b"")
    return buffer.getvalue()
