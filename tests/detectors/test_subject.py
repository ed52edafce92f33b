"""One subject: opened once, decoded once, and no further than somebody needs."""

import io
from functools import cache

import pytest
from photograph_like import photograph

from assay.detectors import subject as room
from assay.detectors.subject import Subject
from assay.provenance import decoding
from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError, DecodeFailed, UnsupportedFormat
from assay.scanning.scan import Scanner, standard_signals

SIZE = 800, 600


@cache
def encoded(form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    photograph(1, SIZE).save(buffer, form)
    return buffer.getvalue()


def subject(content: bytes) -> Subject:
    return Subject(Asset.from_bytes(content), AssayError("not verified"))


def test_a_file_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Asset] = []
    real = decoding.open_image
    monkeypatch.setattr(decoding, "open_image", lambda asset, **limits: opened.append(asset) or real(asset, **limits))
    one = subject(encoded())
    assert one.image is one.image
    assert one.header.size == one.image.size
    assert len(opened) == 1


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_sketch_is_grey_and_small_and_like_the_picture(form: str) -> None:
    one = subject(encoded(form))
    small = one.sketch
    assert small.mode == "L"
    assert 256 <= max(small.size) < 512
    whole = one.image.convert("L").resize(small.size)
    assert sum(abs(a - b) for a, b in zip(small.tobytes(), whole.tobytes(), strict=True)) / len(small.tobytes()) < 6


def test_a_jpeg_is_measured_without_a_full_decode() -> None:
    one = subject(encoded())
    assert one.measured() == SIZE
    assert one._decoded is None


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_that_ends_too_early_has_no_measure(form: str) -> None:
    content = encoded(form)
    with pytest.raises(DecodeFailed):
        subject(content[: len(content) * 2 // 3]).measured()


def test_a_failure_is_kept_and_raised_for_each_who_asks() -> None:
    one = subject(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    for _ in range(2):
        with pytest.raises(UnsupportedFormat):
            _ = one.header
        with pytest.raises(UnsupportedFormat):
            one.measured()


def test_a_scan_without_the_pixel_model_decodes_no_large_jpeg_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LARGEST", 200 * 200)
    modes: list[str] = []
    real = decoding.load
    monkeypatch.setattr(
        decoding, "load", lambda image, asset: modes.append(f"{image.mode} {max(image.size)}") or real(image, asset)
    )
    scanner = Scanner(signals=standard_signals(None))
    report = scanner.scan(Asset.from_bytes(encoded()))
    assert (report.width, report.height) == SIZE
    assert all(mode.startswith("L ") for mode in modes)
    truncated = scanner.scan(Asset.from_bytes(encoded()[:-3000]))
    assert isinstance(truncated.undecoded, DecodeFailed)
    assert truncated.width is None
