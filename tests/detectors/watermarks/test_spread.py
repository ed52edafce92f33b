"""assay's own mark: what it survives, how strong it is, and that nothing is read where nothing is."""

import io

import numpy as np
import pytest
from dwtdct_marking import photograph
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assay.detectors.watermarks import spread
from assay.detectors.watermarks.convolution import decoded_bits, encoded_bits
from assay.detectors.watermarks.spread import SpreadMark, detect, embed

PAYLOAD = bytes.fromhex("c0ffee15600d")
LAYOUT = "fb658baa1fc37639dbca4bd1307b55f1fec9097f7996cb6f5b319ddb98709392"


@pytest.fixture(scope="module")
def original() -> Image.Image:
    return photograph(720, 540)


@pytest.fixture(scope="module")
def marked(original: Image.Image) -> Image.Image:
    return embed(original, PAYLOAD)


def compressed(image: Image.Image, quality: int, kind: str = "JPEG") -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    return Image.open(buffer)


def resized(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


@pytest.mark.parametrize(
    "attack",
    [
        lambda image: image,
        lambda image: compressed(image, 75),
        lambda image: compressed(image, 40),
        lambda image: compressed(image, 60, "WEBP"),
        lambda image: resized(image, 0.5),
        lambda image: resized(image, 0.83),
        lambda image: resized(image, 1.5),
        lambda image: image.crop((31, 17, 31 + 648, 17 + 486)),
        lambda image: image.crop((0, 60, 720, 540)),
        lambda image: compressed(image.crop((50, 20, 700, 520)), 75),
        lambda image: compressed(resized(image, 0.6), 75),
        lambda image: image.convert("L"),
        lambda image: Image.eval(image, lambda value: min(int(value * 1.1) + 5, 255)),
    ],
    ids=[
        "nothing",
        "jpeg 75",
        "jpeg 40",
        "webp 60",
        "0.5",
        "0.83",
        "1.5",
        "crop",
        "one side",
        "crop jpeg",
        "0.6 jpeg",
        "grey",
        "lighter",
    ],
)
def test_the_payload_comes_back_bit_for_bit(marked: Image.Image, attack) -> None:
    decoded = detect(attack(marked))
    assert decoded is not None
    assert decoded.payload == PAYLOAD
    assert decoded.generator == ""


def test_the_mark_is_at_least_40_decibels_down(original: Image.Image, marked: Image.Image) -> None:
    error = np.asarray(marked, float) - np.asarray(original, float)
    assert 40 <= 10 * np.log10(255**2 / (error**2).mean()) <= 45.5


def test_borders_are_searched_only_deep(marked: Image.Image) -> None:
    framed = Image.new("RGB", (760, 580), (240, 240, 240))
    framed.paste(marked, (20, 25))
    assert detect(framed) is None
    decoded = detect(framed, thorough=True)
    assert decoded is not None
    assert decoded.payload == PAYLOAD


def test_what_is_not_marked_has_no_payload(original: Image.Image) -> None:
    assert detect(original) is None
    assert SpreadMark().detect(Image.new("RGB", (300, 200), "white")) is None
    assert detect(Image.new("L", (100, 500))) is None


def test_a_picture_marked_twice_gives_one_of_the_two_or_none(marked: Image.Image) -> None:
    other = bytes(6)
    decoded = detect(embed(marked, other))
    assert decoded is None or decoded.payload in (PAYLOAD, other)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_modes_are_kept_or_become_rgb(mode: str) -> None:
    image = photograph(320, 256).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    copy = embed(image, PAYLOAD)
    assert copy.mode == (mode if mode in ("RGB", "RGBA", "L") else "RGB")
    assert copy.size == image.size
    if mode == "RGBA":
        assert copy.getchannel("A").tobytes() == image.getchannel("A").tobytes()
    decoded = detect(copy)
    assert decoded is not None
    assert decoded.payload == PAYLOAD


def test_the_original_is_left_alone() -> None:
    image = photograph(256, 256)
    before = image.tobytes()
    embed(image, PAYLOAD)
    assert image.tobytes() == before


def test_flat_pictures_can_be_marked_and_stay_nearly_flat() -> None:
    copy = embed(Image.new("RGB", (400, 300), (120, 130, 140)), PAYLOAD)
    assert np.abs(np.asarray(copy, float) - (120, 130, 140)).max() < 20
    decoded = detect(compressed(copy, 75))
    assert decoded is not None
    assert decoded.payload == PAYLOAD


@pytest.mark.parametrize("payload", [b"", b"12345", b"1234567"])
def test_another_length_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="6 bytes"):
        embed(photograph(256, 256), payload)


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="128"):
        embed(photograph(256, 100), PAYLOAD)


def test_the_layout_never_changes() -> None:
    """Marks that are out in the world must stay readable: the tile of a payload is fixed to the bit."""
    import hashlib

    signs = np.sign(spread._tile(spread._spectrum(PAYLOAD))).astype(np.int8)
    assert hashlib.sha256(signs.tobytes()).hexdigest() == LAYOUT


@given(st.lists(st.integers(0, 1), min_size=1, max_size=90), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_the_code_undoes_noise(bits: list[int], seed: int) -> None:
    coded = np.array(encoded_bits(bits)) * 2.0 - 1
    noisy = coded + np.random.default_rng(seed).normal(0, 0.55, coded.shape)
    assert len(coded) == 3 * (len(bits) + 6)
    assert decoded_bits(np.stack([coded, noisy]))[0].tolist() == bits
    assert (decoded_bits(noisy[None])[0] != bits).mean() < 0.5


def test_noise_is_corrected_where_a_majority_could_not() -> None:
    random = np.random.default_rng(3)
    bits = random.integers(0, 2, 80).tolist()
    coded = np.tile(np.array(encoded_bits(bits)) * 2.0 - 1, (50, 1))
    noisy = coded + random.normal(0, 0.8, coded.shape)
    assert ((noisy > 0) != (coded > 0)).mean() > 0.08
    assert (decoded_bits(noisy) == bits).all(axis=1).mean() > 0.9


def test_random_words_hold_no_checksum() -> None:
    words = np.random.default_rng(4).normal(size=(3000, 258))
    assert all(spread.checked(row) is None for row in decoded_bits(words))
