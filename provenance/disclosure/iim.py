"""Reading IPTC-IIM datasets, bare or within Photoshop image resources. Source: IPTC-IIM 4.2; Adobe Photoshop file formats."""

from assay.provenance.disclosure.block import MAX_FIELDS, MAX_VALUE, Block, Budget, Carrier, Field

NAMES = {
    5: "ObjectName",
    15: "Category",
    25: "Keywords",
    40: "SpecialInstructions",
    65: "OriginatingProgram",
    70: "ProgramVersion",
    80: "By-line",
    105: "Headline",
    110: "Credit",
    115: "Source",
    116: "CopyrightNotice",
    120: "Caption-Abstract",
    122: "Writer-Editor",
}
_IIM_RESOURCE = 0x0404
_MAX_DATASETS = 4_096


def resources(block: Block, budget: Budget) -> dict[int, tuple[int, bytes]]:
    """Photoshop image resources: identifier → offset within the block and content."""
    content, at = block.content, 0
    found: dict[int, tuple[int, bytes]] = {}
    while at + 12 <= len(content) and len(found) < _MAX_DATASETS:
        if content[at : at + 4] not in (b"8BIM", b"8B64", b"PHUT", b"DCSR", b"AgHg", b"MeSa"):
            if content[at:].strip(b"\0"):
                budget.flaw("malformed-iim", f"{block.place}: bytes that are no image resource", block.offset + at)
            break
        identifier = int.from_bytes(content[at + 4 : at + 6], "big")
        name = content[at + 6]
        at += 6 + name + 1 + (1 - name % 2)  # the name is padded so that it takes an even number of bytes
        size = int.from_bytes(content[at : at + 4], "big")
        at += 4
        if at + size > len(content):
            budget.flaw("wrong-length", f"{block.place}: an image resource does not fit", block.offset + at)
        found.setdefault(identifier, (at, content[at : at + size]))
        at += size + (size & 1)
    return found


def fields(block: Block, budget: Budget) -> list[Field]:
    """The datasets of records 1 and 2 as fields, named "2:110 Credit"."""
    content, base = block.content, block.offset
    if block.carrier is Carrier.RESOURCES:
        at, content = resources(block, budget).get(_IIM_RESOURCE, (0, b""))
        base += at
    found: list[Field] = []
    encoding, at = "", 0
    while at + 5 <= len(content) and len(found) < _MAX_DATASETS:
        if content[at] != 0x1C:
            if content[at:].strip(b"\0"):
                budget.flaw("malformed-iim", f"{block.place}: bytes that are no IIM dataset", base + at)
            break
        record, dataset = content[at + 1], content[at + 2]
        size = int.from_bytes(content[at + 3 : at + 5], "big")
        start = at + 5
        if size & 0x8000:  # extended: the length of the length
            width = size & 0x7FFF
            size = int.from_bytes(content[start : start + min(width, 8)], "big")
            start += width
        if start + size > len(content):
            budget.flaw("wrong-length", f"{block.place}: IIM dataset {record}:{dataset} does not fit", base + at)
        raw = content[start : start + min(size, MAX_VALUE)]
        if (record, dataset) == (1, 90):
            encoding = "utf-8" if raw == b"\x1b%G" else ""
        elif record == 2 and dataset != 0:
            budget.fields -= 1
            if budget.fields < 0:
                budget.flaw(
                    "too-many-pieces", f"{block.place}: the file has more than {MAX_FIELDS:,} datasets", base + at
                )
                break
            label = f"2:{dataset} {NAMES[dataset]}" if dataset in NAMES else f"2:{dataset}"
            found.append(
                Field(Carrier.IIM, label, _text(raw, encoding), base + start if block.stored else None, block.primary)
            )
        at = start + size
    return found


def _text(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace") if encoding == "utf-8" else raw.decode("latin-1")
