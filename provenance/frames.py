"""How many frames or pages a file holds, told from its container without decoding any.

Rules: pure and total; the count stops one above the limit, so that a file of nothing but frames costs no more than one at
the limit; formats of one picture have one.
"""

from itertools import islice
from typing import Literal

from assay.provenance.jumbf.containers import TIFF_TAG, png_chunks, riff_chunks
from assay.provenance.media_type import MediaType


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
