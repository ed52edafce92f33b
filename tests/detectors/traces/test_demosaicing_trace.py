"""The chessboard of interpolated green."""

import numpy as np
import pytest
from camera_files import written
from dwtdct_marking import encoded, photograph
from metadata_files import asset
from PIL import Image

from assay.detectors.evidence import Evidence, Silence
from assay.detectors.signals.trace_demosaicing import DemosaicingTrace
from assay.detectors.subject import Subject
from assay.provenance.errors import AssayError


def interpolated(image: Image.Image) -> Image.Image:
    """`image` as a camera with a Bayer array would give it: green measured on a chessboard, the rest averaged."""
    pixels = np.asarray(image, float).copy()
    green = np.pad(pixels[..., 1], 1, mode="reflect")
    around = (green[:-2, 1:-1] + green[2:, 1:-1] + green[1:-1, :-2] + green[1:-1, 2:]) / 4
    measured = np.indices(around.shape).sum(axis=0) % 2 == 1
    pixels[..., 1] = np.where(measured, pixels[..., 1], around)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def examined(content: bytes, *, thorough: bool = True) -> Evidence:
    return DemosaicingTrace().examine(Subject(asset(content), AssayError("not verified"), thorough=thorough))


@pytest.mark.parametrize(
    "write", [encoded, lambda image: written(image, quality=98, subsampling=0)], ids=["png", "jpeg 98"]
)
def test_interpolation_is_visible_at_native_size(write) -> None:
    evidence = examined(write(interpolated(photograph(640, 520))))
    assert [finding.code for finding in evidence.findings] == ["interpolated-colour"]
    assert not evidence.speaks


def test_resizing_removes_it() -> None:
    assert not examined(encoded(interpolated(photograph(640, 520)).resize((500, 406)))).findings


@pytest.mark.parametrize("quality", [60, 75, 90, 95])
def test_the_blocks_of_a_jpeg_are_not_taken_for_it(quality: int) -> None:
    assert not examined(written(photograph(640, 520), quality=quality)).findings


def test_it_is_looked_for_only_in_a_deep_examination_of_colour_pictures() -> None:
    assert examined(encoded(photograph(640, 520)), thorough=False).silence is Silence.INAPPLICABLE
    assert examined(encoded(photograph(640, 520).convert("L"))).silence is Silence.INAPPLICABLE
    assert examined(encoded(photograph(200, 200))).silence is Silence.INAPPLICABLE
    assert examined(encoded(photograph(640, 520))[:9000]).silence is Silence.FAILED
