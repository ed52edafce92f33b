"""Quantisation tables against the encoders that really write them."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.detectors.signals.trace_compression import encoder_in_words
from assay.detectors.traces import jpeg
from assay.detectors.traces.jpeg import Family, chroma_subsampling, estimate_quality, identify, scaled, tables_of


def saved(**options: object) -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return Image.open(buffer)


@pytest.mark.parametrize("quality", [5, 25, 49, 50, 75, 90, 95, 100])
def test_libjpeg_quality_is_read_back_exactly(quality: int) -> None:
    encoder = identify(tables_of(saved(quality=quality).quantization))
    assert encoder is not None
    assert (encoder.family, encoder.quality, encoder.exact) == (Family.LIBJPEG, quality, True)


def test_grey_jpeg_has_one_table_and_is_read_too() -> None:
    buffer = io.BytesIO()
    Image.new("L", (32, 32), 90).save(buffer, "JPEG", quality=83)
    assert estimate_quality(tables_of(Image.open(buffer).quantization)) == 83


def test_photoshop_settings_are_named() -> None:
    encoder = identify(tables_of(saved(quality="web_high").quantization))
    assert encoder is not None
    assert encoder.family is Family.PHOTOSHOP
    assert encoder.setting == "Save for Web, high"
    assert 75 <= encoder.quality <= 90


def test_mozjpeg_uses_one_table_for_both() -> None:
    from assay.detectors.traces import jpeg

    table = scaled(jpeg._ROBIDOUX, 80)
    encoder = identify(tables_of(saved(qtables=[list(table), list(table)]).quantization))
    assert encoder is not None
    assert (encoder.family, encoder.quality) == (Family.MOZJPEG, 80)


def test_camera_tables_are_named_with_what_they_were_seen_in(tmp_path: Path) -> None:
    """A file written with a listed pair is told apart from libjpeg's, and the words claim no more than was seen."""
    with (Path(jpeg.__file__).parent / "camera_tables.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(int(row["sources"]) >= 2 for row in rows)
    for row in rows:
        pair = [[int(step) for step in row[part].split()] for part in ("luminance", "chrominance")]
        written = io.BytesIO()
        Image.new("RGB", (64, 48), (90, 120, 30)).save(written, "JPEG", qtables=pair)
        encoder = identify(tables_of(Image.open(written).quantization))
        assert encoder is not None
        assert encoder.family is Family.CAMERA
        assert encoder.setting.startswith(f"{row['makers']}, {row['pictures']} originals")
        assert "others may have them" in encoder_in_words(encoder)


def test_unknown_tables_get_the_nearest_quality() -> None:
    near = list(tables_of(saved(quality=85).quantization)[0])
    near[5] += 1
    encoder = identify([near])
    assert encoder is not None
    assert (encoder.family, encoder.quality, encoder.exact) == (Family.OTHER, 85, False)


def test_no_tables_is_no_answer() -> None:
    assert estimate_quality([]) is None
    assert estimate_quality([[1, 2, 3]]) is None


@pytest.mark.parametrize(("subsampling", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_chroma_subsampling_is_named(subsampling: int, name: str) -> None:
    image = saved(quality=80, subsampling=subsampling)
    assert chroma_subsampling([(h, v) for _, h, v, _ in image.layer]) == name


def test_unusual_sampling_has_ratios() -> None:
    assert chroma_subsampling([(4, 2), (1, 1), (1, 1)]) == "4×2"
    assert chroma_subsampling([(1, 1)]) == "grey"
