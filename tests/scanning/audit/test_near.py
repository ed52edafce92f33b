"""Pictures that look alike are grouped under the first of them, and plain ones under none."""

import io

import numpy as np
import pytest
from PIL import Image

from assay.scanning.audit.near import Neighbours

pytest.importorskip("pdqhash")

from assay.detectors.perceptual import NEAR, perceptual_hash


def scene(seed: int) -> Image.Image:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 255, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC)


def recompressed(image: Image.Image, size: tuple[int, int], quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.resize(size).save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue()))


def distance(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


def test_a_copy_stays_near_and_another_picture_does_not() -> None:
    original = perceptual_hash(scene(1))
    assert distance(original, perceptual_hash(recompressed(scene(1), (320, 240), 60))) <= NEAR
    assert min(distance(original, perceptual_hash(scene(seed))) for seed in range(2, 12)) > 2 * NEAR


def test_a_plain_picture_has_no_hash_and_resembles_nothing() -> None:
    assert perceptual_hash(Image.new("RGB", (300, 200), "teal")) == ""
    assert Neighbours().first_like("", "plain.png") == ""


def test_groups_are_named_by_their_first_and_do_not_drift() -> None:
    neighbours = Neighbours()
    first, near, far = 0, (1 << NEAR) - 1, ((1 << NEAR) - 1) << NEAR | (1 << NEAR) - 1
    given = [(f"{number:064x}", name) for number, name in ((first, "a"), (near, "b"), (far, "c"), (far, "d"))]
    assert [neighbours.first_like(digits, name) for digits, name in given] == ["", "a", "", "c"]


def test_thousands_are_compared_exactly() -> None:
    generator = np.random.default_rng(3)
    neighbours = Neighbours()
    hashes = [generator.bytes(32).hex() for _ in range(3000)]
    assert not any(neighbours.first_like(digits, str(number)) for number, digits in enumerate(hashes))
    assert [neighbours.first_like(hashes[number], "again") for number in (0, 1500, 2999)] == ["0", "1500", "2999"]
