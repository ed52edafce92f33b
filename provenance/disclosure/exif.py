"""Reading EXIF and TIFF directories: tags with their raw values, text decoded, every pointer distrusted.

Rules: a value is a view into the block, copied only when somebody asks; directories are visited once; counts, offsets and
depth are bounded; a broken entry is a flaw and the rest is still read. Source: TIFF 6.0 section 2; CIPA DC-008 (EXIF 3.0).
"""

import struct
from dataclasses import dataclass, field

from PIL import ExifTags

from assay.provenance.disclosure.block import MAX_TAGS, MAX_VALUE, Budget

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_FORMATS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"}
_POINTERS = {0x8769: "Exif", 0x8825: "GPS", 0xA005: "Interop", 0x014A: "SubIFD"}
_MAX_DIRECTORIES = 32
_MAX_ENTRIES = 1_024
_MAX_NUMBERS = 4_096
_NAMES: dict[int, str] = {
    **ExifTags.TAGS,
    0x02BC: "XMP",
    0x83BB: "IPTC",
    0x8649: "ImageResources",
    0x8773: "ICCProfile",
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
    0x9C9D: "XPAuthor",
    0x9C9E: "XPKeywords",
    0x9C9F: "XPSubject",
}
_WIDE_TEXT = range(0x9C9B, 0x9CA0)  # Windows: UTF-16LE in BYTE values
_USER_COMMENT = 0x9286
NOT_TEXT = frozenset({0x02BC, 0x83BB, 0x8649, 0x8773})  # blocks within a TIFF file, read on their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One tag. `directory` is IFD0, IFD1 (thumbnail), Exif, GPS, Interop or SubIFD; `kind` the TIFF type;
    `offset` that of the value within the file (within the block where the block is not stored as such)."""

    directory: str
    tag: int
    kind: int
    count: int
    offset: int
    raw: memoryview = field(repr=False)
    order: str = field(repr=False)  # struct's byte order: "<" or ">"

    @property
    def name(self) -> str:
        """The standard's name of the tag, or its number in hexadecimal."""
        if self.directory == "GPS":
            return str(ExifTags.GPSTAGS.get(self.tag, f"GPS 0x{self.tag:04X}"))
        return _NAMES.get(self.tag, f"0x{self.tag:04X}")

    @property
    def text(self) -> str:
        """The value as text: decoded where it is text, numbers with spaces between, empty where it is neither."""
        if self.tag in _WIDE_TEXT and self.kind in (1, 7):
            return bytes(self.raw[:MAX_VALUE]).decode("utf-16-le", "replace").rstrip("\0")
        if self.tag == _USER_COMMENT and self.kind != 2:
            return user_comment(bytes(self.raw[:MAX_VALUE]))
        if self.kind in (2, 129):
            return _decoded(bytes(self.raw[:MAX_VALUE]).rstrip(b"\0 "))
        if self.kind in (1, 7):
            sample = bytes(self.raw[:256]).rstrip(b"\0")
            printable = bool(sample) and all(byte >= 32 or byte in b"\t\r\n" for byte in sample)
            return _decoded(bytes(self.raw[:MAX_VALUE]).rstrip(b"\0")) if printable and self.count > 1 else ""
        return " ".join(f"{number:g}" for number in self.numbers[:16])

    @property
    def numbers(self) -> tuple[float, ...]:
        """The value as numbers, rationals divided (0 where the denominator is 0); empty for text. At most 4,096."""
        if self.kind in (5, 10):
            letter = "I" if self.kind == 5 else "i"
            pairs = min(len(self.raw) // 8, _MAX_NUMBERS)
            parts = struct.unpack(f"{self.order}{2 * pairs}{letter}", self.raw[: 8 * pairs])
            return tuple(parts[i] / parts[i + 1] if parts[i + 1] else 0.0 for i in range(0, 2 * pairs, 2))
        if self.kind not in _FORMATS:
            return ()
        size = _SIZES[self.kind]
        count = min(len(self.raw) // size, _MAX_NUMBERS)
        return struct.unpack(f"{self.order}{count}{_FORMATS[self.kind]}", self.raw[: count * size])


@dataclass(frozen=True, slots=True)
class Exif:
    """The tags of one TIFF structure. `content` is the whole structure, `base` its offset in the file."""

    content: bytes = field(repr=False)
    base: int
    entries: tuple[Entry, ...]

    def get(self, name: str, directory: str | None = None) -> Entry | None:
        """The first tag of that name, in one directory or in any."""
        for entry in self.entries:
            if (directory is None or entry.directory == directory) and entry.name == name:
                return entry
        return None

    def text(self, name: str, directory: str | None = None) -> str:
        """The first such tag's text, stripped; empty where there is none."""
        entry = self.get(name, directory)
        return entry.text.strip() if entry else ""

    def number(self, name: str, directory: str | None = None) -> float | None:
        """The first such tag's first number."""
        entry = self.get(name, directory)
        return entry.numbers[0] if entry and entry.numbers else None

    @property
    def thumbnail(self) -> bytes:
        """The JPEG thumbnail that IFD1 points to, or nothing."""
        start = self.number("JpegIFOffset", "IFD1")
        length = self.number("JpegIFByteCount", "IFD1")
        if not start or not length:
            return b""
        return self.content[int(start) : int(start) + min(int(length), MAX_VALUE)]


def read_exif(content: bytes, budget: Budget, *, base: int = 0, place: str = "EXIF") -> Exif:
    """Read a TIFF structure (`Exif\\0\\0` already taken off); a hopeless one gives no entries and a flaw."""
    if content.startswith(b"Exif\0\0"):  # some writers repeat it (PNG, WebP)
        content, base = content[6:], base + 6
    order = {b"II": "<", b"MM": ">"}.get(content[:2], "")
    if not order or len(content) < 8 or struct.unpack_from(f"{order}H", content, 2)[0] != 42:
        budget.flaw("malformed-exif", f"{place}: it does not begin as EXIF does", base)
        return Exif(content, base, ())
    view = memoryview(content)
    queue: list[tuple[str, int]] = [("IFD0", struct.unpack_from(f"{order}I", content, 4)[0])]
    seen: set[int] = set()
    entries: list[Entry] = []
    while queue and len(seen) < _MAX_DIRECTORIES:
        directory, at = queue.pop(0)
        if at in seen:
            budget.flaw("malformed-exif", f"{place}: its directories form a circle", base + at)
            continue
        seen.add(at)
        if at + 2 > len(content):
            budget.flaw("malformed-exif", f"{place}: {directory} lies outside the block", base)
            continue
        (count,) = struct.unpack_from(f"{order}H", content, at)
        if count > _MAX_ENTRIES or at + 2 + 12 * count > len(content):
            budget.flaw("malformed-exif", f"{place}: {directory} has more entries than fit", base + at)
        for index in range(min(count, _MAX_ENTRIES)):
            slot = at + 2 + 12 * index
            budget.tags -= 1
            if budget.tags < 0:
                budget.flaw("too-many-pieces", f"{place}: the file has more than {MAX_TAGS:,} tags", base)
                return Exif(content, base, tuple(entries))
            if slot + 12 > len(content):
                break
            entry = _entry(view, slot, order, directory, base)
            if entry is None:
                budget.flaw("malformed-exif", f"{place}: a value of {directory} lies outside the block", base + slot)
                continue
            entries.append(entry)
            if entry.tag in _POINTERS and entry.kind in (4, 13):
                queue += [(_POINTERS[entry.tag], int(number)) for number in entry.numbers[:_MAX_DIRECTORIES]]
        following = at + 2 + 12 * count
        if directory.startswith("IFD") and following + 4 <= len(content):
            (next_directory,) = struct.unpack_from(f"{order}I", content, following)
            if next_directory:
                queue.append((f"IFD{int(directory[3:]) + 1}", next_directory))
    return Exif(content, base, tuple(entries))


def _entry(view: memoryview, slot: int, order: str, directory: str, base: int) -> Entry | None:
    tag, kind, count = struct.unpack_from(f"{order}HHI", view, slot)
    size = _SIZES.get(kind, 0) * count
    at = slot + 8 if size <= 4 else struct.unpack_from(f"{order}I", view, slot + 8)[0]
    if kind not in _SIZES or at + size > len(view):
        return None
    return Entry(
        directory=directory, tag=tag, kind=kind, count=count, offset=base + at, raw=view[at : at + size], order=order
    )


def user_comment(raw: bytes) -> str:
    """Decode a UserComment: eight bytes name the character set; UTF-16 is taken in the order that its zeros betray."""
    code, text = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return text.decode("utf-16", "replace").rstrip("\0")
        sample = text[:512]
        big = sample[0::2].count(0) >= sample[1::2].count(0)
        return text.decode("utf-16-be" if big else "utf-16-le", "replace").rstrip("\0")
    if code in (b"ASCII\0\0\0", b"JIS\0\0\0\0\0", b"\0" * 8):
        return _decoded(text.rstrip(b"\0 "))
    if len(raw) > 16 and raw[1:512:2].count(0) > len(raw[1:512:2]) * 0.9:
        return raw.decode("utf-16-le", "replace").rstrip("\0")
    return _decoded(raw.rstrip(b"\0 "))  # written without the code, against the standard


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
