"""Reading the named blocks that Samsung appends behind a JPEG picture (SEF trailer).

Source: layout as documented by ExifTool's Samsung tag tables (SEFH directory, SEFT footer), re-implemented.
"""

from assay.provenance.disclosure.block import MAX_VALUE, Block, Budget, Carrier

_MAX_ENTRIES = 256


def blocks(content: bytes, start: int, budget: Budget) -> list[Block]:
    """The blocks of a trailer that lies between `start` and the end of the file; binary ones are left out."""
    footer = content.rfind(b"SEFT", start)
    if footer < 0 or footer < start + 4:
        return []
    length = int.from_bytes(content[footer - 4 : footer], "little")
    directory = footer - 4 - length
    if directory < start or content[directory : directory + 4] != b"SEFH":
        budget.flaw("wrong-length", "Samsung trailer: its directory is not where it says", footer)
        return []
    count = int.from_bytes(content[directory + 8 : directory + 12], "little")
    found = []
    for index in range(min(count, _MAX_ENTRIES)):
        slot = directory + 12 + 12 * index
        if slot + 12 > footer:
            budget.flaw("wrong-length", "Samsung trailer: its directory is cut", directory)
            break
        back = int.from_bytes(content[slot + 4 : slot + 8], "little")
        size = int.from_bytes(content[slot + 8 : slot + 12], "little")
        at = directory - back
        name_size = int.from_bytes(content[at + 4 : at + 8], "little") if at >= start else 1 << 31
        if at < start or at + size > directory or 8 + name_size > size:
            budget.flaw("wrong-length", "Samsung trailer: a block lies outside it", slot)
            continue
        name = content[at + 8 : at + 8 + min(name_size, 128)].decode("latin-1").rstrip("\0")
        value_at = at + 8 + name_size
        value = content[value_at : at + min(size, MAX_VALUE)]
        if value[:1] in (b"{", b"["):
            found.append(Block(carrier=Carrier.SEF, place="Samsung trailer", content=value, offset=value_at, key=name))
    return found
