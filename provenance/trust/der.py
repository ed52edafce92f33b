"""DER as far as time stamps need it: identifier, length, content (X.690), read strictly and written plainly.

Rules: one octet of identifier; definite lengths in their shortest form; every element ends where its holder ends at the
latest, and nothing may follow the last; no recursion, the caller goes down level by level. Whatever breaks a rule is
`Malformed`.
"""

from typing import Final, NamedTuple

MAX_ELEMENTS: Final = 64  # of one level; the 32 tokens of public files have 8 at most

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
GENERALISED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31


class Malformed(ValueError):
    """These bytes are not the DER that was expected."""


class Element(NamedTuple):
    """One element: its identifier octet, its content, and the whole of it as it stands."""

    tag: int
    content: bytes
    der: bytes


def elements(content: bytes) -> list[Element]:
    """The elements that lie side by side in `content`, which they fill exactly. Raises `Malformed`."""
    found: list[Element] = []
    at, end = 0, len(content)
    while at < end:
        if len(found) == MAX_ELEMENTS or at + 2 > end:
            raise Malformed
        tag, size, start = content[at], content[at + 1], at + 2
        if tag & 0x1F == 0x1F:  # more than one octet of identifier: nothing in a time stamp has that
            raise Malformed
        if size >= 0x80:
            octets = size & 0x7F
            size = int.from_bytes(content[start : start + octets], "big")
            start += octets
            # 0x80 is the indefinite form; a first octet of zero, or a size that fits in less, is not the shortest form
            if not 1 <= octets <= 4 or size < 0x80 or size >> 8 * (octets - 1) == 0:
                raise Malformed
        if start + size > end:
            raise Malformed
        found.append(Element(tag, content[start : start + size], content[at : start + size]))
        at = start + size
    return found


def only(content: bytes, tag: int) -> Element:
    """The one element of `content`, which must have this identifier. Raises `Malformed`."""
    found = elements(content)
    if len(found) != 1 or found[0].tag != tag:
        raise Malformed
    return found[0]


class Fields:
    """The fields of a SEQUENCE, taken in order: each of a stated identifier, optional ones where they stand."""

    __slots__ = ("_at", "_found")

    def __init__(self, content: bytes) -> None:
        self._found = elements(content)
        self._at = 0

    def take(self, tag: int) -> Element:
        """The next field, which must have this identifier. Raises `Malformed`."""
        found = self.take_if(tag)
        if found is None:
            raise Malformed
        return found

    def take_if(self, tag: int) -> Element | None:
        """The next field if it has this identifier, else None."""
        if self._at == len(self._found) or self._found[self._at].tag != tag:
            return None
        self._at += 1
        return self._found[self._at - 1]

    def end(self) -> None:
        """Nothing may be left. Raises `Malformed`."""
        if self._at != len(self._found):
            raise Malformed


def encoded(tag: int, *content: bytes) -> bytes:
    """One element around `content`."""
    inner = b"".join(content)
    if len(inner) < 0x80:
        return bytes((tag, len(inner))) + inner
    size = len(inner).to_bytes((len(inner).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + inner


def encoded_integer(number: int) -> bytes:
    """A non-negative INTEGER."""
    return encoded(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def object_identifier(dotted: str) -> bytes:
    """The content of an OBJECT IDENTIFIER (X.690 §8.19)."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    content = bytearray([first * 40 + second])
    for part in rest:
        groups = [part & 0x7F]
        while part := part >> 7:
            groups.append(0x80 | (part & 0x7F))
        content += bytes(reversed(groups))
    return bytes(content)
