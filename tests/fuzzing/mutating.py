"""Seeds that the tests make, and mutators that know lengths, chunks, checksums and boxes within boxes."""

import random
import struct
import zlib
from functools import lru_cache

import custody_assets as made
from PIL import Image, PngImagePlugin

from assay.provenance.jumbf.boxes import boxes

HOSTILE = (
    b"<script>alert(1)</script>", b"\x1b]0;title\x07\x1b[2J", "\u202eexe.gpj".encode(), b"=HYPERLINK(\"x\")",
    b"{{7*7}}{% raw %}", b"</main></article>", b"\r\nX: y", b"'\"><img src=x onerror=1>", b"\0", b"%s%n", b"]]>", b"[bold]x[/]",
)  # fmt: skip
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" e:DigitalSourceType="HOLE"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


@lru_cache(maxsize=1)
def seeds() -> tuple[bytes, ...]:
    """Small files of every format, signed and not, with metadata of every kind."""
    picture = made.picture((40, 30))
    signer = made.leaf(made.authority())
    found = [made.encoded(picture, fmt) for fmt in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")]
    found += [
        made.sign(content, made.created(), signer, media_type=kind).content
        for content, kind in zip(found[:5], ("jpeg", "png", "webp", "gif", "tiff"), strict=True)
        for kind in (f"image/{kind}",)
    ]
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "masterpiece\nSteps: 20, Sampler: Euler a", zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
    text.add_text("prompt", '{"1": {"class_type": "KSampler"}}')
    found.append(made.encoded(picture, "PNG", pnginfo=text))
    exif = Image.Exif()
    exif[0x010F], exif[0x0131], exif[0x010E] = "Maker", "HOLE", "HOLE"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0comment"
    found += [made.encoded(picture, fmt, exif=exif, xmp=XMP) for fmt in ("JPEG", "WEBP")]
    found.append(made.SVG)
    found.append(made.sign(found[0], made.opened(), signer, ingredients=(made.parent(found[7]),)).store)
    return tuple(found)


def mutated(rng: random.Random, content: bytes) -> bytes:
    """A few mutations of one kind or another; PNG checksums are often put right, so that what lies behind them is reached."""
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        content = _MUTATORS[rng.randrange(len(_MUTATORS))](rng, content or b"\0")
    return _checksummed(content) if content[:4] == b"\x89PNG" and rng.random() < 0.7 else content


def _flip(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]


def _number(rng: random.Random, content: bytes) -> bytes:
    at, form = rng.randrange(len(content)), rng.choice((">I", "<I", ">H", "<H", ">Q", "B"))
    most = 2 ** (8 * struct.calcsize(form)) - 1
    value = struct.pack(
        form, min(most, rng.choice((0, 1, 2, 7, 8, 12, 255, 65_535, 2**31 - 1, 2**32 - 1, len(content))))
    )
    return content[:at] + value + content[at + len(value) :]


def _cut(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + content[at + rng.choice((1, 2, 4, 16, 256, len(content))) :]


def _double(rng: random.Random, content: bytes) -> bytes:
    at, size = rng.randrange(len(content)), rng.choice((4, 12, 64, 512))
    return content[: at + size] + content[at : at + size] * rng.choice((1, 2, 40)) + content[at + size :]


def _splice(rng: random.Random, content: bytes) -> bytes:
    other = rng.choice(seeds())
    return content[: rng.randrange(len(content))] + other[rng.randrange(len(other)) :]


def _text(rng: random.Random, content: bytes) -> bytes:
    hostile = rng.choice(HOSTILE)
    if b"HOLE" in content and rng.random() < 0.7:
        return content.replace(b"HOLE", hostile, 1)
    at = rng.randrange(len(content))
    return content[:at] + hostile + content[at + rng.choice((0, len(hostile))) :]


def _boxed(rng: random.Random, content: bytes) -> bytes:
    """Change one box of a store (or of a HEIF file) and put the lengths of all that hold it right, so that what reads the
    changed content is reached; elsewhere the same as `_flip`. A store in a PNG file stays in its chunk."""
    at = content.find(b"caBX")
    if content[:4] == b"\x89PNG" and at > 4:
        size = int.from_bytes(content[at - 4 : at], "big")
        store = _rebuilt(rng, content[at + 4 : at + 4 + size])
        chunk = b"caBX" + store
        checksum = zlib.crc32(chunk).to_bytes(4, "big")
        return content[: at - 4] + len(store).to_bytes(4, "big") + chunk + checksum + content[at + 8 + size :]
    return _rebuilt(rng, content) if content[4:8] in (b"jumb", b"ftyp") else _flip(rng, content)


def _rebuilt(rng: random.Random, content: bytes, depth: int = 0) -> bytes:
    found = list(boxes(content, 0, len(content)))
    if not found:
        return content
    chosen = rng.choice(found)
    inside = content[chosen.start : chosen.end]
    if chosen.kind in _HOLDING and depth < 12 and rng.random() < 0.85:
        skip = 4 if chosen.kind == b"meta" else 0
        parts = [_box(chosen.kind, inside[:skip] + _rebuilt(rng, inside[skip:], depth + 1))]
    else:
        other = rng.choice(found)
        parts = rng.choice(
            (
                [],
                [_box(chosen.kind, inside)] * rng.choice((2, 3, 40)),
                [_box(chosen.kind, content[other.start : other.end])],
                [_box(rng.choice((b"jumb", b"jumd", b"cbor", b"json", b"free", chosen.kind)), inside)],
                [_box(b"jumb", _box(chosen.kind, inside))],
                *[[_box(chosen.kind, rng.choice((_flip, _number, _cut, _double, _text))(rng, inside or b"\0"))]] * 4,
            )
        )
    return content[: chosen.offset] + b"".join(parts) + content[chosen.end :]


def _box(kind: bytes, inside: bytes) -> bytes:
    return (8 + len(inside)).to_bytes(4, "big") + kind + inside


_HOLDING = (b"jumb", b"meta", b"iprp", b"ipco", b"iref", b"iinf", b"moov", b"trak", b"mdia", b"minf", b"stbl")
_MUTATORS = (_flip, _flip, _number, _number, _cut, _double, _splice, _text, _boxed, _boxed, _boxed)


def _checksummed(content: bytes) -> bytes:
    at, parts = 8, [content[:8]]
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if at + 12 + size > len(content):
            break
        chunk = content[at + 4 : at + 8 + size]
        parts += [content[at : at + 4], chunk, zlib.crc32(chunk).to_bytes(4, "big")]
        at += 12 + size
    return b"".join(parts) + content[at:]
