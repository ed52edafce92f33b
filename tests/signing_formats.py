"""One small picture of every format that assay signs, made here: with Pillow, its plugins, or byte by byte."""

import io
import struct
from importlib.util import find_spec

import pytest
from PIL import Image

from assay.provenance.asset import Asset
from assay.provenance.media_type import MediaType

EMBEDDABLE = tuple(kind for kind in MediaType if kind is not MediaType.BMP)
_PLUGINS = {MediaType.HEIC: "pillow_heif", MediaType.HEIF: "pillow_heif", MediaType.JXL: "pillow_jxl"}


def small_picture(kind: MediaType, size: tuple[int, int] = (24, 16)) -> Asset:
    """A gradient of that format. Skips the test where its plugin is not installed."""
    if kind in _PLUGINS and find_spec(_PLUGINS[kind]) is None:
        pytest.skip(f"{kind} needs {_PLUGINS[kind]}")
    match kind:
        case MediaType.SVG:
            content = (
                b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>\n'
            )
        case MediaType.DNG:
            content = _dng(*size)
        case MediaType.HEIC | MediaType.HEIF:
            import pillow_heif

            pillow_heif.register_heif_opener()
            content = _saved(size, "HEIF")
            if kind is MediaType.HEIF:  # the same boxes under the general brand
                end = int.from_bytes(content[:4], "big")
                content = content[:end].replace(b"heic", b"mif1").replace(b"heix", b"mif1") + content[end:]
        case MediaType.JXL:
            import pillow_jxl  # noqa: F401

            content = _saved(size, "JXL")
        case _:
            content = _saved(size, kind.name)
    asset = Asset.from_bytes(content, name=f"small{kind.suffix}")
    assert asset.media_type is kind
    return asset


def image_data(asset: Asset) -> bytes:
    """The compressed picture itself, without containers and metadata."""
    content = asset.content
    match asset.media_type:
        case MediaType.JPEG:
            return content[content.index(b"\xff\xda") :]
        case MediaType.PNG:
            start = content.index(b"IDAT")
            return content[start : content.index(b"IEND")]
        case MediaType.WEBP:
            start = content.index(b"VP8", 12)
            return content[start : start + 8 + int.from_bytes(content[start + 4 : start + 8], "little")]
        case MediaType.GIF:
            return content[content.index(b"\x2c" + bytes(4) + content[6:10]) :]  # the frame that fills the screen
        case MediaType.TIFF | MediaType.DNG:
            with Image.open(io.BytesIO(content)) as image:
                offset, count = image.tag_v2[273][0], image.tag_v2[279][0]  # type: ignore[attr-defined]
            return content[offset : offset + count]
        case MediaType.AVIF | MediaType.HEIC | MediaType.HEIF:
            start = content.index(b"mdat")
            return content[start + 4 : start - 4 + int.from_bytes(content[start - 4 : start], "big")]
        case MediaType.JXL:
            return content[content.index(b"\xff\x0a") :]
        case MediaType.SVG:
            return content[content.index(b"<rect") :]
        case MediaType.BMP:
            return content


def _saved(size: tuple[int, int], image_format: str) -> bytes:
    gradient = Image.linear_gradient("L").resize(size)
    buffer = io.BytesIO()
    Image.merge("RGB", (gradient, gradient.rotate(180), gradient)).save(buffer, image_format)
    return buffer.getvalue()


def _dng(width: int, height: int) -> bytes:
    """A little-endian TIFF with one uncompressed grey strip and the tags that make it a DNG 1.4."""
    pixels = bytes(x * 8 % 256 for _ in range(height) for x in range(width))
    entries: list[tuple[int, int, int, bytes]] = [  # tag, type (1 byte, 3 short, 4 long), count, value
        (254, 4, 1, struct.pack("<I", 0)),
        (256, 4, 1, struct.pack("<I", width)),
        (257, 4, 1, struct.pack("<I", height)),
        (258, 3, 1, struct.pack("<HH", 8, 0)),
        (259, 3, 1, struct.pack("<HH", 1, 0)),
        (262, 3, 1, struct.pack("<HH", 1, 0)),
        (273, 4, 1, b"OFFS"),
        (277, 3, 1, struct.pack("<HH", 1, 0)),
        (278, 4, 1, struct.pack("<I", height)),
        (279, 4, 1, struct.pack("<I", len(pixels))),
        (0xC612, 1, 4, bytes((1, 4, 0, 0))),
    ]
    start = 8 + 2 + 12 * len(entries) + 4
    directory = b"".join(
        struct.pack("<HHI", tag, kind, count) + (struct.pack("<I", start) if value == b"OFFS" else value)
        for tag, kind, count, value in entries
    )
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + directory + bytes(4) + pixels
