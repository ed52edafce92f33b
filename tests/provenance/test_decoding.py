"""Pictures of every mode that a format may hold come out upright, in colour, and as bright as they are."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from assay.detectors.evidence import Silence
from assay.detectors.signals import REGISTRY
from assay.detectors.subject import Subject
from assay.provenance.asset import Asset
from assay.provenance.decoding import decode, sketch, upright
from assay.provenance.errors import AssayError
from assay.provenance.media_type import MediaType
from assay.provenance.signing.deriving import Derivation, derive
from assay.provenance.signing.signer import open_signer
from assay.provenance.signing.thumbnail import thumbnail
from assay.scanning.report import picture

GREY = np.linspace(40, 200, 96 * 64).reshape(64, 96).astype(np.uint8)
PHOTO = Image.fromarray(np.stack([GREY, GREY[::-1], GREY], axis=-1))


def lab() -> Image.Image:
    found = ImageCms.profileToProfile(
        PHOTO, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert found is not None
    return found


def stored(image: Image.Image, kind: str = "TIFF", **options: object) -> Asset:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Asset.from_bytes(buffer.getvalue())


ODD = {
    "16 bits, PNG": stored(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"),
    "16 bits, TIFF": stored(Image.fromarray(GREY.astype(np.uint16) * 257)),
    "32 bits, TIFF": stored(Image.fromarray(GREY.astype(np.int32) * 257)),
    "Lab": stored(lab()),
    "CMYK": stored(PHOTO.convert("CMYK"), "JPEG", quality=95),
    "palette": stored(PHOTO.quantize(128), "PNG"),
    "palette with transparency": stored(PHOTO.quantize(128), "PNG", transparency=bytes([255] * 127 + [0])),
    "grey and alpha": stored(PHOTO.convert("LA"), "PNG"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_picture_of_any_mode_is_as_bright_as_it_is(name: str) -> None:
    seen = upright(decode(ODD[name]))
    assert (seen.mode, seen.size) == ("RGB", (96, 64))
    assert float(
        np.abs(np.asarray(seen.convert("L"), np.float32) - np.asarray(PHOTO.convert("L"), np.float32)).mean()
    ) < (50 if "bits" in name else 12)
    assert 60 < float(np.asarray(sketch(ODD[name])).mean()) < 180


@pytest.mark.parametrize("name", ODD)
def test_small_pictures_are_made_of_any_mode(name: str) -> None:
    inside = thumbnail(ODD[name], 48)
    shown = picture.thumbnail(ODD[name], edge=48)
    assert inside is not None
    for content in (inside, base64.b64decode(shown.partition(",")[2])):
        small = Image.open(io.BytesIO(content))
        assert (small.size, small.mode) == ((48, 32), "RGB")
        assert 60 < float(np.asarray(small.convert("L")).mean()) < 180


@pytest.mark.parametrize("name", ODD)
def test_a_derivative_is_made_of_any_mode(name: str) -> None:
    derived = derive(ODD[name], Derivation(media_type=MediaType.JPEG, resize=(48, 48)), open_signer("dev:"))
    assert decode(derived.asset).size == (48, 32)


@pytest.mark.parametrize("name", ODD)
def test_every_signal_looks_at_any_mode(name: str) -> None:
    subject = Subject(ODD[name], AssayError("not asked"), thorough=True)
    for entry in REGISTRY:
        if entry.name not in ("c2pa-manifest", "faces"):
            assert entry.make().examine(subject).silence is not Silence.FAILED, entry.name


def test_an_oriented_picture_is_turned_and_its_thumbnails_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = stored(PHOTO, "JPEG", exif=exif)
    assert upright(decode(turned)).size == (64, 96)
    content = thumbnail(turned, 48)
    assert content is not None
    assert Image.open(io.BytesIO(content)).size == (32, 48)


@pytest.mark.parametrize("number", range(1, 9))
def test_a_turned_picture_is_turned_once(number: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = number
    image = decode(stored(PHOTO, "PNG", exif=exif))
    once = upright(image)
    expected = ImageOps.exif_transpose(image).convert("RGB")
    assert once.tobytes() == expected.tobytes()
    assert upright(once).tobytes() == once.tobytes()


MALFORMED = {
    "no EXIF at all": b"Exif\0\0garbage",
    "cut after its header": b"Exif\0\0II*\0",
    "a text for a number": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x1a\0\x02\0\0\0\x04abc\0\0\0\0\0",
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_exif_hides_no_picture(name: str, kind: str) -> None:
    """Else anybody could keep a picture from being looked at by a few bytes."""
    odd = stored(PHOTO, kind, exif=MALFORMED[name])
    assert upright(decode(odd)).size == (96, 64)
    assert thumbnail(odd, 48)
    assert picture.thumbnail(odd)
    for media_type in (MediaType.JPEG, MediaType.TIFF, MediaType.WEBP):
        derived = derive(odd, Derivation(media_type=media_type, drop_gps=True), open_signer("dev:"))
        assert decode(derived.asset).size == (96, 64)
    pixels = next(entry for entry in REGISTRY if entry.name == "pixels").make()
    assert pixels.examine(Subject(odd, AssayError("not asked"))).silence is not Silence.FAILED


def test_no_words_of_the_file_reach_a_thumbnail() -> None:
    commented = stored(PHOTO, "JPEG", comment=b"<script>where I live</script>")
    inside, shown = thumbnail(commented, 48), picture.thumbnail(commented, edge=48)
    assert inside is not None
    assert b"where I live" not in inside
    assert b"where I live" not in base64.b64decode(shown.partition(",")[2])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 5), (9, 9), (5000, 3)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_tiny_and_thin_pictures_are_looked_at_without_a_warning(size: tuple[int, int], kind: str) -> None:
    noise = np.random.default_rng(7).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    subject = Subject(stored(Image.fromarray(noise), kind), AssayError("not asked"), thorough=True)
    for entry in REGISTRY:
        if entry.name not in ("c2pa-manifest", "faces"):
            assert entry.make().examine(subject).silence is not Silence.FAILED, entry.name
