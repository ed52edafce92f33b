"""Making strings from files harmless before anybody reads them.

Rules: every string that comes out of a file is hostile; presenters pass it through `plain` (one line) or `plain_block`
(several) and then through their own format's escaping (HTML, CSV, JSON).
"""

import unicodedata

# Bidirectional controls reorder what follows them; the rest of the categories are invisible or drive a terminal.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_HARMLESS_FORMAT = frozenset({"\u200c", "\u200d"})  # joiners that Persian, Hindi and emoji need


def plain(text: str, *, limit: int = 300) -> str:
    """Return `text` on one line, controls and invisible characters shown as `\\u{…}`, at most `limit` characters."""
    shown = "".join(_visible(character) for character in text[: limit + 1])
    return shown if len(text) <= limit and len(shown) <= limit * 8 else shown[:limit] + "…"


def plain_block(text: str, *, limit: int = 20_000) -> str:
    """Like `plain`, but line breaks and tabs stay."""
    lines = text[:limit].splitlines()
    return "\n".join(plain(line.replace("\t", "    "), limit=limit) for line in lines)


def _visible(character: str) -> str:
    if unicodedata.category(character) in _INVISIBLE and character not in _HARMLESS_FORMAT:
        return f"\\u{{{ord(character):x}}}"
    return character
