"""Quality covariates: their definition, and what compression, blur and cropping do to them."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from assay.detectors.quality import Bucket, jpeg_quality, measure


def textured(width: int, height: int, seed: int = 0) -> Image.Image:
    """Noise at several scales."""
    random = np.random.default_rng(seed)
    image = Image.new("L", (width, height))
    for divisor in (16, 4, 1):
        plane = random.integers(0, 256, (max(1, height // divisor), max(1, width // divisor)), np.uint8)
        image = Image.blend(image, Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC), 0.5)
    return image


def by_definition(image: Image.Image) -> tuple[float, float]:
    """Detail and blockiness, written out plane by plane in double precision."""
    luma = np.asarray(image.convert("L"), np.float64)
    fine = np.square(np.diff(luma, 2, axis=0)).mean() + np.square(np.diff(luma, 2, axis=1)).mean()
    down, across = luma[2:, :-2] - luma[:-2, :-2], luma[:-2, 2:] - luma[:-2, :-2]
    coarse = np.square(down).mean() + np.square(across).mean()
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(luma, axis=axis)).mean(axis=1 - axis)
        on_grid = np.arange(len(steps)) % 8 == 7
        ratios.append((steps[on_grid].mean() + 0.1) / (steps[~on_grid].mean() + 0.1))
    return min(1.0, fine / 3 / coarse), float(np.clip(np.mean(ratios), 0.25, 8.0))


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(33, 256),
    height=st.integers(33, 256),
    seed=st.integers(0, 2**32 - 1),
    blur=st.sampled_from((0, 1, 3)),
)
def test_detail_and_blockiness_are_what_they_are_said_to_be(width: int, height: int, seed: int, blur: int) -> None:
    image = textured(width, height, seed).filter(ImageFilter.GaussianBlur(blur))
    detail, blockiness = by_definition(image)
    quality = measure(image)
    assert quality.detail == pytest.approx(detail, rel=1e-3, abs=1e-5)
    assert quality.blockiness == pytest.approx(blockiness, rel=1e-5)


def test_only_the_middle_is_looked_at_and_stays_on_the_grid() -> None:
    image = textured(999, 777)
    left, top = (999 - 256) // 2 // 8 * 8, (777 - 256) // 2 // 8 * 8
    middle = measure(image.crop((left, top, left + 256, top + 256)))
    whole = measure(image)
    assert (whole.detail, whole.blockiness) == (middle.detail, middle.blockiness)
    assert whole.megapixels == pytest.approx(0.776223)


def test_blur_takes_detail_and_compression_shows_its_grid() -> None:
    image = textured(640, 640)
    files = {}
    for quality in (95, 20):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        files[quality] = measure(Image.open(file))
    soft = measure(image.filter(ImageFilter.GaussianBlur(3)))
    assert soft.detail < measure(image).detail / 10
    assert soft.bucket is Bucket.SOFT
    assert files[20].blockiness > 1.2 * files[95].blockiness
    assert files[20].bucket is Bucket.COMPRESSED


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_plain_picture_has_no_detail_and_no_grid(colour: int) -> None:
    quality = measure(Image.new("RGB", (400, 300), (colour,) * 3))
    assert (quality.detail, quality.blockiness, quality.jpeg_quality) == (0.0, 1.0, None)


def test_a_table_of_another_encoder_gets_the_nearest_quality() -> None:
    file = io.BytesIO()
    textured(64, 64).save(file, "JPEG", quality=83)
    table = list(Image.open(file).quantization[0])  # type: ignore[attr-defined]
    table[40] += 1
    assert jpeg_quality({0: table}) == 83
    assert jpeg_quality({0: table[:63]}) is None
    assert jpeg_quality({}) is None
