"""Boxes of ISO/IEC 14496-12 and 19566-5 (JUMBF): length, type, content.

Rules: no recursion; a box never reaches beyond the one that holds it; every walk is bounded; malformed input ends the walk
and is never an exception. Offsets are bytes into the buffer that was given.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from struct import Struct
from typing import Final, NamedTuple

MAX_BOXES: Final = 8_192  # of one level; the busiest store of the public test files has 41
MAX_NESTED: Final = 64  # of each step of a path; a file may hold MAX_BOXES in each of as many


_HEADER: Final = Struct(">I4s")


class Box(NamedTuple):
    """One box: `kind` is its four-byte type, `start` and `end` bound its content, `offset` is where its header begins."""

    kind: bytes
    offset: int
    start: int
    end: int


class Superbox(NamedTuple):
    """A JUMBF superbox: its description (`uuid`, `label`) and the boxes in it."""

    uuid: bytes
    label: str
    offset: int
    end: int
    children: tuple[Box, ...]


def boxes(buffer: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes from `start` to `end`; stops where one does not fit."""
    at = start
    for _ in range(MAX_BOXES):
        if at + 8 > end:
            return
        size, kind = _HEADER.unpack_from(buffer, at)
        header = 8
        if size == 1:
            size = int.from_bytes(buffer[at + 8 : at + 16], "big")
            header = 16
        elif size == 0:  # reaches to the end of what holds it
            size = end - at
        if size < header or at + size > end:
            return
        yield Box(kind, at, at + header, at + size)
        at += size


def whole(buffer: bytes) -> Box:
    """The buffer as if it were one box's content."""
    return Box(b"", 0, 0, len(buffer))


def nested(buffer: bytes, holders: Iterable[Box], *path: bytes) -> Iterator[Box]:
    """The first boxes that a path of kinds leads to, from within `holders`."""
    for kind in path:
        inside = (box for holder in holders for box in boxes(buffer, holder.start, holder.end) if box.kind == kind)
        holders = list(islice(inside, MAX_NESTED))
    return iter(holders)


def superbox(buffer: bytes, box: Box) -> Superbox | None:
    """Read a `jumb` box's description; None where it has none (19566-5, annex B)."""
    if box.kind != b"jumb":
        return None
    children = tuple(boxes(buffer, box.start, box.end))
    if not children or children[0].kind != b"jumd" or children[0].end - children[0].start < 17:
        return None
    described = buffer[children[0].start : min(children[0].end, children[0].start + 1024)]
    label = b""
    if described[16] & 0x02:
        nul = described.find(b"\0", 17)
        if nul < 0:
            return None
        label = described[17:nul]
    return Superbox(described[:16], label.decode("utf-8", "replace"), box.offset, box.end, children[1:])
