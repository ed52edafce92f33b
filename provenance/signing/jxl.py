"""JPEG XL without boxes: a bare codestream has no place for a manifest, its container has.

Rules: the codestream stays as it is, bit for bit.
"""

from assay.provenance.asset import Asset
from assay.provenance.media_type import MediaType


def is_bare_jxl(asset: Asset) -> bool:
    """Whether a JPEG XL file is a codestream without boxes, which has no place for a manifest."""
    return asset.media_type is MediaType.JXL and asset.content[:2] == b"\xff\x0a"


def jxl_container(codestream: bytes) -> bytes:
    """The same codestream in the container of ISO/IEC 18181-2: signature, `ftyp`, and one box that holds it as it is."""
    size = len(codestream) + 8
    head = size.to_bytes(4, "big") + b"jxlc"
    if size > 0xFFFFFFFF:
        head = (1).to_bytes(4, "big") + b"jxlc" + (size + 8).to_bytes(8, "big")
    return b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x14ftypjxl \0\0\0\0jxl " + head + codestream
