"""The nouns of metadata: a block as it lies in the file, a field read from it, a flaw met on the way.

Rules: every offset is a byte offset into the file; every list is bounded by `Budget`; nothing here raises on bad input.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from assay.provenance.limits import DEFAULT_LIMITS

MAX_PIECES = DEFAULT_LIMITS.pieces  # segments, chunks or boxes of one file
MAX_BLOCK = DEFAULT_LIMITS.metadata  # bytes of one block that are parsed; a longer one is cut and reported
MAX_INFLATED = DEFAULT_LIMITS.inflated  # bytes that all compressed blocks of a file may become
MAX_VALUE = 1024 * 1024  # bytes of one field's value that are kept
MAX_FLAWS = 64
MAX_TAGS = DEFAULT_LIMITS.tags
MAX_EVENTS = DEFAULT_LIMITS.elements
MAX_FIELDS = DEFAULT_LIMITS.fields


class Carrier(StrEnum):
    """What a block is. The value is the first word of a field's full name."""

    XMP = "XMP"
    EXIF = "EXIF"
    IIM = "IIM"
    RESOURCES = "8BIM"  # Photoshop image resources, which carry IIM
    TEXT = "PNG"  # keyword and text of a PNG chunk
    COMMENT = "COM"  # JPEG or GIF comment
    ICC = "ICC"
    MPF = "MPF"  # CIPA multi-picture format
    SEF = "SEF"  # named blocks behind a Samsung JPEG


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of metadata. `place` says where it lies in words of the format ("JPEG APP1", "PNG iTXt").

    `offset` is that of the first byte of `content`; of the chunk itself where `stored` is false (inflated or assembled
    content has no offsets of its own). `primary` is false for further pictures in the same file and for stray packets.
    """

    carrier: Carrier
    place: str
    content: bytes = field(repr=False)
    offset: int
    key: str = ""
    stored: bool = True
    primary: bool = True


@dataclass(frozen=True, slots=True)
class Field:
    """One named value of a block. `name` carries the standard's prefix for XMP ("Iptc4xmpExt:DigitalSourceType")."""

    carrier: Carrier
    name: str
    value: str
    offset: int | None = None
    primary: bool = True

    @property
    def path(self) -> str:
        """The full name: carrier, then the field's own name."""
        return f"{self.carrier} {self.name}" if self.name else str(self.carrier)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something malformed, by accident or on purpose. `code` is kebab-case."""

    code: str
    statement: str
    offset: int | None = None


@dataclass(slots=True)
class Budget:
    """What is left to spend on one file, and what went wrong with it so far."""

    inflated: int = MAX_INFLATED
    pieces: int = MAX_PIECES
    values: int = MAX_INFLATED  # bytes of decoded values
    tags: int = MAX_TAGS  # EXIF entries
    events: int = MAX_EVENTS  # XML elements and attributes
    fields: int = MAX_FIELDS  # XMP properties and IIM datasets
    flaws: list[Flaw] = field(default_factory=list)

    def flaw(self, code: str, statement: str, offset: int | None = None) -> None:
        """Note a flaw, once per code and place, up to `MAX_FLAWS`."""
        found = Flaw(code, statement, offset)
        if len(self.flaws) < MAX_FLAWS and found not in self.flaws:
            self.flaws.append(found)

    def piece(self, offset: int) -> bool:
        """Pay for one more segment, chunk or box; False when there are too many."""
        self.pieces -= 1
        if self.pieces == 0:
            self.flaw("too-many-pieces", f"more than {MAX_PIECES:,} pieces; what follows was not read", offset)
        return self.pieces > 0

    def cut(self, content: bytes, place: str, offset: int) -> bytes:
        """At most `MAX_BLOCK` bytes of a block; a longer one is reported."""
        if len(content) > MAX_BLOCK:
            self.flaw(
                "metadata-too-large", f"{place}: {len(content):,} bytes; the first {MAX_BLOCK:,} were read", offset
            )
        return content[:MAX_BLOCK]
