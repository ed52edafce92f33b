"""Image files with metadata, made byte by byte for the tests."""

import io
import struct
import zlib

from PIL import Image

from assay.provenance.asset import Asset

IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
DST = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def picture(
    suffix: str = "png", *, size: tuple[int, int] = (32, 24), mode: str = "RGB", colour: object = None
) -> bytes:
    """A small picture without metadata."""
    buffer = io.BytesIO()
    Image.new(mode, size, colour or (120, 90, 60, 255)[: len(mode)]).save(
        buffer, {"jpg": "JPEG"}.get(suffix, suffix.upper())
    )
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes, base: bytes = b"", late: bool = False) -> bytes:
    """A PNG with chunks behind its header, or (late) before its end."""
    base = base or picture("png")
    at = len(base) - 12 if late else 33
    return base[:at] + b"".join(chunks) + base[at:]


def text(key: str, value: str, *, encoding: str = "latin-1") -> bytes:
    return chunk(b"tEXt", key.encode("latin-1") + b"\0" + value.encode(encoding))


def ztext(key: str, value: str) -> bytes:
    return chunk(b"zTXt", key.encode("latin-1") + b"\0\0" + zlib.compress(value.encode()))


def itext(key: str, value: str, *, packed: bool = False) -> bytes:
    content = zlib.compress(value.encode()) if packed else value.encode()
    return chunk(b"iTXt", key.encode("latin-1") + b"\0" + bytes([packed, 0]) + b"\0\0" + content)


def segment(marker: int, content: bytes) -> bytes:
    """A JPEG marker segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg(*segments: bytes, base: bytes = b"", tail: bytes = b"") -> bytes:
    """A JPEG with segments behind its SOI and bytes behind its EOI."""
    base = base or picture("jpg")
    return base[:2] + b"".join(segments) + base[2:] + tail


def xmp_segment(packet: str) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet.encode())


def exif_segment(exif: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + exif)


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP with RIFF chunks behind its picture."""
    body = picture("webp")[12:]
    for kind, content in chunks:
        body += kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) & 1)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def xmp(properties: str = "", *, attributes: str = "", namespaces: str = "") -> str:
    """An XMP packet around elements and attributes of one rdf:Description."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:iptcExt="{IPTC_EXT}" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" '
        'xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:exif="http://ns.adobe.com/exif/1.0/" {namespaces} {attributes}>{properties}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    )


def source_type(term: str) -> str:
    return xmp(f"<iptcExt:DigitalSourceType>{DST}{term}</iptcExt:DigitalSourceType>")


Value = str | bytes | int
_ASCII, _SHORT, _LONG, _UNDEFINED = 2, 3, 4, 7


def tiff(tags: dict[int, Value], *, exif: dict[int, Value] | None = None, order: str = "<", body: bytes = b"") -> bytes:
    """A TIFF structure: IFD0 and, where asked for, an Exif directory. Text is ASCII, bytes UNDEFINED, int LONG."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 42)
    tags = dict(tags)
    if exif is not None:
        tags[0x8769] = 0
    start = 8 + len(body)
    directory = _directory(tags, start, order)
    if exif is not None:
        tags[0x8769] = start + len(directory)
        directory = _directory(tags, start, order) + _directory(exif, start + len(directory), order)
    return head + struct.pack(f"{order}I", start) + body + directory


def _directory(tags: dict[int, Value], start: int, order: str) -> bytes:
    entries, values = b"", b""
    at = start + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        match value:
            case int():
                kind, raw, count = _LONG, struct.pack(f"{order}I", value), 1
            case str():
                raw = value.encode() + b"\0"
                kind, count = _ASCII, len(raw)
            case bytes():
                kind, raw, count = _UNDEFINED, value, len(value)
        if len(raw) <= 4:
            entries += struct.pack(f"{order}HHI", tag, kind, count) + raw.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}HHII", tag, kind, count, at + len(values))
            values += raw + b"\0" * (len(raw) & 1)
    return struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0) + values


def user_comment(value: str, *, big: bool = True) -> bytes:
    return b"UNICODE\0" + value.encode("utf-16-be" if big else "utf-16-le")


def iim(*datasets: tuple[int, str]) -> bytes:
    """A Photoshop APP13 segment with IIM datasets of record 2."""
    content = b"\x1c\x01\x5a\x00\x03\x1b%G"
    for number, value in datasets:
        raw = value.encode()
        content += bytes([0x1C, 2, number]) + struct.pack(">H", len(raw)) + raw
    content += b"\0" * (len(content) & 1)
    return segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(content)) + content)


def asset(content: bytes, name: str = "made") -> Asset:
    return Asset.from_bytes(content, name=name)
