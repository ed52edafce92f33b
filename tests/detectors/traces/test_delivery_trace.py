"""Marks of messengers, networks and screenshots."""

import pytest
from metadata_files import asset, exif_segment, iim, jpeg, picture, tiff, user_comment

from assay.detectors.evidence import Evidence, Silence
from assay.detectors.signals.trace_delivery import DeliveryTrace
from assay.detectors.subject import Subject
from assay.provenance.errors import AssayError


def examined(content: bytes, name: str = "picture.jpg") -> Evidence:
    return DeliveryTrace().examine(Subject(asset(content, name), AssayError("not verified")))


def test_facebooks_instructions_are_read() -> None:
    evidence = examined(jpeg(iim((40, "FBMD01000ac60300004a1d0000"))))
    assert evidence.silence is Silence.INCONCLUSIVE
    assert "Facebook or Instagram" in evidence.statement
    assert evidence.traces[0].value.startswith("FBMD01000a")


def test_other_instructions_are_not_facebooks() -> None:
    assert examined(jpeg(iim((40, "FBMD is what they write")))).silence is Silence.ABSENT
    assert examined(jpeg(iim((120, "FBMD01000ac60300004a1d0000")))).silence is Silence.ABSENT


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("IMG-20240501-WA0007.jpg", "WhatsApp"),
        ("/home/x/WhatsApp Image 2024-05-01 at 10.00.00.jpeg", "WhatsApp"),
        ("C:\\x\\photo_2024-05-01_10-00-00 (2).jpg", "Telegram"),
        ("signal-2024-05-01-100000.jpeg", "Signal"),
        ("FB_IMG_1714550400000.jpg", "Facebook"),
        ("Screenshot_20240501-100000.png", "a screenshot"),
        ("Screen Shot 2024-05-01 at 10.00.00.png", "a screenshot"),
    ],
)
def test_names_are_told_as_names(name: str, service: str) -> None:
    evidence = examined(picture("jpg"), name)
    assert service in evidence.statement
    assert "a name is easily changed" in evidence.findings[0].statement


@pytest.mark.parametrize("name", ["IMG_0001.jpg", "WA.jpg", "photo.jpg", "IMG-20240501-WA0007", ""])
def test_other_names_say_nothing(name: str) -> None:
    assert examined(picture("jpg"), name).silence is Silence.ABSENT


def test_an_apple_screenshot_says_so() -> None:
    content = jpeg(exif_segment(tiff({}, exif={0x9286: b"ASCII\0\0\0Screenshot"})))
    assert "screenshot" in examined(content).statement
    other = jpeg(exif_segment(tiff({}, exif={0x9286: user_comment("Screenshot of my desk")})))
    assert examined(other).silence is Silence.ABSENT
