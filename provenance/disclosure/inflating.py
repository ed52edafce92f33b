"""Inflating compressed text under a budget, so that a small file cannot become a large one."""

import zlib

from assay.provenance.disclosure.block import MAX_BLOCK, Budget


def inflate(packed: bytes, budget: Budget, *, place: str, offset: int, bits: int = zlib.MAX_WBITS) -> bytes:
    """Return the inflated bytes, cut at the budget; broken streams give what could be read. `bits` as in zlib."""
    room = min(budget.inflated, MAX_BLOCK)
    stream = zlib.decompressobj(bits)
    try:
        plain = stream.decompress(packed, room + 1)
    except zlib.error as error:
        budget.flaw("broken-compression", f"{place}: the compressed text is broken: {error}", offset)
        return _salvage(packed, room, bits)
    if len(plain) > room:
        budget.flaw("compression-bomb", f"{place}: {len(packed):,} bytes inflate to more than {room:,}", offset)
        plain = plain[:room]
    elif not stream.eof:
        budget.flaw("truncated", f"{place}: the compressed text ends too early", offset)
    budget.inflated -= len(plain)
    return plain


def _salvage(packed: bytes, room: int, bits: int) -> bytes:
    """What comes before the break, in steps: zlib gives nothing back from a call that fails."""
    stream, parts, total = zlib.decompressobj(bits), [], 0
    for at in range(0, min(len(packed), 65_536), 64):
        try:
            part = stream.decompress(packed[at : at + 64], max(1, room - total))
        except zlib.error:
            break
        parts.append(part)
        total += len(part)
        if total >= room:
            break
    return b"".join(parts)
