"""Signs of a manifest that was removed, hidden or kept elsewhere.

Rules: residue is told and never judged; one pass over the bytes for each question; what is found inside a store that was
read is no residue.
"""

import re
from collections.abc import Iterator, Sequence
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
_HEAD: Final = 128  # bytes of a segment, chunk or box that hold the description of a store, if it is one
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


def stray_stores(content: bytes, media_type: MediaType, stores: Sequence[Embedded]) -> tuple[str, ...]:
    """Manifest stores that lie where no reader looks, in plain words with their place.

    Without a store to read, every byte is searched; beside one, only the beginnings of segments, chunks and boxes: what
    else lies in the file was there when it was signed, or breaks its hash.
    """
    expected = {embedded.place for embedded in stores}
    if stores:
        places = [
            _named(media_type, kind)
            for kind, start, end in _carriers(content, media_type)
            if content.find(_DESCRIPTION, start, min(start + _HEAD, end)) >= 0
        ]
    else:
        places = [_place(content, media_type, offset) for offset in _offsets(content)]
    stray = [place for place in dict.fromkeys(places) if place not in expected]
    return tuple(f"a manifest store lies in {place}, where readers of this format do not look" for place in stray)


def _offsets(content: bytes) -> Iterator[int]:
    at = content.find(_DESCRIPTION)
    for _ in range(64):
        if at < 0:
            return
        yield at
        at = content.find(_DESCRIPTION, at + 1)


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
    for kind, start, end in _carriers(content, media_type):
        if start <= offset < end:
            return _named(media_type, kind)
    return f"the data at byte {offset:,}, outside every part of the image"


def _carriers(content: bytes, media_type: MediaType) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of what a format keeps its metadata in, and of what follows the image."""
    end = 0
    match media_type:
        case MediaType.JPEG:
            for marker, start, end in jpeg_segments(content):
                yield bytes([marker]), start, end
            return
        case MediaType.PNG:
            for kind, start, end in png_chunks(content):
                yield kind, start, end
            end += 4
        case MediaType.WEBP:
            for kind, start, end in riff_chunks(content):
                yield kind, start, end
        case _ if media_type in _BMFF:
            for box in boxes(content, 0, len(content)):
                end = box.end
                yield box.kind, box.start, box.end
    if 0 < end < len(content):
        yield b"", end, len(content)


def _named(media_type: MediaType, kind: bytes) -> str:
    match media_type, kind:
        case _, b"":
            return "the data after the image"
        case (MediaType.JPEG, b"\xeb") | (MediaType.PNG, b"caBX") | (MediaType.WEBP, b"C2PA"):
            return {MediaType.JPEG: "JPEG APP11", MediaType.PNG: "PNG caBX"}.get(media_type, "RIFF C2PA")
        case MediaType.JPEG, _:
            return f"a JPEG segment of type {kind.hex().upper()}"
        case MediaType.PNG, _:
            return f"a PNG chunk {_ascii(kind)}"
        case MediaType.WEBP, _:
            return f"a RIFF chunk {_ascii(kind)}"
        case MediaType.JXL, b"jumb":
            return "JPEG XL jumb"
        case _, b"uuid":
            return "BMFF uuid"
        case _:
            return f"a box {_ascii(kind)}"


def _ascii(kind: bytes) -> str:
    return "“" + "".join(chr(byte) if 32 < byte < 127 else "." for byte in kind) + "”"
