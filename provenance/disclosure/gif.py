"""Reading a GIF file's extensions: comments and XMP. Source: GIF89a sections 24 and 26; Adobe XMP part 3, GIF."""

from assay.provenance.disclosure.block import Block, Budget, Carrier

_MAGIC_TRAILER = 257  # bytes behind an XMP packet that let old readers skip it


def blocks(content: bytes, budget: Budget) -> list[Block]:
    """The comment and XMP extensions, in file order."""
    found: list[Block] = []
    at = 13 + (3 << ((content[10] & 7) + 1) if len(content) > 10 and content[10] & 0x80 else 0)
    while at < len(content) and budget.piece(at):
        match content[at]:
            case 0x3B:
                return found
            case 0x21 if content[at + 1 : at + 2] == b"\xfe":
                text, at_next = _sub_blocks(content, at + 2)
                place = "GIF comment"
                found.append(Block(carrier=Carrier.COMMENT, place=place, content=text, offset=at + 2, stored=False))
                at = at_next
            case 0x21 if content[at + 1 : at + 14] == b"\xff\x0bXMP DataXMP":
                start = at + 14
                end = _skip(content, start)
                packet = budget.cut(content[start : max(start, end - _MAGIC_TRAILER - 1)], "GIF XMP", start)
                found.append(Block(carrier=Carrier.XMP, place="GIF XMP", content=packet, offset=start))
                at = end
            case 0x21:
                at = _skip(content, at + 2)
            case 0x2C if at + 10 <= len(content):
                flags = content[at + 9]
                at = _skip(content, at + 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0))
            case _:
                budget.flaw("stray-bytes", "bytes between GIF blocks that are no block", at)
                return found
    budget.flaw("truncated", "the GIF file has no end", len(content))
    return found


def _skip(content: bytes, at: int) -> int:
    """The offset behind a chain of sub-blocks."""
    while at < len(content) and content[at]:
        at += 1 + content[at]
    return at + 1


def _sub_blocks(content: bytes, at: int) -> tuple[bytes, int]:
    parts = []
    while at < len(content) and content[at]:
        parts.append(content[at + 1 : at + 1 + content[at]])
        at += 1 + content[at]
    return b"".join(parts), at + 1
