"""What the embedded generator paints with: palettes, smooth noise, gradients, light. Pillow and the standard library only.

Rules: everything random comes from the `random.Random` that is handed in, so that the same prompt and seed give the same
picture; Pillow's own noise is not used, because it cannot be seeded.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageColor

Colour = tuple[int, int, int]
Size = tuple[int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Painting:
    """A picture (RGB) and one sentence of alt text."""

    image: Image.Image
    alt_text: str


PALETTES: dict[str, tuple[str, ...]] = {  # dark to light
    "dusk": ("#0b1033", "#3b1c5a", "#8c2f63", "#e0604c", "#f9b35c", "#fff1c9"),
    "dawn": ("#23395b", "#406e8e", "#8ea8c3", "#f2b8a0", "#fbd9b4", "#fff8e7"),
    "night": ("#03050f", "#0a1330", "#142a5c", "#27508f", "#6f94c8", "#e6efff"),
    "forest": ("#08160f", "#16362a", "#2d5d43", "#6a9c5b", "#bcd08a", "#f6f5d7"),
    "ocean": ("#02182b", "#06395f", "#0b6a8f", "#1fa3b0", "#8ed9cd", "#f1fbf4"),
    "ember": ("#120308", "#47091a", "#93141f", "#d9451f", "#f79b2e", "#fff0b8"),
    "winter": ("#1b2a3f", "#49607f", "#8aa5c2", "#bfd2e3", "#e3ecf4", "#ffffff"),
    "desert": ("#2b1210", "#6b2d1d", "#b35a2d", "#dd9a55", "#f0cf95", "#fdf3dc"),
    "meadow": ("#14301f", "#2f6b3a", "#7fae3f", "#d8c74a", "#f4e39a", "#fffbe8"),
    "candy": ("#2a0f3d", "#6a2a86", "#c9499b", "#ff7f96", "#ffc2a6", "#fff4e4"),
    "aurora": ("#04091a", "#0b2545", "#13606f", "#1fa37c", "#8ee07f", "#f1ffd6"),
    "ink": ("#0c0c0e", "#2c2c31", "#56565e", "#8e8e96", "#c9c9cd", "#f7f6f2"),
}


def rng(*parts: object) -> random.Random:
    """A generator seeded by the text of `parts`; the same on every machine and Python version."""
    seed = hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return random.Random(int.from_bytes(seed, "big"))  # noqa: S311 it paints, it guards nothing


def stops(palette: str) -> list[Colour]:
    """The palette's colours, dark to light."""
    return [rgb(code) for code in PALETTES[palette]]


def rgb(code: str) -> Colour:
    """`#rrggbb` as three bytes."""
    red, green, blue = ImageColor.getrgb(code)[:3]
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two; `share` 0 is the first, 1 the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def tint(grey: Image.Image, colours: Sequence[Colour]) -> Image.Image:
    """Colour an L image: 0 becomes the first colour, 255 the last, evenly in between."""
    steps = len(colours) - 1
    ramp = [mix(colours[min(int(v / 255 * steps), steps - 1)], colours[min(int(v / 255 * steps), steps - 1) + 1],
                v / 255 * steps - min(int(v / 255 * steps), steps - 1)) for v in range(256)]  # fmt: skip
    return Image.merge("RGB", [grey.point([colour[band] for colour in ramp]) for band in range(3)])


def vertical(size: Size) -> Image.Image:
    """An L image that runs from 0 at the top to 255 at the bottom."""
    return Image.linear_gradient("L").resize(size, Image.Resampling.BICUBIC)


def noise(random_: random.Random, size: Size, *, cells: float, octaves: int = 5, stretch: float = 1.0) -> Image.Image:
    """Smooth fractal noise, L, full contrast. `cells` is the number of waves over the long edge; `stretch` widens them."""
    long_edge = max(size)
    field: Image.Image | None = None
    for octave in range(octaves):
        scale = cells * 2**octave
        grid = (
            max(2, min(size[0], round(scale * size[0] / long_edge / stretch)) + 1),
            max(2, min(size[1], round(scale * size[1] / long_edge)) + 1),
        )
        layer = Image.frombytes("L", grid, random_.randbytes(grid[0] * grid[1])).resize(size, Image.Resampling.BICUBIC)
        field = (
            layer if field is None else Image.blend(field, layer, 0.5**octave / sum(0.5**k for k in range(octave + 1)))
        )
    assert field is not None
    return stretched(field)


def stretched(grey: Image.Image) -> Image.Image:
    """Spread an L image over the whole range from 0 to 255."""
    low, high = grey.getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    return grey.point([round(min(max((v - low) * 255 / max(high - low, 1), 0), 255)) for v in range(256)])


def thresholded(grey: Image.Image, low: int, high: int, *, top: int = 255) -> Image.Image:
    """A mask: 0 below `low`, `top` above `high`, a smooth step between."""

    def step(value: int) -> int:
        t = min(max((value - low) / max(high - low, 1), 0.0), 1.0)
        return round(t * t * (3 - 2 * t) * top)

    return grey.point([step(value) for value in range(256)])


def glow(
    image: Image.Image, centre: tuple[float, float], radius: float, colour: Colour, strength: float = 1.0
) -> Image.Image:
    """Add a round light to an RGB image (screen blending). `centre` and `radius` in pixels."""
    edge = max(2, round(radius * 2))
    disc = Image.radial_gradient("L").point([round(max(0.0, 1 - v / 181) ** 2 * 255 * strength) for v in range(256)])
    mask = Image.new("L", image.size)
    mask.paste(
        disc.resize((edge, edge), Image.Resampling.BICUBIC), (round(centre[0] - radius), round(centre[1] - radius))
    )
    light = Image.new("RGB", image.size)
    light.paste(colour, mask=mask)
    return ImageChops.screen(image, light)


def lit(image: Image.Image, height: Image.Image, *, depth: int = 2, strength: float = 0.5) -> Image.Image:
    """Light an RGB image from the upper left as if `height` (L) were its relief."""
    slope = ImageChops.subtract(height, ImageChops.offset(height, depth, depth), scale=1 / 6, offset=128)
    return Image.blend(image, ImageChops.overlay(image, Image.merge("RGB", [slope] * 3)), strength)


def warped(image: Image.Image, random_: random.Random, *, cells: int = 12, amount: float = 0.5) -> Image.Image:
    """Bend an image smoothly: a mesh of `cells` × `cells` whose corners are moved by up to `amount` of a cell."""
    width, height = image.size
    corners = [
        [
            (
                min(max(width * (i + random_.uniform(-amount, amount)) / cells, 0), width - 1),
                min(max(height * (j + random_.uniform(-amount, amount)) / cells, 0), height - 1),
            )
            for i in range(cells + 1)
        ]
        for j in range(cells + 1)
    ]
    mesh = [
        (
            (width * i // cells, height * j // cells, width * (i + 1) // cells, height * (j + 1) // cells),
            (*corners[j][i], *corners[j + 1][i], *corners[j + 1][i + 1], *corners[j][i + 1]),
        )
        for j in range(cells)
        for i in range(cells)
    ]
    return image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)


def fitted(size: Size, long_edge: int) -> Size:
    """`size` scaled down to at most `long_edge` pixels, for what is costly to compute."""
    scale = min(1.0, long_edge / max(size))
    return max(8, round(size[0] * scale)), max(8, round(size[1] * scale))
