"""Telling an image's format by its content, never by its name.

Rules: pure and total: any bytes give a `MediaType` or None, without parsing more than the first few boxes.
"""

from enum import StrEnum


class MediaType(StrEnum):
    """The image formats that assay reads; the value is the IANA media type (DNG: the de-facto one)."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    GIF = "image/gif"
    TIFF = "image/tiff"
    DNG = "image/x-adobe-dng"
    AVIF = "image/avif"
    HEIC = "image/heic"
    HEIF = "image/heif"
    JXL = "image/jxl"
    SVG = "image/svg+xml"
    BMP = "image/bmp"

    @property
    def suffix(self) -> str:
        """The customary file ending, with its dot."""
        return _SUFFIXES[self]


_SUFFIXES = {
    MediaType.JPEG: ".jpg",
    MediaType.PNG: ".png",
    MediaType.WEBP: ".webp",
    MediaType.GIF: ".gif",
    MediaType.TIFF: ".tif",
    MediaType.DNG: ".dng",
    MediaType.AVIF: ".avif",
    MediaType.HEIC: ".heic",
    MediaType.HEIF: ".heif",
    MediaType.JXL: ".jxl",
    MediaType.SVG: ".svg",
    MediaType.BMP: ".bmp",
}

_DNG_VERSION = b"\xc6\x12"  # tag 50706, big-endian
_OTHER = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"%!PS", "PostScript"),
    (b"8BPS", "a Photoshop document"),
    (b"\x7fELF", "a program"),
    (b"<!DOCTYPE html", "a web page"),
    (b"<html", "a web page"),
)


def sniff(content: bytes) -> MediaType | None:
    """Return the format of `content`, or None where it is no image format that assay reads."""
    head = content[:64]
    match head[:4]:
        case b"\x89PNG" if head[:8] == b"\x89PNG\r\n\x1a\n":
            return MediaType.PNG
        case b"RIFF" if head[8:12] == b"WEBP":
            return MediaType.WEBP
        case b"GIF8" if head[4:6] in (b"7a", b"9a"):
            return MediaType.GIF
        case b"II*\0" | b"MM\0*":
            return MediaType.DNG if _has_dng_version(content) else MediaType.TIFF
        case b"\0\0\0\x0c" if head[4:12] == b"JXL \r\n\x87\n":
            return MediaType.JXL
    if head[:3] == b"\xff\xd8\xff":
        return MediaType.JPEG
    if head[:2] == b"\xff\x0a":
        return MediaType.JXL
    if head[4:8] == b"ftyp":
        return _isobmff(content)
    if (
        head[:2] == b"BM"
        and len(content) >= 26
        and content[14:18] in (b"\x0c\0\0\0", b"\x28\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0")
    ):
        return MediaType.BMP
    return MediaType.SVG if _is_svg(content) else None


def describe(content: bytes) -> str:
    """Name what `content` is, where it is something common that is no image; else an empty string."""
    if not content:
        return "empty"
    for magic, what in _OTHER:
        if content[: len(magic)].lower() == magic.lower():
            return what
    if content[4:8] == b"ftyp":
        return "a video or audio file"
    sample = content[:512]
    if all(byte in b"\t\n\r" or byte >= 32 for byte in sample):
        return "text"
    return ""


def _isobmff(content: bytes) -> MediaType | None:
    size = min(int.from_bytes(content[:4], "big"), 256, len(content))
    brands = {content[8:12], *(content[at : at + 4] for at in range(16, size - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return MediaType.AVIF
    if brands & {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"}:
        return MediaType.HEIC
    return MediaType.HEIF if brands & {b"mif1", b"msf1", b"mif2"} else None


def _has_dng_version(content: bytes) -> bool:
    """Look for the DNGVersion tag among the entries of the first image directory."""
    order = "little" if content[:2] == b"II" else "big"
    start = int.from_bytes(content[4:8], order)  # type: ignore[arg-type]
    count = int.from_bytes(content[start : start + 2], order)  # type: ignore[arg-type]
    tag = _DNG_VERSION if order == "big" else _DNG_VERSION[::-1]
    return any(content[at : at + 2] == tag for at in range(start + 2, start + 2 + 12 * min(count, 512), 12))


def _is_svg(content: bytes) -> bool:
    text = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return text.startswith((b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in content[:65536]
