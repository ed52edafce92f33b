"""How a picture was compressed, told from files that were compressed in known ways."""

import io

import pytest
from camera_files import written
from dwtdct_marking import encoded, photograph
from metadata_files import asset
from PIL import Image

from assay.detectors.evidence import Evidence, Silence
from assay.detectors.signals.trace_compression import CompressionTrace
from assay.detectors.subject import Subject
from assay.detectors.traces import recompression
from assay.detectors.traces.jpeg import tables_in, tables_of
from assay.provenance.disclosure.metadata import Metadata
from assay.provenance.errors import AssayError


def examined(content: bytes, *, thorough: bool = False) -> Evidence:
    return CompressionTrace().examine(Subject(asset(content), AssayError("not verified"), thorough=thorough))


def codes(evidence: Evidence) -> list[str]:
    return [finding.code for finding in evidence.findings]


def recompressed(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def test_a_single_compression_is_described_and_nothing_more() -> None:
    evidence = examined(written(photograph(480, 480), quality=85, progressive=True, subsampling=0))
    assert evidence.silence is Silence.INCONCLUSIVE
    assert "libjpeg's tables at quality 85, chroma 4:4:4, progressive" in evidence.statement
    assert not evidence.findings


@pytest.mark.parametrize(("first", "second"), [(60, 90), (75, 95), (70, 85)])
def test_an_earlier_coarser_compression_shows(first: int, second: int) -> None:
    evidence = examined(written(recompressed(written(photograph(480, 480), quality=first)), quality=second))
    assert codes(evidence) == ["compressed-before"]
    told = int(evidence.findings[0].statement.rstrip(".").rsplit(" ", 1)[1])
    assert abs(told - first) <= 2


def test_a_crop_after_compression_shows_in_a_png_with_its_quality() -> None:
    picture = recompressed(written(photograph(480, 480), quality=70)).crop((3, 5, 470, 470))
    evidence = examined(encoded(picture))
    assert codes(evidence) == ["compressed-before", "cropped-after-compression"]
    assert evidence.traces[1].value.startswith("offset 5, 3")
    assert "quality 70" in evidence.findings[0].statement


def test_a_crop_between_two_compressions_shows() -> None:
    picture = recompressed(written(photograph(480, 480), quality=40)).crop((3, 5, 475, 477))
    assert "cropped-after-compression" in codes(examined(written(picture, quality=95)))


def test_an_uncompressed_picture_shows_nothing() -> None:
    evidence = examined(encoded(photograph(480, 480)))
    assert (evidence.silence, evidence.findings) == (Silence.ABSENT, ())


@pytest.mark.parametrize("colour", [(0, 0, 0), (200, 30, 90)])
def test_flat_pictures_show_nothing(colour: tuple[int, int, int]) -> None:
    flat = Image.new("RGB", (480, 480), colour)
    assert not examined(encoded(flat)).findings
    assert not examined(written(flat)).findings


def test_small_pictures_are_described_without_a_history() -> None:
    assert not examined(written(photograph(24, 16), quality=70)).findings


def test_a_large_picture_is_decoded_only_in_a_deep_examination(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.detectors.subject.LARGEST", 400 * 400)
    content = written(recompressed(written(photograph(480, 480), quality=60)), quality=90)
    assert not examined(content).findings
    assert codes(examined(content, thorough=True)) == ["compressed-before"]


def test_other_codecs_and_broken_files() -> None:
    assert examined(encoded(photograph(64, 64), "WEBP")).silence is Silence.INAPPLICABLE
    broken = examined(written(photograph(480, 480))[:9000])
    assert "could not be examined" in broken.statement


def test_parsed_tables_are_those_that_the_decoder_sees() -> None:
    content = written(photograph(64, 64), quality=37, subsampling=2)
    (picture,) = Metadata.of(asset(content)).pictures
    assert tables_in(picture) == tables_of(Image.open(io.BytesIO(content)).quantization)


def test_strengths_are_zero_where_there_is_too_little_to_measure() -> None:
    pixels = recompression.luminance(photograph(40, 40))
    assert recompression.grid_of(pixels).strength == 0
