"""How many frames or pages a file holds, told from its container without decoding any.

Rules: pure and total; the count stops one above the limit, so that a file of nothing but frames costs no more than one at
the limit; a sequence of AVIF or HEIF is as long as its track says, and a JPEG has as many pictures as its multi-picture index
lists beside previews and gain maps; formats of one picture have one.
"""

from itertools import islice
from typing import Literal

from assay.provenance.jumbf.boxes import Box, nested, whole
from assay.provenance.jumbf.containers import TIFF_TAG, jpeg_segments, png_chunks, riff_chunks
from assay.provenance.media_type import MediaType

_MULTI_FRAME, _UNDEFINED = 0x02, 0x00  # classes of a picture in a multi-picture index (CIPA DC-007, 5.2.3.3.1)
_BESIDE = (  # how a picture behind the first begins that only belongs to it: gain maps, depth, mattes
    b"http://ns.adobe.com/hdr-gain-map/1.0/",
    b"urn:iso:std:iso:ts:21496",
    b"http://ns.apple.com/HDRGainMap/1.0/",
    b"http://ns.apple.com/pixeldatainfo/1.0/",
)
_BEGINNING = 65_536  # bytes of a picture behind the first in which that is looked for
_MOST_LISTED = 256  # pictures of a multi-picture index that are looked at


def count_frames(content: bytes, media_type: MediaType, *, limit: int) -> int:
    """The number of frames, at most `limit` + 1; 1 where the format or the damage leaves nothing to count."""
    match media_type:
        case MediaType.GIF:
            found = _gif(content, limit + 1)
        case MediaType.WEBP:
            found = sum(1 for _ in islice((1 for kind, _, _ in riff_chunks(content) if kind == b"ANMF"), limit + 1))
        case MediaType.PNG:
            found = min(limit + 1, _png(content))
        case MediaType.TIFF | MediaType.DNG:
            found = _tiff(content, limit + 1)
        case MediaType.AVIF | MediaType.HEIC | MediaType.HEIF:
            found = min(limit + 1, _sequence(content))
        case MediaType.JPEG:
            found = _multi_picture(content, limit + 1)
        case _:
            found = 1
    return max(1, found)


def _png(content: bytes) -> int:
    """APNG says so itself, in the first four bytes of `acTL`, before the first pixel."""
    for kind, start, end in png_chunks(content):
        if kind == b"acTL" and end - start >= 8:
            return int.from_bytes(content[start : start + 4], "big")
        if kind == b"IDAT":
            break
    return 1


def _gif(content: bytes, most: int) -> int:
    """Image descriptors (GIF89a, section 20), stepping over every block of data."""
    at, found = 13 + _table(content[10:11]), 0
    while at + 2 <= len(content) and found < most:
        if content[at] == 0x21:
            at = _behind_sub_blocks(content, at + 2)
        elif content[at] == 0x2C:
            found += 1
            at = _behind_sub_blocks(content, at + 11 + _table(content[at + 9 : at + 10]))
        else:
            break
    return found


def _table(flags: bytes) -> int:
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _behind_sub_blocks(content: bytes, at: int) -> int:
    while at < len(content) and content[at]:
        at += content[at] + 1
    return at + 1


def _tiff(content: bytes, most: int) -> int:
    """The chain of image directories; one that bites its own tail ends there. One that holds a manifest store alone, as the
    C2PA SDK appends to a file of several pages, is no page."""
    order: Literal["little", "big"] = "little" if content[:2] == b"II" else "big"
    directory, seen, store = int.from_bytes(content[4:8], order), set[int](), 0
    while 8 <= directory < len(content) and directory not in seen and len(seen) - store < most:
        seen.add(directory)
        entries = int.from_bytes(content[directory : directory + 2], order)
        if entries == 1 and int.from_bytes(content[directory + 2 : directory + 4], order) == TIFF_TAG:
            store = 1
        after = directory + 2 + 12 * entries
        directory = int.from_bytes(content[after : after + 4], order)
    return len(seen) - store


def _sequence(content: bytes) -> int:
    """Samples of the longest track of pictures (ISO/IEC 14496-12, 8.7.3: `stsz`); a still picture has no tracks."""
    tracks = nested(content, [whole(content)], b"moov", b"trak", b"mdia")
    return max((_samples(content, media) for media in tracks), default=1)


def _samples(content: bytes, media: Box) -> int:
    handler = next(nested(content, [media], b"hdlr"), None)
    if handler is None or content[handler.start + 8 : handler.start + 12] not in (b"pict", b"vide"):
        return 1
    tables = (table for kind in (b"stsz", b"stz2") for table in nested(content, [media], b"minf", b"stbl", kind))
    table = next(tables, None)
    return int.from_bytes(content[table.start + 8 : table.start + 12], "big") if table else 1


def _multi_picture(content: bytes, most: int) -> int:
    """Pictures of the index in APP2 `MPF` (CIPA DC-007), with the first."""
    for marker, start, end in jpeg_segments(content):
        if marker == 0xE2 and content[start : start + 4] == b"MPF\0":
            listed = _entries(content[start + 4 : end], most)
            return 1 + sum(
                _is_picture(kind, content[start + 4 + place : start + 4 + place + min(size, _BEGINNING)])
                for kind, size, place in listed
            )
    return 1


def _entries(index: bytes, most: int) -> list[tuple[int, int, int]]:
    """(type, size, offset from the index) of every picture behind the first."""
    order: Literal["little", "big"] = "little" if index[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(index[at : at + size], order)

    directory = number(4, 4)
    for at in range(directory + 2, min(directory + 2 + 12 * number(directory, 2), len(index) - 11), 12):
        if number(at, 2) == 0xB002:
            first, last = number(at + 8, 4), min(number(at + 8, 4) + number(at + 4, 4), len(index))
            rows = range(first + 16, last - 15, 16)[: min(most, _MOST_LISTED) - 1]
            return [(number(row, 4) & 0xFFFFFF, number(row + 4, 4), number(row + 8, 4)) for row in rows]
    return []


def _is_picture(kind: int, beginning: bytes) -> bool:
    """Whether an entry is there and a picture of its own: a frame of a panorama, of a stereo pair, or of an unsaid kind and no
    map."""
    if beginning[:3] != b"\xff\xd8\xff":
        return False
    unsaid = kind >> 16 == _UNDEFINED and not any(name in beginning for name in _BESIDE)
    return unsaid or kind >> 16 == _MULTI_FRAME
