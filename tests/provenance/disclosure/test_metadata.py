"""What is read from sound files: every carrier, its offsets, and the JPEG structure that other signals build on."""

import io

import pytest
from metadata_files import (
    DST,
    asset,
    chunk,
    exif_segment,
    iim,
    jpeg,
    picture,
    png,
    segment,
    source_type,
    tiff,
    xmp,
    xmp_segment,
)
from PIL import Image

from assay.provenance.disclosure.block import Carrier
from assay.provenance.disclosure.metadata import Metadata

PACKET = source_type("trainedAlgorithmicMedia")
FOUND = "XMP Iptc4xmpExt:DigitalSourceType"


def metadata(content: bytes) -> Metadata:
    return Metadata.of(asset(content))


def paths(content: bytes) -> set[str]:
    return {field.path for field in metadata(content).fields}


def saved(kind: str, **more) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(buffer, kind, **more)
    return buffer.getvalue()


def exif_of(**tags: str) -> bytes:
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[{"Software": 0x0131, "Make": 0x010F}[tag]] = value
    return exif.tobytes()


def test_heic():
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    content = saved("HEIF", exif=exif_of(Software="DALL-E"), xmp=PACKET.encode())
    made = metadata(content)
    assert {FOUND, "EXIF Software"} <= {field.path for field in made.fields}
    assert made.flaws == ()
    offset = next(field.offset for field in made.fields if field.path == FOUND)
    assert content[offset:].startswith(b"<iptcExt:DigitalSourceType")


@pytest.mark.parametrize("packed", [False, True])
def test_jpeg_xl(packed):
    pytest.importorskip("pillow_jxl")
    content = saved("JXL", exif=exif_of(Software="DALL-E"), xmp=PACKET.encode(), compress_metadata=packed)
    if packed:
        pytest.importorskip("brotli")
    assert {FOUND, "EXIF Software"} <= paths(content)


def test_gif():
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    extension = b"\x21\xff\x0bXMP DataXMP" + PACKET.encode() + trailer
    comment = b"\x21\xfe\x05hello\0"
    content = picture("gif")[:-1] + extension + comment + b"\x3b"
    assert {FOUND, "COM"} <= paths(content)
    assert metadata(content).flaws == ()


def test_svg():
    rdf = (
        '<rdf:Description rdf:about=""><i:DigitalSourceType>'
        + DST
        + "digitalCreation</i:DigitalSourceType></rdf:Description>"
    )
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><title>x</title>'
        f"<metadata><rdf:RDF>{rdf}</rdf:RDF></metadata></svg>"
    )
    assert paths(svg.encode()) == {FOUND}
    assert FOUND in paths(b"<svg>" + PACKET.encode() + b"</svg>")
    assert paths(b"<svg><title>trainedAlgorithmicMedia</title></svg>") == set()


def test_imagemagick_profiles_in_png():
    exif = b"Exif\0\0" + tiff({0x0131: "DALL-E"})
    profile = f"\nexif\n    {len(exif)}\n{exif.hex()}\n"
    content = png(chunk(b"tEXt", b"Raw profile type exif\0" + profile.encode()))
    assert "EXIF Software" in paths(content)


def test_second_pictures_do_not_speak_for_the_first():
    second = jpeg(xmp_segment(PACKET), exif_segment(tiff({0x0131: "DALL-E"})))
    made = metadata(jpeg(tail=second))
    assert [picture.complete for picture in made.pictures] == [True, True]
    assert {field.path for field in made.fields} == {FOUND, "EXIF Software"}
    assert not any(field.primary for field in made.fields)
    assert made.exif is None


def test_thumbnails_fields_are_named_as_such():
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    Image.new("RGB", (32, 32)).save(buffer, "JPEG", exif=exif)
    made = metadata(buffer.getvalue())
    assert made.exif.text("Make", "IFD0") == "Maker"
    assert made.exif.thumbnail == b""


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    ("quality", "sampling", "factors"), [(75, "4:2:0", (2, 2)), (95, "4:4:4", (1, 1)), (90, "4:2:2", (2, 1))]
)
def test_jpeg_structure(quality, sampling, factors, progressive):
    buffer = io.BytesIO()
    image = Image.effect_noise((160, 120), 60).convert("RGB")
    image.save(buffer, "JPEG", quality=quality, subsampling=sampling, progressive=progressive)
    (made,) = metadata(buffer.getvalue()).pictures
    reference = Image.open(buffer).quantization
    assert {table.slot: list(table.values) for table in made.tables} == {
        slot: _stored(values) for slot, values in reference.items()
    }
    assert (made.frame.width, made.frame.height, made.frame.precision) == (160, 120, 8)
    assert (made.frame.components[0].horizontal, made.frame.components[0].vertical) == factors
    assert made.frame.marker == (0xC2 if progressive else 0xC0)
    assert made.scans > 1 if progressive else made.scans == 1
    assert made.complete
    assert made.end == len(buffer.getvalue())


def _stored(natural: list[int]) -> list[int]:
    """Pillow gives natural order; files store zigzag order."""
    order = sorted(range(64), key=lambda i: (i // 8 + i % 8, i % 8 if (i // 8 + i % 8) % 2 == 0 else i // 8))
    return [natural[i] for i in order]


def test_restart_markers_are_stepped_over():
    buffer = io.BytesIO()
    Image.effect_noise((200, 160), 60).save(buffer, "JPEG", restart_marker_rows=1)
    (made,) = metadata(buffer.getvalue()).pictures
    assert made.restart_interval > 0
    assert made.complete


def test_segments_have_their_offsets():
    content = jpeg(segment(0xFE, b"hello"), iim((110, "Credit")))
    for part in metadata(content).pictures[0].segments:
        assert content[part.offset : part.offset + 2] == bytes([0xFF, part.marker])
    credit = metadata(content).named(Carrier.IIM, "2:110 Credit")[0]
    assert content[credit.offset :].startswith(b"Credit")


def test_structures_are_named_by_their_path():
    history = (
        "<xmpMM:History><rdf:Seq><rdf:li rdf:parseType='Resource'><stEvt:softwareAgent>Photoshop</stEvt:softwareAgent></rdf:li>"
        "<rdf:li stEvt:softwareAgent='Camera Raw'/></rdf:Seq></xmpMM:History>"
    )
    made = metadata(jpeg(xmp_segment(xmp(history))))
    assert [field.value for field in made.fields] == ["Photoshop", "Camera Raw"]
    assert {field.name for field in made.fields} == {"xmpMM:History/stEvt:softwareAgent"}


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_in_both_byte_orders(order):
    made = metadata(jpeg(exif_segment(tiff({0x0131: "Editor", 0x0112: 6}, order=order))))
    assert made.exif.text("Software") == "Editor"
    assert made.exif.number("Orientation") == 6


def test_reading_happens_once():
    made = metadata(jpeg(xmp_segment(PACKET)))
    assert made.fields is made.fields
    assert made.pictures is made.pictures
