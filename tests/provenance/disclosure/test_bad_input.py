"""Hostile and broken metadata: findings, bounded in time and memory, and never an exception."""

import gc
import io
import struct
import time
import tracemalloc
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metadata_files import (
    asset,
    chunk,
    exif_segment,
    iim,
    itext,
    jpeg,
    picture,
    png,
    segment,
    source_type,
    text,
    tiff,
    user_comment,
    webp,
    xmp,
    xmp_segment,
    ztext,
)
from PIL import Image

from assay.detectors.evidence import Silence
from assay.detectors.signals import REGISTRY
from assay.detectors.signals.metadata_structure import MetadataStructure
from assay.detectors.subject import Subject
from assay.provenance.asset import Asset
from assay.provenance.disclosure.metadata import Metadata
from assay.provenance.errors import AssayError
from assay.provenance.media_type import MediaType, sniff

PACKET = source_type("trainedAlgorithmicMedia")
METADATA_SIGNALS = [
    entry
    for entry in REGISTRY
    if entry.target.split(":")[0] in ("ruled", "metadata_structure") or entry.name.startswith("declaration-")
]


def flaws(content: bytes) -> set[str]:
    return {flaw.code for flaw in Metadata.of(asset(content)).flaws}


def bounded(content: bytes, *, seconds: float = 5, megabytes: float = 160) -> set[str]:
    """The flaws, with time and memory (beyond the file itself) under a bound."""
    made = asset(content)
    gc.collect()
    tracemalloc.start()
    started = time.process_time()
    try:
        found = {flaw.code for flaw in Metadata.of(made).flaws}
        assert time.process_time() - started < seconds * 4  # tracing memory slows everything down
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1_000_000
    finally:
        tracemalloc.stop()
    return found


def laughs() -> str:
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(9)
    )
    return f"<?xml version='1.0'?><!DOCTYPE x [{entities}]>" + PACKET.split("?>", 1)[1].replace(
        "<rdf:RDF", "&j;<rdf:RDF"
    )


EXTERNAL = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + xmp("<dc:title>&e;</dc:title>").split("?>", 1)[1]
PARAMETER = (
    '<!DOCTYPE x [<!ENTITY % e SYSTEM "http://localhost/x">%e;]>' + xmp("<dc:title>x</dc:title>").split("?>", 1)[1]
)


@pytest.mark.parametrize("packet", [laughs(), EXTERNAL, PARAMETER], ids=["bomb", "external", "parameter"])
def test_entities_are_refused(packet):
    made = Metadata.of(asset(jpeg(xmp_segment(packet))))
    assert "xml-entities" in {flaw.code for flaw in made.flaws}
    assert not any("root:" in field.value for field in made.fields)


def test_a_hundred_megabytes_of_xmp():
    filler = "<dc:title>" + "a lighthouse in the fog " * 4_400_000 + "</dc:title>"
    packet = xmp(filler).encode()
    assert len(packet) > 100_000_000
    content = png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))
    del packet, filler
    assert "metadata-too-large" in bounded(content)


def test_a_million_properties():
    packet = xmp("".join(f"<dc:p{i}>x</dc:p{i}>" for i in range(100_000)))
    assert "too-many-pieces" in bounded(png(itext("XML:com.adobe.xmp", packet)))


def test_deep_nesting():
    packet = xmp("<dc:a><rdf:Description>" * 5_000)
    assert "too-many-pieces" in bounded(png(itext("XML:com.adobe.xmp", packet)))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_deflate_bombs(kind):
    bomb = zlib.compress(b"\0" * 100_000_000, 9)
    head = b"prompt\0\0" if kind == b"zTXt" else b"XML:com.adobe.xmp\0\1\0\0\0"
    assert "compression-bomb" in bounded(png(chunk(kind, head + bomb)))


def test_many_small_bombs_share_one_budget():
    bomb = zlib.compress(b"a" * 8_000_000, 9)
    assert "compression-bomb" in bounded(png(*[chunk(b"zTXt", b"k%d\0\0" % i + bomb) for i in range(60)]))


def test_brotli_bomb():
    brotli = pytest.importorskip("brotli")
    packed = brotli.compress(b"\0" * 40_000_000, quality=2)
    box = struct.pack(">I", 12 + len(packed)) + b"brob" + b"xml " + packed
    container = b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x14ftypjxl \0\0\0\0jxl "
    assert "compression-bomb" in bounded(container + box)


BROKEN = {
    "truncated-jpeg": (jpeg(xmp_segment(PACKET))[:400], "truncated"),
    "jpeg-length": (jpeg(b"\xff\xe1\xff\xffhttp://"), "wrong-length"),
    "jpeg-zero-length": (jpeg(b"\xff\xe1\x00\x00"), "wrong-length"),
    "jpeg-stray": (jpeg(segment(0xEF, b"") + b"stray"), "stray-bytes"),
    "png-cut": (png(text("parameters", "x" * 50))[:70], "wrong-length"),
    "png-length": (png(b"\x7f\xff\xff\xfftEXtprompt\0x"), "wrong-length"),
    "png-checksum": (png(text("prompt", "x")[:-1] + b"\0"), "wrong-checksum"),
    "png-no-keyword": (png(chunk(b"tEXt", b"\0value")), "malformed-text"),
    "png-long-keyword": (png(chunk(b"tEXt", b"k" * 200 + b"\0value")), "malformed-text"),
    "png-broken-deflate": (png(chunk(b"zTXt", b"prompt\0\0" + b"\x78\x9c" + b"\xff" * 30)), "broken-compression"),
    "png-cut-deflate": (png(chunk(b"zTXt", b"prompt\0\0" + zlib.compress(b"hello" * 500)[:-9])), "truncated"),
    "png-raw-profile": (png(text("Raw profile type exif", "\nexif\n  12\nzz")), "malformed-text"),
    "webp-length": (webp((b"XMP ", PACKET.encode()))[:-40], "wrong-length"),
    "gif-no-end": (picture("gif")[:-1], "truncated"),
    "gif-stray": (picture("gif")[:-1] + b"zzzz", "stray-bytes"),
    "exif-head": (jpeg(exif_segment(b"XX*\0\0\0\0\x08")), "malformed-exif"),
    "exif-outside": (jpeg(exif_segment(b"II*\0\xff\xff\xff\x7f")), "malformed-exif"),
    "exif-circle": (jpeg(exif_segment(b"II*\0\x08\0\0\0\0\0\x08\0\0\0")), "malformed-exif"),
    "exif-count": (jpeg(exif_segment(b"II*\0\x08\0\0\0\xff\xff")), "malformed-exif"),
    "exif-value": (jpeg(exif_segment(b"II*\0\x08\0\0\0\x01\0\x31\x01\x02\0\xff\xff\xff\xff\x10\0\0\0\0\0\0\0")), "malformed-exif"),
    "iim-length": (jpeg(segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x6e\xff\xffabc")), "wrong-length"),
    "iim-stray": (jpeg(segment(0xED, b"Photoshop 3.0\0nonsense-and-more")), "malformed-iim"),
    "xmp-broken": (jpeg(xmp_segment(PACKET.replace("</rdf:RDF>", ""))), "malformed-xmp"),
    "xmp-cut": (jpeg(xmp_segment(PACKET[:420])), "malformed-xmp"),
    "xmp-encoding": (jpeg(xmp_segment("<?xml version='1.0' encoding='ebcdic'?>" + PACKET[60:])), "malformed-xmp"),
    "extended-gap": (
        jpeg(segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(">II", 900, 100) + b"x" * 50)), "extended-xmp-gap",
    ),
    "dqt-cut": (jpeg(segment(0xDB, b"\0" + b"\x10" * 20)), "wrong-length"),
    "sef": (jpeg(tail=b"SEFH" + b"\xff" * 8 + (900).to_bytes(4, "little") + b"SEFT"), "wrong-length"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_a_finding(name):
    content, code = BROKEN[name]
    evidence = MetadataStructure().examine(Subject(asset(content), AssayError("not verified")))
    assert evidence.silence is Silence.INCONCLUSIVE
    assert f"metadata-{code}" in {finding.code for finding in evidence.findings}
    assert all(finding.statement.startswith("Malformed, by accident or on purpose") for finding in evidence.findings)


@pytest.mark.parametrize(
    "content",
    [picture("jpg"), picture("png"), picture("webp"), picture("gif"), picture("tiff"), picture("avif"), picture("bmp")],
)
def test_what_is_sound_has_no_findings(content):
    assert flaws(content) == set()


def test_what_precedes_the_break_still_counts():
    made = Metadata.of(asset(jpeg(xmp_segment(PACKET.replace("</rdf:RDF>", "")))))
    assert any(field.name == "Iptc4xmpExt:DigitalSourceType" for field in made.fields)
    cut = chunk(
        b"zTXt", b"parameters\0\0" + zlib.compress(b"Steps: 20, Sampler: Euler a" + bytes(range(256)) * 40)[:-40]
    )
    assert Metadata.of(asset(png(cut))).fields[0].value.startswith("Steps: 20, Sampler: Euler a")


@pytest.mark.parametrize("raw", [b"\xff\xfe" + b"\xd8" * 31, b"\xd8\x00" * 40, b"\0" * 64, b"\xff" * 33, b""])
def test_utf16_garbage(raw):
    content = jpeg(exif_segment(tiff({0x9C9B: raw}, exif={0x9286: b"UNICODE\0" + raw})))
    assert isinstance(Metadata.of(asset(content)).fields, tuple)


def test_utf16_packet():
    packet = PACKET.encode("utf-16")
    fields = Metadata.of(asset(png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)))).fields
    assert any(field.value.endswith("trainedAlgorithmicMedia") for field in fields)


def test_more_segments_and_chunks_than_any_file_has():
    for content in (jpeg(segment(0xEF, b"") * 70_000), png(chunk(b"teST", b"") * 70_000)):
        started = time.process_time()
        assert "too-many-pieces" in flaws(content)
        assert time.process_time() - started < 5


def crowded_exif(directories: int = 31) -> bytes:
    """Directories that lie over one another, so that 12 kB hold 31,000 tags."""
    entries = b"".join(struct.pack("<HHII", 0x9000, 4, 1, number) for number in range(1_050))
    pointers = struct.pack("<HHII", 0x014A, 4, directories, 26)
    starts = [26 + 4 * directories + 12 * number for number in range(directories)]
    body = struct.pack(f"<{directories}I", *starts)
    return b"II*\0\x08\0\0\0\x01\0" + pointers + b"\0\0\0\0" + body + struct.pack("<H", 900) + entries


HOARDS = {
    "exif": lambda: jpeg(exif_segment(crowded_exif()) * 1_000),
    "xmp-opened": lambda: jpeg(xmp_segment("<x:xmpmeta ") * 30_000),
    "xmp-properties": lambda: jpeg(xmp_segment(xmp("".join(f"<dc:p{i}>x</dc:p{i}>" for i in range(2_000)))) * 400),
    "xmp-elements": lambda: jpeg(xmp_segment(xmp("<dc:p/>" * 7_000)) * 400),
    "iim": lambda: png(*[chunk(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(b"\niptc\n  9\n" + b"1c02190000" * 4_000)) for _ in range(40)]),
}  # fmt: skip


@pytest.mark.parametrize("name", HOARDS)
def test_many_blocks_share_one_budget(name):
    made = asset(HOARDS[name]())
    started = time.process_time()
    metadata = Metadata.of(made)
    flaws = {flaw.code for flaw in metadata.flaws}
    assert time.process_time() - started < 6
    assert len(metadata.fields) <= 60_000
    assert name == "xmp-opened" or "too-many-pieces" in flaws


def test_a_thousand_tags_over_the_same_megabytes():
    body = b"A" * 3_000_000
    entries = b"".join(struct.pack("<HHII", 0x8000 + i, 2, len(body), 8) for i in range(1_000))
    content = b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", 1_000) + entries + b"\0\0\0\0"
    assert "metadata-too-large" in bounded(content)


def test_many_stray_packets():
    assert bounded(jpeg(tail=PACKET.encode() * 20_000)) == set()
    assert bounded(jpeg(tail=b"<x:xmpmeta " * 400_000)) == set()


def test_many_pictures_behind_the_first():
    bounded(jpeg(tail=picture("jpg", size=(8, 8)) * 2_000))


SEEDS = [
    jpeg(xmp_segment(PACKET), exif_segment(tiff({0x0131: "AI generated;txt2img;flux"}, exif={0x9286: user_comment("Steps: 20, Sampler: Euler")})),
         iim((110, "Made with Google AI")), segment(0xFE, b'{"AIGC":{"Label":"1"}}')),
    png(text("parameters", "a\nSteps: 20, Sampler: Euler a"), itext("XML:com.adobe.xmp", PACKET, packed=True), ztext("prompt", '{"1":{"class_type":"KSampler","inputs":{}}}'),
        chunk(b"eXIf", tiff({0x010F: "Ideogram AI"}, order=">"))),
    webp((b"EXIF", tiff({0x0110: 'prompt:{"1":{"class_type":"KSampler","inputs":{}}}'})), (b"XMP ", PACKET.encode())),
    picture("tiff")[:4] + tiff({0x100: 1, 700: PACKET.encode(), 0x83BB: b"\x1c\x02\x6e\x00\x03abc"})[4:],
    picture("gif")[:-1] + b"\x21\xfe\x05hello\0" + b"\x3b",
]  # fmt: skip


def heif() -> bytes:
    buffer = io.BytesIO()
    made = Image.new("RGB", (32, 32), "teal")
    exif = Image.Exif()
    exif[0x0131] = "DALL-E"
    made.save(buffer, "AVIF", exif=exif.tobytes(), xmp=PACKET.encode())
    return buffer.getvalue()


SEEDS.append(heif())


def test_avif_items_are_read():
    fields = Metadata.of(asset(SEEDS[-1])).fields
    assert {field.path for field in fields} >= {"EXIF Software", "XMP Iptc4xmpExt:DigitalSourceType"}
    place = next(field.offset for field in fields if field.path == "EXIF Software")
    assert SEEDS[-1][place:].startswith(b"DALL-E")


MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 1 << 30),
        st.sampled_from(["set", "cut", "drop", "double", "insert"]),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SEEDS), MUTATIONS)
def test_mutated_metadata_never_raises(seed, mutations):
    content = bytearray(seed)
    for place, kind, some in mutations:
        at = 2 + place % max(1, len(content) - 2)
        match kind:
            case "set":
                content[at : at + len(some)] = some
            case "cut":
                del content[at + 200 :]
            case "drop":
                del content[at : at + len(some)]
            case "double":
                content[at:at] = content[at : at + 64]
            case _:
                content[at:at] = some
    if sniff(bytes(content)) is None:
        return
    subject = Subject(Asset.from_bytes(bytes(content)), AssayError("not verified"))
    for entry in METADATA_SIGNALS:
        assert entry.make().examine(subject).signal == entry.name


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MediaType), st.binary(max_size=400))
def test_any_bytes_as_any_format(media_type, content):
    made = Metadata(content, media_type)
    assert all(len(field.path) < 2_000_000 for field in made.fields)
    assert isinstance(made.flaws, tuple)


@pytest.mark.parametrize("entry", METADATA_SIGNALS, ids=lambda entry: entry.name)
def test_signals_survive_every_broken_file(entry):
    signal = entry.make()
    for content, _ in BROKEN.values():
        assert signal.examine(Subject(asset(content), AssayError("not verified"))).signal == entry.name
