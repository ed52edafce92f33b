"""An embedder of the dwtDct mark for tests, written from the scheme's description, and pictures to put it into."""

import io

import numpy as np
from PIL import Image

STEP = 36


def photograph(width: int = 512, height: int = 512, *, seed: int = 1) -> Image.Image:
    """Smooth colour with texture and edges: as much like a photograph as a generator of numbers gets."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(40, 216, (12, 12, 3), dtype=np.uint8)).resize((width, height), 3)
    fine = Image.fromarray(random.integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)).resize(
        (width, height), 3
    )
    pixels = 0.85 * np.asarray(coarse, float) + 0.15 * np.asarray(fine, float) + random.normal(0, 2, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def marked(image: Image.Image, bits: tuple[int, ...]) -> Image.Image:
    """`image` with `bits` repeated over all blocks, as the invisible-watermark library writes them."""
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), float), 2, 0)
    luminance = np.rint(0.299 * red + 0.587 * green + 0.114 * blue)
    u, v = np.rint(0.492 * (blue - luminance) + 128), np.rint(0.877 * (red - luminance) + 128)
    rows, columns = u.shape[0] // 8, u.shape[1] // 8
    area = u[: rows * 8, : columns * 8]
    low = (area[::2, ::2] + area[1::2, ::2] + area[::2, 1::2] + area[1::2, 1::2]) / 2
    blocks = low.reshape(rows, 4, columns, 4).transpose(0, 2, 1, 3).reshape(-1, 16)
    number = np.arange(len(blocks))
    place = 1 + np.abs(blocks[:, 1:]).argmax(axis=1)
    value = blocks[number, place]
    change = np.zeros_like(blocks)
    change[number, place] = (value // STEP + 0.25 + 0.5 * np.array(bits)[number % len(bits)]) * STEP - value
    change = change.reshape(rows, columns, 4, 4).transpose(0, 2, 1, 3).reshape(rows * 4, columns * 4)
    area += np.kron(change, np.ones((2, 2))) / 2
    u = np.rint(u).clip(0, 255)
    blue, red = luminance + (u - 128) / 0.492, luminance + (v - 128) / 0.877
    green = (luminance - 0.299 * red - 0.114 * blue) / 0.587
    return Image.fromarray(np.rint(np.stack([red, green, blue], axis=2)).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
