"""Where a file format keeps its C2PA manifest store, the bytes found there (C2PA 2.2, annex A), and what else is no picture.

Rules: pure and total: any bytes give the stores found, in file order, without an exception; work is linear in the file's
length. Whoever asks is not told that a store is good, only that it is there.
"""

import re
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, Literal

from assay.provenance.jumbf.boxes import boxes
from assay.provenance.media_type import MediaType

BMFF_UUID: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
TIFF_TAG: Final = 0xCD41
_SVG = re.compile(rb"<([A-Za-z_][\w.-]{0,63}):manifest(?:\s[^>]{0,4096})?>([A-Za-z0-9+/=\s]*)</\1:manifest\s*>")
_MAX_DIRECTORIES: Final = 64  # of a TIFF file
_SEGMENT: Final = Struct(">BBH")  # of a JPEG: 0xFF, marker, length
_JPEG_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_MARKER: Final = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")  # in a scan: none of those that belong to it
_JPEG_METADATA: Final = frozenset({0xE1, 0xED, 0xFE})  # APP1 (Exif, XMP), APP13 (IPTC), COM
_PNG_METADATA: Final = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"})


@dataclass(frozen=True, slots=True)
class Embedded:
    """A manifest store in a file: where it lay (a segment, chunk, box or tag), at which byte, and its bytes."""

    place: str
    offset: int
    store: bytes = field(repr=False)


def embedded_stores(content: bytes, media_type: MediaType) -> tuple[Embedded, ...]:
    """Every C2PA manifest store in `content`, in file order. A file in order has none or one."""
    reader = _READERS.get(media_type)
    return tuple(found for found in reader(content) if is_store(found.store)) if reader else ()


def is_store(data: bytes) -> bool:
    """Whether bytes begin like a C2PA manifest store: a `jumb` box described as c2pa."""
    return data[4:8] == b"jumb" and data[12:20] == b"jumdc2pa"


@dataclass(frozen=True, slots=True)
class Aside:
    """A stretch of a file that is no part of its picture, from the first byte of its header: metadata, or the manifest store."""

    start: int
    end: int
    metadata: bool


def asides(content: bytes, media_type: MediaType) -> Iterator[Aside]:
    """Where metadata and manifest stores lie, in the formats in which a signature may leave out stretches of bytes."""
    match media_type:
        case MediaType.JPEG:
            for marker, start, end in jpeg_segments(content):
                if marker in _JPEG_METADATA or (marker == 0xEB and content[start + 12 : start + 16] == b"jumb"):
                    yield Aside(start - 4, end, marker != 0xEB)
        case MediaType.PNG:
            for kind, start, end in png_chunks(content):
                if kind == b"caBX" or kind in _PNG_METADATA:
                    yield Aside(start - 8, end + 4, kind != b"caBX")
        case MediaType.WEBP:
            for kind, start, end in riff_chunks(content):
                if kind in (b"C2PA", b"EXIF", b"XMP "):
                    yield Aside(start - 8, end + (end - start & 1), kind != b"C2PA")
        case MediaType.JXL:
            for box in boxes(content, 0, len(content)):
                if box.kind in (b"jumb", b"Exif", b"xml "):
                    yield Aside(box.offset, box.end, box.kind != b"jumb")
        case MediaType.TIFF | MediaType.DNG:
            for entry, start, size in _tiff_stores(content):
                yield Aside(entry + 4, entry + 12, False)  # its length and its place
                yield Aside(start, start + size, False)


def end_of_picture(content: bytes, media_type: MediaType) -> int | None:
    """The byte behind the format's own end mark; None where there is no mark, or the format has none."""
    match media_type:
        case MediaType.JPEG:
            at = max((end for _, _, end in jpeg_segments(content)), default=2)
            while (marker := _JPEG_MARKER.search(content, at)) and marker[0] != b"\xff\xd9":
                at = marker.end() + max(2, int.from_bytes(content[marker.end() : marker.end() + 2], "big"))
            return marker.end() if marker else None
        case MediaType.PNG:
            return next((end + 4 for kind, _, end in png_chunks(content) if kind == b"IEND"), None)
        case MediaType.GIF:
            at = 13 + _gif_table(content[10:11])
            while content[at : at + 1] in (b"\x21", b"\x2c"):
                table = _gif_table(content[at + 9 : at + 10])
                at = _skip_sub_blocks(content, at + 2 if content[at] == 0x21 else at + 11 + table)
            return at + 1 if content[at : at + 1] == b"\x3b" else None
    return None


def _jpeg(content: bytes) -> Iterator[Embedded]:
    """APP11 segments: `JP`, box instance, packet number, then the box; later packets repeat its header."""
    packets: dict[int, list[tuple[int, int, bytes]]] = {}
    for marker, start, end in jpeg_segments(content):
        if marker == 0xEB and content[start : start + 2] == b"JP" and end - start >= 16:
            instance = int.from_bytes(content[start + 2 : start + 4], "big")
            number = int.from_bytes(content[start + 4 : start + 8], "big")
            packets.setdefault(instance, []).append((number, start, content[start + 8 : end]))
    for found in packets.values():
        first = min(found)
        header = 16 if first[2][:4] == b"\0\0\0\1" else 8
        joined = b"".join(part if place == 0 else part[header:] for place, (_, _, part) in enumerate(sorted(found)))
        yield Embedded("JPEG APP11", first[1] - 4, joined)


def jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of the payload of each marker segment before the first scan."""
    at = 2
    while at + 4 <= len(content):
        sync, marker, size = _SEGMENT.unpack_from(content, at)
        if sync != 0xFF:
            return
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _JPEG_STANDALONE:
            at += 2
            continue
        if marker in (0xD9, 0xDA):
            return
        if size < 2 or at + 2 + size > len(content):
            return
        yield marker, at + 4, at + 2 + size
        at += 2 + size


def _png(content: bytes) -> Iterator[Embedded]:
    for kind, start, end in png_chunks(content):
        if kind == b"caBX":
            yield Embedded("PNG caBX", start - 8, content[start:end])


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of the payload of each chunk, up to and including IEND."""
    at = 8
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        kind = content[at + 4 : at + 8]
        if at + 12 + size > len(content):
            return
        yield kind, at + 8, at + 8 + size
        if kind == b"IEND":
            return
        at += 12 + size


def _riff(content: bytes) -> Iterator[Embedded]:
    for kind, start, end in riff_chunks(content):
        if kind == b"C2PA":
            yield Embedded("RIFF C2PA", start - 8, content[start:end])


def riff_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of the payload of each top-level chunk."""
    at = 12
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        if at + 8 + size > len(content):
            return
        yield content[at : at + 4], at + 8, at + 8 + size
        at += 8 + size + (size & 1)


def _bmff(content: bytes) -> Iterator[Embedded]:
    """A `uuid` box: 16 bytes identifier, version and flags, purpose, NUL, merkle offset (8), store."""
    for box in boxes(content, 0, len(content)):
        if box.kind != b"uuid" or content[box.start : box.start + 16] != BMFF_UUID:
            continue
        purpose, nul, _ = content[box.start + 20 : box.start + 52].partition(b"\0")
        if nul and purpose in (b"manifest", b"original", b"update"):
            start = box.start + 20 + len(purpose) + 1 + 8
            yield Embedded("BMFF uuid", box.offset, _trimmed(content[start : box.end]))


def _jxl(content: bytes) -> Iterator[Embedded]:
    """A top-level `jumb` box of the container (a bare codestream has no place for one)."""
    if content[:2] == b"\xff\x0a":
        return
    for box in boxes(content, 0, len(content)):
        if box.kind == b"jumb":
            yield Embedded("JPEG XL jumb", box.offset, content[box.offset : box.end])


def _tiff(content: bytes) -> Iterator[Embedded]:
    for _, start, size in _tiff_stores(content):
        yield Embedded("TIFF tag 52545", start, content[start : start + size])


def _tiff_stores(content: bytes) -> Iterator[tuple[int, int, int]]:
    """(where its directory entry is, start, size) of each."""
    order: Literal["little", "big"] = "little" if content[:2] == b"II" else "big"

    def number(start: int, size: int) -> int:
        return int.from_bytes(content[start : start + size], order)

    directory, seen = number(4, 4), set[int]()
    while 8 <= directory < len(content) and directory not in seen and len(seen) < _MAX_DIRECTORIES:
        seen.add(directory)
        entries = number(directory, 2)
        for at in range(directory + 2, min(directory + 2 + 12 * entries, len(content) - 11), 12):
            if number(at, 2) == TIFF_TAG and number(at + 2, 2) in (1, 7):  # BYTE, UNDEFINED
                yield at, number(at + 8, 4), number(at + 4, 4)
        directory = number(directory + 2 + 12 * entries, 4)


def _gif(content: bytes) -> Iterator[Embedded]:
    for label, header, start, end in gif_extensions(content):
        if label == 0xFF and header[:8] == b"C2PA_GIF":
            yield Embedded("GIF application extension", start, _sub_blocks(content, start, end))


def gif_extensions(content: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """(label, first sub-block, start, end) of each extension; start and end bound the sub-blocks after the first."""
    at = 13 + _gif_table(content[10:11])
    while at + 2 <= len(content):
        if content[at] == 0x21:
            size = content[at + 2] if at + 2 < len(content) else 0
            start = at + 3 + size
            end = _skip_sub_blocks(content, start if size else at + 2)
            yield content[at + 1], content[at + 3 : start], start, end
            at = end
        elif content[at] == 0x2C:
            at = _skip_sub_blocks(content, at + 11 + _gif_table(content[at + 9 : at + 10]))
        else:  # 0x3B, the trailer, or nothing that belongs here
            return


def _gif_table(flags: bytes) -> int:
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _skip_sub_blocks(content: bytes, at: int) -> int:
    while at < len(content) and content[at]:
        at += content[at] + 1
    return at + 1


def _sub_blocks(content: bytes, at: int, end: int) -> bytes:
    parts = []
    while at < min(end, len(content)) and content[at]:
        parts.append(content[at + 1 : at + 1 + content[at]])
        at += content[at] + 1
    return b"".join(parts)


def _svg(content: bytes) -> Iterator[Embedded]:
    for found in _SVG.finditer(content):
        try:
            yield Embedded("SVG c2pa:manifest", found.start(), b64decode(b"".join(found[2].split()), validate=True))
        except BadBase64:
            continue


def _trimmed(store: bytes) -> bytes:
    """Cut the padding that may follow a store: its first box says how long it is."""
    size = int.from_bytes(store[:4], "big")
    return store[:size] if 8 <= size <= len(store) else store


_READERS: Final[dict[MediaType, Callable[[bytes], Iterator[Embedded]]]] = {
    MediaType.JPEG: _jpeg,
    MediaType.PNG: _png,
    MediaType.WEBP: _riff,
    MediaType.AVIF: _bmff,
    MediaType.HEIC: _bmff,
    MediaType.HEIF: _bmff,
    MediaType.JXL: _jxl,
    MediaType.TIFF: _tiff,
    MediaType.DNG: _tiff,
    MediaType.GIF: _gif,
    MediaType.SVG: _svg,
}
