"""The dwtDct decoder on pictures marked by an embedder of our own."""

import io

import numpy as np
import pytest
from dwtdct_marking import encoded, marked, photograph
from PIL import Image

from assay.detectors.watermarks.dwtdct import PAYLOADS, DwtDct

SDXL, FLUX = PAYLOADS[0], PAYLOADS[1]


def reopened(image: Image.Image, kind: str = "PNG", **options: object) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, kind, **options)))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: f"{payload.generator} {len(payload.bits)}")
def test_every_payload_is_named(payload) -> None:
    decoded = DwtDct().detect(reopened(marked(photograph(640, 512), payload.bits)))
    assert decoded is not None
    assert (decoded.generator, decoded.bits) == (payload.generator, len(payload.bits))
    assert decoded.matched >= payload.least


def test_the_flux_payload_has_46_bits_and_another_of_48_is_told_apart() -> None:
    assert len(FLUX.bits) == 46
    assert (0, 0, *FLUX.bits) == PAYLOADS[2].bits


def test_payload_bytes_are_given_back() -> None:
    decoded = DwtDct().detect(marked(photograph(), PAYLOADS[3].bits))
    assert decoded is not None
    assert decoded.payload == b"StableDiffusionV1"


def test_it_survives_a_jpeg_with_full_chroma() -> None:
    picture = reopened(marked(photograph(768, 768), SDXL.bits), "JPEG", quality=92, subsampling=0)
    decoded = DwtDct().detect(picture)
    assert decoded is not None
    assert decoded.generator == "Stable Diffusion XL"


@pytest.mark.parametrize("box", [(8, 8, 700, 700), (3, 5, 640, 600), (21, 13, 760, 700)])
def test_a_crop_is_found_only_by_a_deep_search(box: tuple[int, int, int, int]) -> None:
    picture = marked(photograph(768, 768), SDXL.bits).crop(box)
    assert DwtDct().detect(picture) is None
    decoded = DwtDct().detect(picture, thorough=True)
    assert decoded is not None
    assert decoded.generator == "Stable Diffusion XL"
    assert decoded.place == f"cropped; grid at {-box[0] % 8}, {-box[1] % 8}"


def test_a_rescaled_picture_is_found_only_by_a_deep_search() -> None:
    picture = marked(photograph(1024, 768), FLUX.bits).resize((717, 538), Image.Resampling.LANCZOS)
    assert DwtDct().detect(picture) is None
    decoded = DwtDct().detect(picture, thorough=True)
    assert decoded is not None
    assert (decoded.generator, decoded.place) == ("FLUX", "rescaled to 1024×768")


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_unmarked_pictures_have_no_mark(seed: int, thorough: bool) -> None:
    assert DwtDct().detect(photograph(320, 288, seed=seed), thorough=thorough) is None


def stripes() -> Image.Image:
    """Texture of the blocks' own period, which the text payloads' period of eight bits can agree with."""
    across = np.arange(512)[None, :] // 8 % 8
    blue = np.where(np.array([0, 1, 1, 0, 1, 1, 0, 1])[across] > 0, 30, 60) + np.zeros((512, 1))
    return Image.fromarray(np.stack([blue * 0 + 90, blue * 0 + 90, blue], axis=2).astype(np.uint8))


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (512, 512), (10, 200, 30)),
        Image.new("RGB", (512, 512), (255, 255, 255)),
        Image.linear_gradient("L").resize((512, 512)).convert("RGB"),
        stripes(),
    ],
    ids=["green", "white", "grey gradient", "stripes"],
)
def test_flat_and_regular_pictures_have_no_voice(picture: Image.Image) -> None:
    assert DwtDct().detect(picture, thorough=True) is None


@pytest.mark.parametrize(
    "picture", [Image.new("L", (512, 512)), Image.new("RGB", (64, 64)), Image.new("RGB", (5000, 20))]
)
def test_what_cannot_carry_the_mark_is_not_searched(picture: Image.Image) -> None:
    assert DwtDct().detect(picture, thorough=True) is None


def test_transparent_and_palette_pictures_are_read_as_colour() -> None:
    picture = marked(photograph(512, 512), SDXL.bits)
    assert DwtDct().detect(picture.convert("RGBA")) is not None
    DwtDct().detect(picture.convert("P"), thorough=False)
