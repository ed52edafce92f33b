"""Reading a WebP file's RIFF chunks, also those behind the declared end. Source: WebP container specification."""

from assay.provenance.disclosure.block import MAX_BLOCK, Block, Budget, Carrier

_CARRIERS = {b"EXIF": Carrier.EXIF, b"XMP ": Carrier.XMP, b"ICCP": Carrier.ICC}


def blocks(content: bytes, budget: Budget) -> list[Block]:
    """The metadata blocks, in file order."""
    found: list[Block] = []
    declared = int.from_bytes(content[4:8], "little") + 8
    if declared > len(content):
        budget.flaw("truncated", f"WebP: {len(content):,} of {declared:,} bytes are there", len(content))
    at = 12
    while at + 8 <= len(content) and budget.piece(at):
        kind, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        start = at + 8
        if not all(32 <= byte < 127 for byte in kind):
            budget.flaw("stray-bytes", "bytes behind the WebP chunks that are no chunk", at)
            break
        if start + length > len(content):
            budget.flaw("wrong-length", f"WebP {kind.decode()}: its length does not fit the file", at)
        if carrier := _CARRIERS.get(kind):
            place = f"WebP {kind.decode().strip()}"
            chunk = budget.cut(content[start : start + min(length, MAX_BLOCK + 1)], place, start)
            found.append(Block(carrier=carrier, place=place, content=chunk, offset=start))
        at = start + length + (length & 1)
    return found
