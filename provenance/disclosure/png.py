"""Reading a PNG file's chunks: text of all three kinds, EXIF, and metadata that ImageMagick hides in text as hexadecimal.

Rules: chunks behind IDAT and behind IEND are read too; inflating is bounded; a chunk's checksum is compared only where
the chunk carries metadata. Source: W3C PNG (third edition), sections 5 and 11.3.
"""

import zlib

from assay.provenance.disclosure.block import MAX_BLOCK, Block, Budget, Carrier
from assay.provenance.disclosure.inflating import inflate

_TEXT = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_XMP_KEY = "XML:com.adobe.xmp"
_MAX_TEXT_CHUNKS = 1_024


def blocks(content: bytes, budget: Budget) -> list[Block]:
    """The metadata blocks, in file order. Keys are the chunks' keywords."""
    found: list[Block] = []
    at, end, ended = 8, len(content), False
    while at + 12 <= end and budget.piece(at):
        length = int.from_bytes(content[at : at + 4], "big")
        kind, start = content[at + 4 : at + 8], at + 8
        if not kind.isalpha():
            if not ended:
                budget.flaw("stray-bytes", "bytes between PNG chunks that are no chunk", at)
            break
        available = min(length, end - start)
        if available < length or start + length + 4 > end:
            budget.flaw("wrong-length", f"PNG {_name(kind)}: its length does not fit the file", at)
        if kind in _TEXT or kind == b"eXIf":
            if len(found) >= _MAX_TEXT_CHUNKS:
                budget.flaw("too-many-pieces", f"more than {_MAX_TEXT_CHUNKS:,} PNG text chunks", at)
                break
            _checksum(content, at, length, kind, budget)
            found += _chunk(kind, content[start : start + min(available, MAX_BLOCK + 1)], start, budget)
        elif kind == b"IEND":
            ended = True
        at = start + length + 4
    if not ended:
        budget.flaw("truncated", "the PNG file has no end chunk", end)
    return found


def _checksum(content: bytes, at: int, length: int, kind: bytes, budget: Budget) -> None:
    end = at + 8 + length
    if end + 4 <= len(content) and length <= MAX_BLOCK:
        stored = int.from_bytes(content[end : end + 4], "big")
        if zlib.crc32(memoryview(content)[at + 4 : end]) != stored:
            budget.flaw("wrong-checksum", f"PNG {_name(kind)}: its checksum does not match", at)


def _chunk(kind: bytes, chunk: bytes, start: int, budget: Budget) -> list[Block]:
    place = f"PNG {_name(kind)}"
    chunk = budget.cut(chunk, place, start)
    if kind == b"eXIf":
        return [Block(carrier=Carrier.EXIF, place=place, content=chunk, offset=start)]
    raw_key, separator, rest = chunk.partition(b"\0")
    if not separator or len(raw_key) > 79 or not raw_key:
        budget.flaw("malformed-text", f"{place}: it has no keyword of 1 to 79 bytes", start)
        return []
    key, offset, stored = raw_key.decode("latin-1"), start + len(raw_key) + 1, True
    match kind:
        case b"tEXt":
            text = rest
        case b"zTXt":
            text, stored = inflate(rest[1:], budget, place=f"{place} {key}", offset=start), False
        case _:
            if len(rest) < 2:
                budget.flaw("malformed-text", f"{place} {key}: it is cut", start)
                return []
            packed, tail = rest[0] == 1, rest[2:]
            _language, _, tail = tail.partition(b"\0")
            _translated, _, text = tail.partition(b"\0")
            offset = start + len(chunk) - len(text)
            if packed:
                text, stored = inflate(text, budget, place=f"{place} {key}", offset=start), False
    found = Block(
        carrier=Carrier.XMP if key == _XMP_KEY else Carrier.TEXT,
        place=place, content=text, offset=offset if stored else start, key=key, stored=stored,
    )  # fmt: skip
    return [found, *_raw_profile(found, budget)]


def _raw_profile(block: Block, budget: Budget) -> list[Block]:
    """ImageMagick's `Raw profile type exif|iptc|xmp|APP1`: name, length, hexadecimal digits."""
    if not block.key.startswith("Raw profile type "):
        return []
    lines = block.content.strip().split(b"\n", 2)
    try:
        content = bytes.fromhex(lines[2].decode("ascii"))
    except (IndexError, ValueError):
        budget.flaw("malformed-text", f"{block.place} {block.key}: no hexadecimal profile", block.offset)
        return []
    name = block.key.removeprefix("Raw profile type ").strip().lower()
    if content.startswith(b"Exif\0\0"):
        carrier, content = Carrier.EXIF, content[6:]
    elif content.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
        carrier, content = Carrier.XMP, content[29:]
    elif name == "xmp":
        carrier = Carrier.XMP
    elif name in ("iptc", "8bim"):
        carrier = Carrier.RESOURCES if content.startswith(b"8BIM") else Carrier.IIM
    elif name == "exif":
        carrier = Carrier.EXIF
    else:
        return []
    return [
        Block(carrier=carrier, place=f"{block.place} {block.key}", content=content, offset=block.offset, stored=False)
    ]


def _name(kind: bytes) -> str:
    return kind.decode("latin-1")
