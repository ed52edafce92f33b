"""The name of an ICC colour profile.

Rules: nothing but the description tag is read; every offset is checked; any bytes give a string. Source: ICC.1:2022,
7.2–7.3 (header, tag table), 10.15 (multiLocalizedUnicodeType); ICC.1:2001-04, 6.5.17 (textDescriptionType).
"""

_MAX_TAGS = 128
_MAX_NAME = 200


def description(content: bytes) -> str:
    """The profile's description, empty where there is none to read."""
    if content[36:40] != b"acsp":
        return ""
    count = min(int.from_bytes(content[128:132], "big"), _MAX_TAGS)
    for at in range(132, 132 + 12 * count, 12):
        if content[at : at + 4] == b"desc":
            start, size = (int.from_bytes(content[at + i : at + i + 4], "big") for i in (4, 8))
            return _text(content[start : start + size])
    return ""


def _text(tag: bytes) -> str:
    if tag[:4] == b"desc":
        length = min(int.from_bytes(tag[8:12], "big"), _MAX_NAME)
        return tag[12 : 12 + length].rstrip(b"\0").decode("ascii", "replace")
    if tag[:4] == b"mluc" and len(tag) >= 28:  # the first language
        length, start = int.from_bytes(tag[20:24], "big"), int.from_bytes(tag[24:28], "big")
        return tag[start : start + min(length, 2 * _MAX_NAME)].decode("utf-16-be", "replace").rstrip("\0")
    return ""
