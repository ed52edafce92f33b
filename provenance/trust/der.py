"""DER as far as time stamps need it: identifier, length, content (X.690), read strictly and written plainly.

Rules: one octet of identifier; definite lengths in their shortest form; every element ends where its holder ends at the
latest; no recursion, the caller goes down level by level. Whatever breaks a rule is `Malformed`.
"""

from typing import Final

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


class Fields:
    """The elements that lie side by side in some content, taken in order by their identifiers.

    Nothing is read before it is asked for; `end` says that nothing is left.
    """

    __slots__ = ("_at", "_content", "_size")

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._size = len(content)
        self._at = 0

    def peek(self) -> int:
        """The identifier of the next element; -1 at the end."""
        return self._content[self._at] if self._at < self._size else -1

    def take(self, tag: int) -> bytes:
        """The content of the next element, which must have this identifier. Raises `Malformed`."""
        start = self._enter(tag)
        return self._content[start : self._at]

    def take_whole(self, tag: int) -> bytes:
        """The next element as it stands, identifier and length included. Raises `Malformed`."""
        at = self._at
        self._enter(tag)
        return self._content[at : self._at]

    def take_if(self, tag: int) -> bytes | None:
        """The content of the next element if it has this identifier, else None. Raises `Malformed`."""
        return self.take(tag) if self._at < self._size and self._content[self._at] == tag else None

    def end(self) -> None:
        """Nothing may follow. Raises `Malformed`."""
        if self._at != self._size:
            raise Malformed

    def _enter(self, tag: int) -> int:
        """Go to the end of the next element; returns where its content starts."""
        content, start = self._content, self._at + 2
        if start > self._size or content[start - 2] != tag or tag & 0x1F == 0x1F:  # that one goes on in the next octet
            raise Malformed
        size = content[start - 1]
        if size >= 0x80:
            octets = size & 0x7F
            size = int.from_bytes(content[start : start + octets], "big")
            start += octets
            # 0x80 is the indefinite form; a first octet of zero, or a size that needs fewer, is not the shortest form
            if not 1 <= octets <= 4 or size < 0x80 or size >> 8 * (octets - 1) == 0:
                raise Malformed
        self._at = start + size
        if self._at > self._size:
            raise Malformed
        return start


def only(content: bytes, tag: int) -> bytes:
    """The content of the one element that is all of `content`, and has this identifier. Raises `Malformed`."""
    fields = Fields(content)
    found = fields.take(tag)
    fields.end()
    return found


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
