"""Photographs with camera metadata, made byte by byte for the tests."""

import io
import struct

from dwtdct_marking import photograph
from metadata_files import _directory, exif_segment, jpeg, tiff
from PIL import Image

CANON = {0x010F: "Canon", 0x0110: "Canon EOS R5", 0x0132: "2024:05:01 10:00:00"}
TAKEN = {0x9003: "2024:05:01 10:00:00", 0x927C: b"maker note", 0xA002: 320, 0xA003: 240}


def written(image: Image.Image, **options: object) -> bytes:
    """The picture as JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **{"quality": 90, **options})
    return buffer.getvalue()


def with_thumbnail(exif: bytes, thumbnail: bytes) -> bytes:
    """A little-endian TIFF structure with a second directory that points to a JPEG thumbnail."""
    (start,) = struct.unpack_from("<I", exif, 4)
    (count,) = struct.unpack_from("<H", exif, start)
    content = bytearray(exif)
    struct.pack_into("<I", content, start + 2 + 12 * count, len(exif))
    length = len(_directory({0x0201: 0, 0x0202: 0}, 0, "<"))
    content += _directory({0x0201: len(exif) + length, 0x0202: len(thumbnail)}, len(exif), "<")
    return bytes(content) + thumbnail


def camera_jpeg(
    image: Image.Image | None = None,
    *,
    tags: dict | None = None,
    exif: dict | None = None,
    thumbnail: Image.Image | None = None,
    **options: object,
) -> bytes:
    """A JPEG with EXIF of a camera; a thumbnail of the picture itself unless another is given."""
    image = image or photograph(320, 240)
    structure = tiff(CANON if tags is None else tags, exif=TAKEN if exif is None else exif)
    small = (thumbnail or image).convert("RGB").resize((160, 120))
    structure = with_thumbnail(structure, written(small, quality=80))
    return jpeg(exif_segment(structure), base=written(image, **options))
