"""Reading a JPEG file's segments: metadata blocks, quantisation tables, the frame header, and what follows the picture.

Rules: the entropy-coded data are stepped over, never decoded; pictures behind the first (multi-picture format, gain maps)
are read the same way and marked as not primary. Source: ITU-T T.81; Adobe XMP part 3; CIPA DC-007.
"""

import re
from dataclasses import dataclass, field

from assay.provenance.disclosure.block import Block, Budget, Carrier

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # within coded data: not stuffing, not a restart, not fill
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_MAX_PICTURES = 8
_MAX_EXTENDED = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment. `offset` is that of the 0xFF; `payload` begins behind the length field."""

    marker: int
    offset: int
    payload: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The marker's name in the standard."""
        return marker_name(self.marker)


@dataclass(frozen=True, slots=True)
class QuantisationTable:
    """One table: its slot (0 to 3), bits per value (8 or 16), 64 values in zigzag order as stored."""

    slot: int
    bits: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """One colour component of the frame: horizontal and vertical sampling factor, slot of its quantisation table."""

    identifier: int
    horizontal: int
    vertical: int
    table: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame header (SOFn): `marker` tells baseline (0xC0) from progressive (0xC2)."""

    marker: int
    precision: int
    width: int
    height: int
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One JPEG picture within the file. `start` and `end` are offsets; `end` lies behind its EOI, if it has one."""

    start: int
    end: int
    segments: tuple[Segment, ...]
    tables: tuple[QuantisationTable, ...]
    frame: Frame | None
    scans: int
    restart_interval: int
    complete: bool  # an EOI was found


def marker_name(marker: int) -> str:
    """APP0 to APP15, DQT, SOF2 … or the number in hexadecimal."""
    if 0xE0 <= marker <= 0xEF:
        return f"APP{marker - 0xE0}"
    if marker in _FRAMES:
        return f"SOF{marker - 0xC0}"
    names = {0xC4: "DHT", 0xDA: "SOS", 0xDB: "DQT", 0xDD: "DRI", 0xFE: "COM", 0xD8: "SOI", 0xD9: "EOI"}
    return names.get(marker, f"0x{marker:02X}")


def read_pictures(content: bytes, budget: Budget) -> tuple[Picture, ...]:
    """The pictures of the file, the primary one first."""
    pictures = [_picture(content, 0, budget)]
    while len(pictures) < _MAX_PICTURES:
        start = content.find(b"\xff\xd8\xff", pictures[-1].end)
        if start < 0:
            break
        pictures.append(_picture(content, start, Budget(flaws=[], pieces=4_096)))
    return tuple(pictures)


def blocks(pictures: tuple[Picture, ...], budget: Budget) -> list[Block]:
    """The metadata blocks of all pictures; extended XMP is joined to a packet of its own."""
    found: list[Block] = []
    for number, picture in enumerate(pictures):
        primary = number == 0
        label = "JPEG" if primary else f"JPEG picture {number + 1}"
        extended: dict[bytes, list[tuple[int, int, Segment]]] = {}
        profile: list[Segment] = []
        resources: list[Segment] = []
        for segment in picture.segments:
            payload, place = segment.payload, f"{label} {segment.name}"
            match segment.marker:
                case 0xE1 if payload.startswith((b"Exif\0\0", b"Exif\0\xff")):
                    found.append(_block(Carrier.EXIF, place, segment, 6, primary))
                case 0xE1 if payload.startswith(_XMP):
                    found.append(_block(Carrier.XMP, place, segment, len(_XMP), primary))
                case 0xE1 if payload.startswith(_EXTENDED) and len(payload) >= len(_EXTENDED) + 40:
                    at = len(_EXTENDED)
                    total = int.from_bytes(payload[at + 32 : at + 36], "big")
                    start = int.from_bytes(payload[at + 36 : at + 40], "big")
                    extended.setdefault(payload[at : at + 32], []).append((start, total, segment))
                case 0xE2 if payload.startswith(b"ICC_PROFILE\0"):
                    profile.append(segment)
                case 0xE2 if payload.startswith(b"MPF\0"):
                    found.append(_block(Carrier.MPF, place, segment, 4, primary))
                case 0xED if payload.startswith(b"Photoshop 3.0\0"):
                    resources.append(segment)
                case 0xFE:
                    found.append(_block(Carrier.COMMENT, place, segment, 0, primary))
        found += _joined(extended, label, primary, budget)
        if len(resources) == 1:
            found.append(_block(Carrier.RESOURCES, f"{label} APP13", resources[0], 14, primary))
        elif resources:
            joined = b"".join(segment.payload[14:] for segment in resources)
            found.append(
                Block(carrier=Carrier.RESOURCES, place=f"{label} APP13", content=joined, offset=resources[0].offset,
                      stored=False, primary=primary)
            )  # fmt: skip
        if profile:
            joined = b"".join(segment.payload[14:] for segment in sorted(profile, key=lambda s: s.payload[12:13]))
            found.append(
                Block(carrier=Carrier.ICC, place=f"{label} APP2", content=joined, offset=profile[0].offset,
                      stored=False, primary=primary)
            )  # fmt: skip
    return found


def _block(carrier: Carrier, place: str, segment: Segment, skip: int, primary: bool) -> Block:
    return Block(
        carrier=carrier, place=place, content=segment.payload[skip:], offset=segment.offset + 4 + skip, primary=primary
    )


def _joined(
    extended: dict[bytes, list[tuple[int, int, Segment]]], label: str, primary: bool, budget: Budget
) -> list[Block]:
    found = []
    for guid, parts in list(extended.items())[:16]:
        parts.sort(key=lambda part: part[0])
        total, expected, joined = parts[0][1], 0, []
        offset = parts[0][2].offset
        for start, _, segment in parts:
            piece = segment.payload[len(_EXTENDED) + 40 :]
            if start != expected or expected + len(piece) > min(total, _MAX_EXTENDED):
                budget.flaw("extended-xmp-gap", f"extended XMP {guid[:8]!r}: its parts do not fit together", offset)
                break
            joined.append(piece)
            expected += len(piece)
        else:
            if expected != total:
                budget.flaw("truncated", f"extended XMP: {expected:,} of {total:,} bytes are there", offset)
        found.append(
            Block(carrier=Carrier.XMP, place=f"{label} extended XMP", content=b"".join(joined), offset=offset,
                  stored=False, primary=primary)
        )  # fmt: skip
    return found


def _picture(content: bytes, start: int, budget: Budget) -> Picture:
    """Walk one picture from its SOI."""
    at, end = start + 2, len(content)
    segments: list[Segment] = []
    tables: list[QuantisationTable] = []
    frame: Frame | None = None
    scans = restart = 0
    complete = False
    while at + 2 <= end and budget.piece(at):
        if content[at] != 0xFF:
            found = _MARKER.search(content, at)
            budget.flaw("stray-bytes", "bytes between two JPEG segments", at)
            if not found:
                break
            at = found.start()
        marker = content[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        if marker == 0xD9:
            at, complete = at + 2, True
            break
        if marker in (0x01, 0xD8) or 0xD0 <= marker <= 0xD7:
            at += 2
            continue
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > end:
            budget.flaw("wrong-length", f"JPEG {marker_name(marker)}: its length does not fit the file", at)
            if marker != 0xDA:
                at = end
                break
        segment = Segment(marker, at, content[at + 4 : at + 2 + length])
        segments.append(segment)
        at += 2 + max(length, 2)
        if marker == 0xDB:
            tables += _tables(segment, budget)
        elif marker in _FRAMES and frame is None:
            frame = _frame(segment, budget)
        elif marker == 0xDD:
            restart = int.from_bytes(segment.payload[:2], "big")
        elif marker == 0xDA:
            scans += 1
            found = _MARKER.search(content, at)
            at = found.start() if found else end
    if not complete:
        budget.flaw("truncated", "the JPEG picture has no end marker", start)
    return Picture(
        start=start, end=min(at, end), segments=tuple(segments), tables=tuple(tables), frame=frame, scans=scans,
        restart_interval=restart, complete=complete,
    )  # fmt: skip


def _tables(segment: Segment, budget: Budget) -> list[QuantisationTable]:
    found, at, payload = [], 0, segment.payload
    while at < len(payload):
        wide, slot = payload[at] >> 4, payload[at] & 15
        width = 2 if wide else 1
        values = payload[at + 1 : at + 1 + 64 * width]
        if len(values) < 64 * width or slot > 3 or wide > 1:
            budget.flaw(
                "wrong-length", "JPEG DQT: a quantisation table is cut or has an impossible slot", segment.offset
            )
            break
        numbers = tuple(int.from_bytes(values[i : i + 2], "big") for i in range(0, 128, 2)) if wide else tuple(values)
        found.append(QuantisationTable(slot, 8 * width, numbers))
        at += 1 + 64 * width
    return found


def _frame(segment: Segment, budget: Budget) -> Frame | None:
    payload = segment.payload
    count = payload[5] if len(payload) > 5 else 0
    if len(payload) < 6 + 3 * count or not count:
        budget.flaw("wrong-length", "JPEG frame header: it is cut", segment.offset)
        return None
    components = tuple(
        Component(payload[at], payload[at + 1] >> 4, payload[at + 1] & 15, payload[at + 2])
        for at in range(6, 6 + 3 * count, 3)
    )
    height, width = int.from_bytes(payload[1:3], "big"), int.from_bytes(payload[3:5], "big")
    return Frame(segment.marker, payload[0], width, height, components)
