"""Every limit: its default lets real files through, its setting moves it, and beyond it a file is refused with a word."""

import dataclasses
import importlib
import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import custody_assets as made
import pytest
from PIL import Image

from assay.provenance import decoding
from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.custody.chain import BottomLine
from assay.provenance.custody.verifying import verify
from assay.provenance.disclosure import block
from assay.provenance.disclosure.metadata import Metadata
from assay.provenance.errors import LimitExceeded
from assay.provenance.frames import count_frames
from assay.provenance.limits import LimitsRefused
from assay.provenance.media_type import MediaType
from assay.provenance.trust import TrustPolicy

C2PA = bytes.fromhex("00110010800000aa00389b71")


def frames(fmt: str, number: int, **options: object) -> bytes:
    pictures = [Image.new("RGB", (16, 12), (40 * n % 256, 90, n)) for n in range(number)]
    buffer = io.BytesIO()
    pictures[0].save(buffer, fmt, save_all=True, append_images=pictures[1:], **options)
    return buffer.getvalue()


@pytest.mark.parametrize("fmt", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
def test_frames_are_counted_before_a_decoder_sees_the_file(fmt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = Asset.from_bytes(frames(fmt, 5))
    assert count_frames(asset.content, asset.media_type, limit=100) == 5
    assert decoding.decode(asset, limits=Limits(frames=5)).size == (16, 12)
    monkeypatch.setattr(decoding.Image, "open", lambda *_, **__: pytest.fail("Pillow was asked"))
    with pytest.raises(LimitExceeded, match="frames or more exceed the limit of 4"):
        decoding.decode(asset, limits=Limits(frames=4))


@pytest.mark.parametrize("fmt", ["GIF", "WEBP", "TIFF", "PNG", "AVIF", "MPO", "JPEG"])
def test_counting_frames_survives_any_cut(fmt: str) -> None:
    content = frames(fmt, 3) if fmt != "JPEG" else made.encoded(made.picture())
    kind = Asset.from_bytes(content).media_type
    for end in range(0, len(content), 7):
        assert 1 <= count_frames(content[:end], kind, limit=10) <= 11


@pytest.mark.parametrize("fmt", ["AVIF", "HEIF"])
def test_a_still_picture_is_one_whatever_its_container(fmt: str) -> None:
    if fmt == "HEIF":
        pytest.importorskip("pillow_heif", reason="needs the extra `heic`")
    still = Asset.from_bytes(made.encoded(made.picture(), fmt))
    assert count_frames(still.content, still.media_type, limit=10) == 1


def test_a_sequence_is_as_long_as_its_longest_track_of_pictures() -> None:
    def box(kind: bytes, *inside: bytes) -> bytes:
        return struct.pack(">I4s", 8 + sum(map(len, inside)), kind) + b"".join(inside)

    def track(handler: bytes, samples: int, table: bytes = b"stsz") -> bytes:
        sizes = box(b"minf", box(b"stbl", box(table, struct.pack(">III", 0, 0, samples))))
        return box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(12)), sizes))

    brands = box(b"ftyp", b"hevc", bytes(4), b"msf1")
    content = brands + box(b"moov", track(b"soun", 900), track(b"pict", 7), track(b"pict", 9, b"stz2"))
    assert count_frames(content, Asset.from_bytes(content).media_type, limit=10) == 9
    endless = brands + box(b"moov", track(b"pict", 2**32 - 1))
    assert count_frames(endless, MediaType.HEIC, limit=10) == 11
    tracemalloc.start()
    many = brands + box(b"moov", box(b"trak") * 8000) * 40
    assert count_frames(many, MediaType.HEIC, limit=10) == 1
    assert tracemalloc.get_traced_memory()[1] < len(many) + 8_000_000  # not every box of 320,000 is kept
    tracemalloc.stop()


def test_a_gain_map_and_a_preview_are_no_pictures_of_their_own() -> None:
    """The index of a JPEG lists them as well: by class where they are previews, in their own metadata where they are maps."""
    content = bytearray(frames("MPO", 2))
    entry = content.index(b"MPF\0") + 4 + 50 + 16
    assert content[entry : entry + 4] == bytes(4)
    assert count_frames(bytes(content), MediaType.JPEG, limit=10) == 2
    at = content.index(b"\xff\xd8\xff", 3)
    assert count_frames(bytes(content[:at]), MediaType.JPEG, limit=10) == 1  # listed, and no longer there
    name = b"http://ns.adobe.com/xap/1.0/\0 http://ns.adobe.com/hdr-gain-map/1.0/"
    packet = b"\xff\xe1" + struct.pack(">H", 2 + len(name)) + name
    assert count_frames(bytes(content[: at + 2] + packet + content[at + 2 :]), MediaType.JPEG, limit=10) == 1
    content[entry : entry + 4] = struct.pack("<I", 0x010001)  # large thumbnail
    assert count_frames(bytes(content), MediaType.JPEG, limit=10) == 1
    content[entry : entry + 4] = struct.pack("<I", 0x020002)  # the other eye's
    assert count_frames(bytes(content), MediaType.JPEG, limit=10) == 2


def test_an_index_of_nothing_but_pictures_costs_no_more_than_a_few() -> None:
    entries = struct.pack("<IIIHH", 0, 150_000, 64_026, 0, 0) * 4_000
    index = b"MPF\0II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0xB002, 7, len(entries), 26, 0) + entries
    content = b"\xff\xd8\xff\xe2" + struct.pack(">H", 2 + len(index)) + index + b"\xff\xd8\xff" * 50_000
    assert count_frames(content, MediaType.JPEG, limit=10_000) == 256


def test_the_directory_of_a_manifest_is_no_page_of_a_tiff_and_hides_none() -> None:
    content = bytearray(frames("TIFF", 3))
    at, link = len(content), 0
    directory = int.from_bytes(content[4:8], "little")
    while directory:
        link = directory + 2 + 12 * int.from_bytes(content[directory : directory + 2], "little")
        directory = int.from_bytes(content[link : link + 4], "little")
    for expected in (3, 4, 5):  # a second and a third one are none of the SDK's making
        content[link : link + 4] = at.to_bytes(4, "little")
        content += struct.pack("<HHHIII", 1, 0xCD41, 7, 4, 0, 0)
        at, link = len(content), at + 14
        assert count_frames(bytes(content), MediaType.TIFF, limit=10) == expected
    assert count_frames(bytes(content), MediaType.TIFF, limit=3) == 4


def test_a_tiff_whose_pages_run_in_a_circle_is_counted_once() -> None:
    content = bytearray(frames("TIFF", 2))
    first = int.from_bytes(content[4:8], "little")
    second_link = first + 2 + 12 * int.from_bytes(content[first : first + 2], "little")
    content[second_link : second_link + 4] = first.to_bytes(4, "little")
    assert count_frames(bytes(content), MediaType.TIFF, limit=10) == 1


def test_pixels_are_told_by_the_header() -> None:
    asset = Asset.from_bytes(made.encoded(made.picture((96, 64)), "PNG"))
    with pytest.raises(LimitExceeded, match=r"6,144 pixels exceed the limit of 6,143"):
        decoding.open_image(asset, limits=Limits(pixels=96 * 64 - 1))


def test_a_limit_raised_beyond_pillows_own_holds_and_leaves_that_alone() -> None:
    """Telephones take pictures of 200 megapixels; Pillow refuses 179."""
    before = Image.MAX_IMAGE_PIXELS
    asset = Asset.from_bytes(made.encoded(Image.new("1", (16_320, 12_240)), "PNG"))
    with pytest.raises(LimitExceeded, match="ASSAY_LIMITS=bytes=1G,pixels=1G"):
        decoding.open_image(asset)
    assert decoding.open_image(asset, limits=Limits(pixels=200_000_000)).size == (16_320, 12_240)
    with pytest.raises(LimitExceeded, match=r"199,756,800 pixels exceed the limit of 199,000,000"):
        decoding.open_image(asset, limits=Limits(pixels=199_000_000))
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_header_that_claims_a_picture_of_gigapixels_costs_nothing() -> None:
    content = bytearray(made.encoded(made.picture(), "PNG"))
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    with pytest.raises(LimitExceeded, match="pixels exceed"):
        decoding.decode(Asset.from_bytes(bytes(content)))


def box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def superbox(uuid: bytes, label: bytes, content: bytes = b"") -> bytes:
    return box(b"jumb", box(b"jumd", uuid + C2PA + b"\x03" + label + b"\0") + content)


def nested(levels: int) -> bytes:
    inner = b""
    for _ in range(levels):
        inner = superbox(b"c2as", b"a", inner)
    return inner


STORES = {
    "levels of boxes": nested(DEFAULT_LIMITS.nesting + 1),
    "boxes in its manifest store": superbox(b"c2as", b"c2pa.assertions", box(b"free", b"") * 8_000) * 9,
    "ingredients": superbox(b"c2as", b"c2pa.assertions", superbox(b"c2as", b"c2pa.ingredient.v3") * 4_097),
}


@pytest.mark.parametrize("what", STORES)
def test_a_store_beyond_its_limits_never_reaches_the_sdk(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.provenance import _c2pa

    monkeypatch.setattr(_c2pa, "read", lambda *_, **__: pytest.fail("the SDK was asked"))
    store = superbox(b"c2pa", b"c2pa", superbox(b"c2ma", b"urn:c2pa:one", STORES[what]))
    custody = verify(with_store(store), TrustPolicy(lists=()))
    assert custody.bottom_line is BottomLine.UNREADABLE
    assert what in custody.headline


def test_too_many_manifests_never_reach_the_sdk() -> None:
    store = superbox(b"c2pa", b"c2pa", superbox(b"c2ma", b"urn:c2pa:one") * (DEFAULT_LIMITS.manifests + 1))
    assert "1,025 manifests exceed" in verify(with_store(store), TrustPolicy(lists=())).headline


def with_store(store: bytes) -> Asset:
    png = made.encoded(made.picture(), "PNG")
    chunk = b"caBX" + store
    return Asset.from_bytes(
        png[:33] + len(store).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + png[33:]
    )


def with_text(text: bytes, *, packed: bool = True) -> bytes:
    chunk = b"zTXt" + b"parameters\0\0" + zlib.compress(text, 9) if packed else b"tEXtparameters\0" + text
    png = made.encoded(made.picture(), "PNG")
    length = (len(chunk) - 4).to_bytes(4, "big")
    return png[:33] + length + chunk + zlib.crc32(chunk).to_bytes(4, "big") + png[33:]


def flaws(content: bytes) -> set[str]:
    return {flaw.code for flaw in Metadata.of(Asset.from_bytes(content)).flaws}


def test_text_that_inflates_without_end_is_cut_and_named() -> None:
    assert "compression-bomb" in flaws(with_text(bytes(40 * 1024**2)))
    assert not flaws(with_text(b"masterpiece, 8k"))


def test_metadata_beyond_its_limit_is_cut_and_named() -> None:
    assert "metadata-too-large" in flaws(with_text(b"x" * (block.MAX_BLOCK + 1), packed=False))


def test_the_setting_reaches_metadata_stores_and_files() -> None:
    program = (
        "from assay.provenance.asset import DEFAULT_LIMITS as d; from assay.provenance.disclosure import block as b;"
        "from assay.provenance.jumbf import store as s; print(d.bytes, b.MAX_BLOCK, s.MAX_STORE, d.frames)"
    )
    setting = {"ASSAY_LIMITS": "bytes=1K, metadata=2m,store=3,frames=7"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | setting, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1024", str(2 * 1024**2), "3", "7"]


@pytest.mark.parametrize("setting", ["frame=3", "frames", "frames=0", "frames=-1", "frames=many", "bytes=1T"])
def test_a_setting_that_means_nothing_is_refused_at_the_door(setting: str) -> None:
    with pytest.raises(LimitsRefused, match="ASSAY_LIMITS"):
        Limits.read(setting)
    done = subprocess.run(
        [sys.executable, "-m", "assay.cli", "scan", "x.jpg"],
        env=os.environ | {"ASSAY_LIMITS": setting},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("assay: ASSAY_LIMITS")


def test_every_limit_says_what_it_bounds_and_what_happens_beyond() -> None:
    for entry in dataclasses.fields(Limits):
        assert entry.metadata["bounds"], entry.name
        assert entry.metadata["beyond"], entry.name


def test_the_documented_limits_are_those_of_the_code() -> None:
    root = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location("tables", root / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    text = (root / "docs" / "hardening.md").read_text("utf-8")
    assert text == tables.written(text), "run: python docs/tables.py"
