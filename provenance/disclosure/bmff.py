"""Reading metadata in ISO base media files (HEIC, HEIF, AVIF) and JPEG XL containers.

Rules: only the boxes that carry or locate metadata are opened; item extents are bounded by the file; Brotli boxes of JPEG
XL need the `brotli` module and are noted where it is missing. Source: ISO/IEC 14496-12 sections 4 and 8.11; 18181-2.
"""

from collections.abc import Iterator

from assay.provenance.disclosure.block import MAX_BLOCK, Block, Budget, Carrier

_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_MAX_ITEMS = 4_096


def blocks(content: bytes, budget: Budget) -> list[Block]:
    """The metadata blocks, in file order."""
    found: list[Block] = []
    for kind, start, end in _boxes(content, 0, len(content), budget):
        match kind:
            case b"meta":
                found += _items(content, start + 4, end, budget)
            case b"uuid" if content[start : start + 16] == _XMP_UUID:
                found.append(_block(Carrier.XMP, "uuid box", content, start + 16, end, budget))
            case b"xml ":
                found.append(_block(Carrier.XMP, "xml box", content, start, end, budget))
            case b"Exif":
                found.append(_exif(content, "Exif box", start, end, budget))
            case b"brob":
                found += _brotli(content, start, end, budget)
    return found


def _block(carrier: Carrier, place: str, content: bytes, start: int, end: int, budget: Budget) -> Block:
    chunk = budget.cut(content[start : min(end, start + MAX_BLOCK + 1)], place, start)
    return Block(carrier=carrier, place=place, content=chunk, offset=start)


def _exif(content: bytes, place: str, start: int, end: int, budget: Budget) -> Block:
    skip = _to_header(content[start : start + 4])
    if start + skip > end:
        budget.flaw("wrong-length", f"{place}: its header offset does not fit", start)
        skip = 4
    return _block(Carrier.EXIF, place, content, start + skip, end, budget)


def _to_header(head: bytes) -> int:
    """Bytes before the TIFF header: four that count those behind them. Some writers leave them out."""
    return 0 if head in (b"MM\0*", b"II*\0", b"Exif") else 4 + int.from_bytes(head, "big")


def _boxes(content: bytes, at: int, end: int, budget: Budget) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of the payload and end of each box in a range."""
    while at + 8 <= end and budget.piece(at):
        size, kind, header = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8], 8
        if size == 1:
            size, header = int.from_bytes(content[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = end - at
        if size < header:
            budget.flaw("wrong-length", f"box {kind.decode('latin-1')}: its length is impossible", at)
            return
        if at + size > end:
            budget.flaw("wrong-length", f"box {kind.decode('latin-1')}: its length does not fit the file", at)
        yield kind, at + header, min(at + size, end)
        at += size


def _items(content: bytes, start: int, end: int, budget: Budget) -> list[Block]:
    kinds: dict[int, Carrier] = {}
    extents: dict[int, tuple[int, int, int]] = {}
    data_start = 0
    for kind, at, stop in _boxes(content, start, end, budget):
        match kind:
            case b"iinf":
                kinds = _kinds(content, at, stop, budget)
            case b"iloc":
                extents = _extents(content, at, stop, budget)
            case b"idat":
                data_start = at
    found = []
    for item, carrier in kinds.items():
        if item not in extents:
            budget.flaw("wrong-length", f"{carrier} item {item}: it has no place in the file", start)
            continue
        method, first, length = extents[item]
        first += data_start if method == 1 else 0
        if method > 1 or first >= len(content) or first + length > len(content):
            budget.flaw("wrong-length", f"{carrier} item {item}: its place does not fit the file", start)
            continue
        last = first + length if length else len(content)
        if carrier is Carrier.EXIF:
            found.append(_exif(content, "Exif item", first, last, budget))
        else:
            found.append(_block(carrier, "XMP item", content, first, last, budget))
    return found


def _kinds(content: bytes, at: int, end: int, budget: Budget) -> dict[int, Carrier]:
    version = content[at]
    found: dict[int, Carrier] = {}
    for kind, start, stop in _boxes(content, at + (6 if version == 0 else 8), end, budget):
        if kind != b"infe" or start >= stop or content[start] < 2 or len(found) >= _MAX_ITEMS:
            continue
        width = 2 if content[start] == 2 else 4
        item = int.from_bytes(content[start + 4 : start + 4 + width], "big")
        entry = content[start + 6 + width : min(stop, start + 6 + width + 512)]
        match entry[:4]:
            case b"Exif":
                found[item] = Carrier.EXIF
            case b"mime" if b"application/rdf+xml" in entry:
                found[item] = Carrier.XMP
    return found


def _extents(content: bytes, at: int, end: int, budget: Budget) -> dict[int, tuple[int, int, int]]:
    """Item → construction method, offset and length of its first extent."""
    version, sizes = content[at], content[at + 4 : at + 6]
    if version > 2 or len(sizes) < 2:
        budget.flaw("wrong-length", "iloc box: unknown version or cut", at)
        return {}
    offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_size = sizes[1] & 15 if version else 0
    id_size = 4 if version == 2 else 2
    at += 6

    def number(size: int) -> int:
        nonlocal at
        value = int.from_bytes(content[at : min(at + size, end)], "big")
        at += size
        return value

    found: dict[int, tuple[int, int, int]] = {}
    for _ in range(min(number(id_size), _MAX_ITEMS)):
        if at >= end:
            budget.flaw("wrong-length", "iloc box: it is cut", at)
            break
        item = number(id_size)
        method = number(2) & 15 if version else 0
        number(2)  # data reference
        base = number(base_size)
        count = number(2)
        for index in range(count):
            if at >= end:
                break
            number(index_size)
            offset, length = number(offset_size), number(length_size)
            if index == 0:
                found[item] = (method, base + offset, length)
    return found


def _brotli(content: bytes, start: int, end: int, budget: Budget) -> list[Block]:
    kind = content[start : start + 4]
    if kind not in (b"Exif", b"xml "):
        return []
    try:
        import brotli
    except ImportError:
        budget.flaw("unread-compression", f"JPEG XL {kind.decode()}: Brotli, and the module `brotli` is missing", start)
        return []
    room, parts, total = min(budget.inflated, MAX_BLOCK), [], 0
    stream = brotli.Decompressor()
    try:
        for at in range(start + 4, end, 4_096):  # small steps: each call may give thousandfold
            part = stream.process(content[at : min(at + 4_096, end)], output_buffer_limit=room - total + 1)
            parts.append(part)
            total += len(part)
            if total > room:
                budget.flaw(
                    "compression-bomb", f"JPEG XL {kind.decode()}: it inflates to more than {room:,} bytes", start
                )
                break
    except (brotli.error, TypeError) as error:
        budget.flaw("broken-compression", f"JPEG XL {kind.decode()}: {error}", start)
    plain = b"".join(parts)[:room]
    budget.inflated -= len(plain)
    if kind == b"Exif":
        exif = plain[_to_header(plain[:4]) :]
        return [Block(carrier=Carrier.EXIF, place="brob box", content=exif, offset=start, stored=False)]
    return [Block(carrier=Carrier.XMP, place="brob box", content=plain, offset=start, stored=False)]
