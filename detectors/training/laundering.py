"""What happens to pictures on their way to a reader: crop, resize, blur, noise, re-encoding, chains of them.

Rules: a draw depends on the random state and the picture's size, never on its class; shape and size are drawn anew for every
picture, so that neither tells the class; metadata does not survive; everything ends in one encoded file.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from PIL import Image, ImageFilter

from assay.detectors.training.screens import screenshot

_KERNELS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BOX)
_ASPECTS = (1.0, 1.0, 4 / 3, 3 / 4, 3 / 2, 2 / 3, 16 / 9, 9 / 16, 5 / 4, 4 / 5)
Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class Cell:
    """One named point of the laundering grid: everything fixed, for measuring."""

    name: str
    long_side: int = 768
    codec: str = "JPEG"
    quality: int = 90
    blur: float = 0.0
    noise: float = 0.0
    sharpen: bool = False
    messenger: bool = False  # once before as JPEG 65, a quarter larger
    screen: bool = False  # in a drawn screen, which has the long side


GRID = (
    Cell("jpeg-90"),
    Cell("jpeg-75", quality=75),
    Cell("jpeg-60", quality=60),
    Cell("half-size", long_side=384),
    Cell("half-size-jpeg-60", long_side=384, quality=60),
    Cell("webp-75", codec="WEBP", quality=75),
    Cell("blur", blur=1.2),
    Cell("noise", noise=6.0),
    Cell("sharpened", sharpen=True, quality=85),
    Cell("messenger", quality=70, messenger=True),
    Cell("screenshot", long_side=1280, quality=85, screen=True),
)


def launder(image: Image.Image, random: Random) -> bytes:
    """Draw a crop, a size, degradations, one or two encodings or a screenshot; return the last encoded file (JPEG, WebP, AVIF, PNG)."""
    picture = _flat(image, random)
    picture = _crop(picture, random)
    picture = _resize(picture, _target_side(picture, random), random)
    for degrade in _degradations(random):
        picture = degrade(picture)
    passed_on = random.random()
    if passed_on < 0.3:  # by a second hand: messenger, repost
        picture = Image.open(io.BytesIO(_encode(picture, random)))
        picture = _resize(picture, max(256.0, max(picture.size) * exp(random.uniform(log(0.6), log(1.2)))), random)
    elif passed_on >= 0.9:
        picture = screenshot(picture, random)
        picture = _resize(picture, max(picture.size) * exp(random.uniform(log(0.5), log(1.0))), random)
    return _encode(picture, random)


def launder_to(image: Image.Image, cell: Cell, random: Random) -> bytes:
    """Like `launder`, at one cell of the grid (the crop is still drawn)."""
    picture = _crop(_flat(image, random), random)
    side = min(cell.long_side * (1.25 if cell.messenger else 1.0), 2.0 * max(picture.size))
    picture = _resize(picture, side, random, kernel=Image.Resampling.BICUBIC)
    if cell.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(cell.blur))
    if cell.noise:
        picture = _noisy(picture, cell.noise, random)
    if cell.sharpen:
        picture = picture.filter(ImageFilter.UnsharpMask(radius=1.5, percent=120, threshold=2))
    if cell.messenger:
        picture = Image.open(io.BytesIO(_save(picture, "JPEG", quality=65, subsampling="4:2:0")))
        picture = _resize(picture, side / 1.25, random, kernel=Image.Resampling.BILINEAR)
    if cell.screen:
        picture = _resize(screenshot(picture, random), cell.long_side, random, kernel=Image.Resampling.BICUBIC)
    return _save(picture, cell.codec, quality=cell.quality, subsampling="4:2:0")


def _flat(image: Image.Image, random: Random) -> Image.Image:
    """RGB; what is transparent is laid on a drawn background, because a fixed one would tell the class."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        shade = (255, 255, 255) if random.random() < 0.4 else tuple(int(v) for v in random.integers(0, 256, 3))
        return Image.alpha_composite(Image.new("RGBA", rgba.size, (*shade, 255)), rgba).convert("RGB")
    return image.convert("RGB")


def _crop(image: Image.Image, random: Random) -> Image.Image:
    """A window of drawn shape and place, 50-100 % of the largest of that shape: no side is divisible by 64 any more."""
    aspect = _ASPECTS[int(random.integers(len(_ASPECTS)))]
    width, height = image.size
    box_width = min(width, height * aspect)
    box_height = box_width / aspect
    share = sqrt(random.uniform(0.5, 1.0))
    box_width, box_height = max(16, int(box_width * share)), max(16, int(box_height * share))
    left = int(random.integers(0, max(1, width - box_width + 1)))
    top = int(random.integers(0, max(1, height - box_height + 1)))
    return image.crop((left, top, min(width, left + box_width), min(height, top + box_height)))


def _target_side(image: Image.Image, random: Random) -> float:
    """Long side, 256 to 1280 pixels, log-uniform; at most twice what is there."""
    return min(exp(random.uniform(log(256), log(1280))), 2.0 * max(image.size))


def _resize(
    image: Image.Image, long_side: float, random: Random, *, kernel: Image.Resampling | None = None
) -> Image.Image:
    factor = long_side / max(image.size)
    drawn = _KERNELS[int(random.integers(len(_KERNELS)))]
    size = (max(32, round(image.width * factor)), max(32, round(image.height * factor)))
    return image.resize(size, kernel or drawn, reducing_gap=3.0)


def _degradations(random: Random) -> list[Callable[[Image.Image], Image.Image]]:
    chosen: list[Callable[[Image.Image], Image.Image]] = []
    if random.random() < 0.12:
        radius = random.uniform(0.3, 1.5)
        chosen.append(lambda picture: picture.filter(ImageFilter.GaussianBlur(radius)))
    if random.random() < 0.12:
        percent = int(random.integers(40, 160))
        chosen.append(lambda picture: picture.filter(ImageFilter.UnsharpMask(radius=1.5, percent=percent, threshold=2)))
    if random.random() < 0.12:
        sigma = random.uniform(1, 8)
        chosen.append(lambda picture: _noisy(picture, sigma, random))
    if random.random() < 0.12:
        gamma = random.uniform(0.85, 1.18)
        chosen.append(lambda picture: picture.point([round(255 * (v / 255) ** gamma) for v in range(256)] * 3))
    return chosen


def _noisy(image: Image.Image, sigma: float, random: Random) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    noise = random.standard_normal(pixels.shape, np.float32) * sigma
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _encode(image: Image.Image, random: Random) -> bytes:
    kind = random.random()
    if kind < 0.72:
        subsampling = "4:2:0" if random.random() < 0.7 else "4:4:4"
        return _save(image, "JPEG", quality=int(random.integers(50, 99)), subsampling=subsampling)
    if kind < 0.86:
        return _save(image, "WEBP", quality=int(random.integers(50, 96)), method=2)
    if kind < 0.92:
        return _save(image, "AVIF", quality=int(random.integers(45, 91)), speed=9)
    return _save(image, "PNG", compress_level=1)


def _save(image: Image.Image, codec: str, **options: object) -> bytes:
    file = io.BytesIO()
    if codec != "JPEG":
        options.pop("subsampling", None)
    image.convert("RGB").save(file, codec, **options)
    return file.getvalue()
