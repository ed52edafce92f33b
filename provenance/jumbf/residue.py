"""Signs of a manifest that was removed, hidden or kept elsewhere.

Rules: residue is told and never judged; one pass over the bytes for each question; what is found inside a store that was
read is no residue.
"""

import re
from collections.abc import Iterable
from typing import Final

from assay.provenance.jumbf.boxes import boxes
from assay.provenance.jumbf.containers import (
    BMFF_UUID,
    Embedded,
    gif_extensions,
    jpeg_segments,
    png_chunks,
    riff_chunks,
)
from assay.provenance.media_type import MediaType

# The description of a manifest store: label-independent, so that a renamed chunk or box still shows (C2PA 2.2 §11.1.4.1).
_DESCRIPTION: Final = b"jumdc2pa" + bytes.fromhex("00110010800000aa00389b71")
_TERMS: Final = b"http://purl.org/dc/terms/"
_PROVENANCE: Final = re.compile(
    rb"""[\w.-]{1,32}:provenance(?:\s*=\s*["']([^"'<>]{1,2048})["']|[^<>]{0,256}>\s*([^<>]{1,2048}?)\s*</)"""
)
_BMFF: Final = frozenset({MediaType.AVIF, MediaType.HEIC, MediaType.HEIF, MediaType.JXL})


def provenance_reference(content: bytes) -> str:
    """The value of `dcterms:provenance` in the file's XMP: a URL, or a reference into a store; empty where there is none."""
    at = content.find(_TERMS)
    if at < 0:
        return ""
    found = _PROVENANCE.search(content, at)
    return (found[1] or found[2]).decode("utf-8", "replace").replace("&amp;", "&") if found else ""


def stray_stores(content: bytes, media_type: MediaType, stores: Iterable[Embedded]) -> tuple[str, ...]:
    """Manifest stores that lie where no reader looks, in plain words with their place."""
    expected = sum(embedded.store.count(_DESCRIPTION) for embedded in stores)
    if media_type is MediaType.SVG:  # base64: what lies in the open belongs to nobody
        expected = 0
    offsets: list[int] = []
    at = content.find(_DESCRIPTION)
    while at >= 0 and len(offsets) < 64:
        offsets.append(at)
        at = content.find(_DESCRIPTION, at + 1)
    if len(offsets) <= expected:
        return ()
    places = dict.fromkeys(_place(content, media_type, offset) for offset in offsets)
    usual = {embedded.place for embedded in stores}
    stray = [place for place in places if place not in usual] or list(places)
    return tuple(f"a manifest store lies in {place}, where readers of this format do not look" for place in stray)


def broken_carriers(content: bytes, media_type: MediaType, *, store_found: bool) -> tuple[str, ...]:
    """Segments, chunks and boxes made for a manifest that hold none any more."""
    if store_found:
        return ()
    match media_type:
        case MediaType.JPEG:
            left = sum(
                marker == 0xEB and content[start : start + 2] == b"JP" and b"c2pa" in content[start:end]
                for marker, start, end in jpeg_segments(content)
            )
            what = "APP11 segment"
        case MediaType.PNG:
            left, what = sum(kind == b"caBX" for kind, _, _ in png_chunks(content)), "caBX chunk"
        case MediaType.WEBP:
            left, what = sum(kind == b"C2PA" for kind, _, _ in riff_chunks(content)), "C2PA chunk"
        case MediaType.GIF:
            left = sum(header[:8] == b"C2PA_GIF" for _, header, _, _ in gif_extensions(content))
            what = "C2PA extension"
        case _ if media_type in _BMFF:
            left = sum(content[box.start : box.start + 16] == BMFF_UUID for box in boxes(content, 0, len(content)))
            what = "C2PA box"
        case _:
            return ()
    if not left:
        return ()
    several = left > 1
    return (f"{left} {what}{'s' * several} {'are' if several else 'is'} left of a manifest that is gone",)


def _place(content: bytes, media_type: MediaType, offset: int) -> str:
    """The segment, chunk or box around an offset."""
    match media_type:
        case MediaType.JPEG:
            for marker, start, end in jpeg_segments(content):
                if start <= offset < end:
                    return "JPEG APP11" if marker == 0xEB else f"a JPEG segment of type {marker:02X}"
            return "the data after the JPEG header"
        case MediaType.PNG:
            for kind, start, end in png_chunks(content):
                if start <= offset < end:
                    return "PNG caBX" if kind == b"caBX" else f"a PNG chunk {_ascii(kind)}"
            return "the data after the PNG image"
        case MediaType.WEBP:
            for kind, start, end in riff_chunks(content):
                if start <= offset < end:
                    return "RIFF C2PA" if kind == b"C2PA" else f"a RIFF chunk {_ascii(kind)}"
            return "the data after the WebP image"
        case _ if media_type in _BMFF:
            for box in boxes(content, 0, len(content)):
                if box.start <= offset < box.end:
                    return f"a box {_ascii(box.kind)}"
            return "the data after the last box"
        case _:
            return f"the data at byte {offset:,}"


def _ascii(kind: bytes) -> str:
    return "“" + "".join(chr(byte) if 32 < byte < 127 else "." for byte in kind) + "”"
