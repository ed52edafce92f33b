"""Camera metadata against themselves and the picture."""

import pytest
from camera_files import CANON, TAKEN, camera_jpeg, with_thumbnail, written
from dwtdct_marking import photograph
from metadata_files import asset, exif_segment, jpeg, picture, tiff, xmp, xmp_segment
from PIL import Image, ImageCms

from assay.detectors.evidence import Evidence, Origin, Silence
from assay.detectors.signals.trace_camera import CameraTrace
from assay.detectors.subject import Subject
from assay.detectors.traces.profile import description
from assay.provenance.errors import AssayError


def examined(content: bytes) -> Evidence:
    return CameraTrace().examine(Subject(asset(content), AssayError("not verified")))


def codes(evidence: Evidence) -> list[str]:
    return [finding.code for finding in evidence.findings]


def test_consistent_metadata_are_told_and_decide_nothing() -> None:
    evidence = examined(camera_jpeg())
    assert (evidence.origin, evidence.silence) == (Origin.UNDETERMINED, Silence.INCONCLUSIVE)
    assert "Canon EOS R5" in evidence.statement
    assert not evidence.findings
    told = {trace.field: trace.value for trace in evidence.traces}
    assert told["EXIF Model"] == "Canon EOS R5"
    assert told["EXIF MakerNote"] == "10 bytes"


def test_no_metadata_is_absent() -> None:
    assert examined(picture("jpg")).silence is Silence.ABSENT
    assert examined(picture("png")).silence is Silence.ABSENT


def test_another_thumbnail_is_a_warning() -> None:
    assert codes(examined(camera_jpeg(thumbnail=photograph(320, 240, seed=9)))) == ["thumbnail-differs"]


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180])
def test_a_turned_picture_still_is_the_same(turn: Image.Transpose) -> None:
    image = photograph(320, 240)
    turned = image.transpose(turn)
    exif = {**TAKEN, 0xA002: turned.width, 0xA003: turned.height}
    content = with_thumbnail(tiff(CANON, exif=exif), written(image.resize((160, 120))))
    assert codes(examined(jpeg(exif_segment(content), base=written(turned)))) == []


def test_black_bars_of_a_thumbnail_are_taken_off() -> None:
    image = photograph(360, 240)
    barred = Image.new("RGB", (160, 120))
    barred.paste(image.resize((160, 106)), (0, 7))
    exif = {**TAKEN, 0xA002: 360}
    content = with_thumbnail(tiff(CANON, exif=exif), written(barred))
    assert codes(examined(jpeg(exif_segment(content), base=written(image)))) == []


def test_a_cropped_picture_has_another_shape_than_its_thumbnail() -> None:
    image = photograph(320, 240)
    content = with_thumbnail(tiff(CANON, exif={**TAKEN, 0xA003: 200}), written(image.resize((160, 120))))
    cropped = image.crop((0, 20, 320, 220))
    assert codes(examined(jpeg(exif_segment(content), base=written(cropped)))) == ["thumbnail-shape-differs"]


@pytest.mark.parametrize("thumbnail", [b"", b"\xff\xd8\xff\xe0junk", b"GIF89a", written(Image.new("RGB", (160, 120)))])
def test_thumbnails_that_show_nothing_are_passed_over(thumbnail: bytes) -> None:
    content = jpeg(exif_segment(with_thumbnail(tiff(CANON, exif=TAKEN), thumbnail)), base=written(photograph(320, 240)))
    assert codes(examined(content)) == []


@pytest.mark.parametrize(
    ("tags", "exif", "code"),
    [
        (CANON, {**TAKEN, 0xA002: 4000}, "dimensions-differ"),
        ({**CANON, 0x0132: "2020:01:01 00:00:00"}, TAKEN, "dates-contradict"),
        (CANON, {**TAKEN, 0x9003: "0000:00:00 00:00:00"}, "date-impossible"),
        ({**CANON, 0x0131: "Adobe Photoshop 25.0 (Windows)"}, TAKEN, "edited-with"),
        (CANON, {key: value for key, value in TAKEN.items() if key != 0x927C}, "maker-note-missing"),
    ],
)
def test_each_contradiction_is_found(tags: dict, exif: dict, code: str) -> None:
    assert codes(examined(camera_jpeg(tags=tags, exif=exif))) == [code]


def test_photoshops_tables_under_a_cameras_name() -> None:
    assert codes(examined(camera_jpeg(quality="web_high"))) == ["written-by-software"]


def test_editors_named_in_xmp_are_found() -> None:
    packet = xmp(attributes='xmp:CreatorTool="Adobe Lightroom 8.5"')
    content = camera_jpeg()
    assert codes(examined(content[:2] + xmp_segment(packet) + content[2:])) == ["edited-with"]


def test_gain_map_further_pictures_and_profile_are_told() -> None:
    packet = xmp(namespaces='xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"', attributes='hdrgm:Version="1.0"')
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = camera_jpeg(icc_profile=profile)
    content = content[:2] + xmp_segment(packet) + content[2:] + written(photograph(80, 60))
    told = {trace.field: trace.value for trace in examined(content).traces}
    assert "gain map" in told["XMP gain map"]
    assert told["JPEG pictures"] == "2"
    assert told["ICC profile"] == "sRGB built-in"


@pytest.mark.parametrize("content", [b"", b"\0" * 36 + b"acsp", b"\0" * 36 + b"acsp" + b"\xff" * 300])
def test_any_bytes_give_a_profile_name(content: bytes) -> None:
    assert isinstance(description(content), str)


def test_a_picture_that_cannot_be_decoded_still_tells_its_fields() -> None:
    evidence = examined(camera_jpeg()[:6000])
    assert "Canon EOS R5" in evidence.statement
