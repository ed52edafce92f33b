"""Pictures with the large and small structure of photographs, one per seed, made without any file."""

import io

import numpy as np
from PIL import Image

from assay.provenance.asset import Asset


def photograph(seed: int, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Noise with a falling spectrum in three channels, and a few edges."""
    chance = np.random.default_rng(seed)
    layers = np.zeros((size[1], size[0], 3), np.float32)
    for cells in (3, 5, 9, 17, 33, 65):
        noise = chance.random((cells, cells, 3), np.float32) * 255
        grown = Image.fromarray(noise.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
        layers += np.asarray(grown, np.float32) / cells**0.6
    for _ in range(6):
        x, y = chance.integers(0, size[0] - 80), chance.integers(0, size[1] - 80)
        w, h = chance.integers(30, size[0] // 3), chance.integers(30, size[1] // 3)
        layers[y : y + h, x : x + w] += chance.uniform(-60, 60, 3).astype(np.float32)
    layers -= layers.min()
    return Image.fromarray((layers * (255 / layers.max())).astype(np.uint8))


def jpeg_asset(image: Image.Image, name: str = "picture.jpg", *, quality: int = 92) -> Asset:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return Asset.from_bytes(buffer.getvalue(), name=name)
