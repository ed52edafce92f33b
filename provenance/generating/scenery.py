"""Scenes with a horizon: mountains under a sky, a branching tree.

Rules: a painter is a function of a size, a palette, a text and a `random.Random`, and of nothing else; its sentence names
only what was really painted.
"""

import math
import random
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from assay.provenance.generating.canvas import (
    Colour,
    Painting,
    Point,
    Size,
    glow,
    mix,
    noise,
    stops,
    thresholded,
    tint,
    vertical,
)


def landscape(size: Size, palette: str, text: str, random_: random.Random) -> Painting:
    """Ridges behind ridges under a sky, often above water."""
    width, height = size
    colours = stops(palette)
    water = random_.random() < 0.55 or any(word in text for word in ("lake", "sea", "ocean", "water", "fjord", "river"))
    night = palette in ("night", "aurora")
    horizon = round(height * (random_.uniform(0.56, 0.66) if water else 0.98))
    image = tint(vertical((width, horizon)), colours[:4] if night else colours[1:])
    sun = (width * random_.uniform(0.2, 0.8), horizon * random_.uniform(0.18, 0.38))
    radius = max(size) * random_.uniform(0.025, 0.05)
    parts = []
    if night:
        parts.append(_stars(image, random_))
    if palette == "aurora":
        veil = ImageChops.multiply(
            noise(random_, image.size, cells=3, stretch=0.3), ImageChops.invert(vertical(image.size))
        )
        image = ImageChops.screen(
            image, ImageChops.multiply(tint(veil, [(0, 0, 0), *colours[2:5]]), tint(veil, [(0, 0, 0), (255, 255, 255)]))
        )
        parts.append("a green aurora")
    image = glow(image, sun, radius * 9, mix(colours[4], colours[5], 0.3), 0.55 if night else 0.8)
    clouds = thresholded(noise(random_, image.size, cells=4, stretch=3.5), 135, 215, top=120 if night else 190)
    image.paste(Image.new("RGB", image.size, mix(colours[4], colours[5], 0.6)), mask=clouds)
    disc = Image.new("L", (width * 2, horizon * 2))
    ImageDraw.Draw(disc).ellipse(
        [2 * (sun[0] - radius), 2 * (sun[1] - radius), 2 * (sun[0] + radius), 2 * (sun[1] + radius)], fill=255
    )
    image.paste(Image.new("RGB", image.size, colours[5]), mask=disc.reduce(2))
    parts.append("a pale moon" if night else "a bright sun")

    layers = random_.randint(4, 6)
    haze = mix(colours[3], colours[4], 0.45) if not night else mix(colours[2], colours[3], 0.6)
    for layer in range(layers):
        near = (layer + 1) / layers
        base = horizon * (0.7 + 0.29 * near)
        ridge = _ridge(random_, width, base, horizon * (0.27 - 0.15 * near), roughness=0.6 - 0.12 * near)
        mask = Image.new("L", (width * 2, horizon * 2))
        ImageDraw.Draw(mask).polygon(
            [(x * 2, y * 2) for x, y in ridge] + [(width * 2, horizon * 2), (0, horizon * 2)], fill=255
        )
        if near == 1 and palette in ("forest", "meadow", "winter", "dusk", "night", "aurora"):
            _conifers(ImageDraw.Draw(mask), ridge, random_, horizon)
        shade = tint(vertical(image.size), [mix(haze, colours[0], near**1.2), mix(haze, colours[1], 0.55 * near + 0.1)])
        image.paste(shade, mask=mask.reduce(2))
    if not water:
        image = image.resize(size, Image.Resampling.BICUBIC)
        return Painting(
            image,
            f"Landscape in {palette} colours: {layers} mountain ridges one behind the other under {_listed(parts)}.",
        )
    canvas = Image.new("RGB", size)
    canvas.paste(image)
    canvas.paste(_reflection(image, (width, height - horizon), colours[1], random_), (0, horizon))
    return Painting(
        canvas,
        f"Landscape in {palette} colours: {layers} mountain ridges under {_listed(parts)}, mirrored in still water.",
    )


def tree(size: Size, palette: str, text: str, random_: random.Random) -> Painting:
    """A tree that branches in itself, on a hill."""
    width, height = size[0] * 2, size[1] * 2
    colours = stops(palette)
    image = glow(
        tint(vertical(size), colours[2:]), (size[0] / 2, size[1] * 0.7), max(size) * 0.6, colours[5], 0.7
    ).resize((width, height))
    draw = ImageDraw.Draw(image)
    draw.ellipse([-width * 0.4, height * 0.88, width * 1.4, height * 1.6], fill=mix(colours[0], colours[1], 0.4))
    spread, shrink = random_.uniform(0.35, 0.55), random_.uniform(0.74, 0.79)
    branches = [((width / 2, height * 0.92), -math.pi / 2, height * 0.2, height / 34)]
    tips: list[Point] = []
    for _ in range(11):
        grown = []
        for (x, y), angle, length, thick in branches:
            end = (x + length * math.cos(angle), y + length * math.sin(angle))
            draw.line([(x, y), end], fill=colours[0], width=max(1, round(thick)))
            grown += [
                (
                    end,
                    angle + side * spread * random_.uniform(0.6, 1.3),
                    length * shrink * random_.uniform(0.85, 1.1),
                    thick * 0.68,
                )
                for side in (-1, 1)
            ]
        branches = grown
    tips = [start for start, *_ in branches]
    for x, y in tips:
        r = height / 240 * random_.uniform(0.6, 1.6)
        draw.ellipse([x - r, y - r, x + r, y + r], fill=random_.choice(colours[3:]))
    return Painting(
        image.reduce(2),
        f"A branching tree on a hill in {palette} colours, its twigs dotted with blossom, before a glowing sky.",
    )


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def _stars(image: Image.Image, random_: random.Random) -> str:
    draw = ImageDraw.Draw(image)
    for _ in range(image.width * image.height // 2500):
        x, y = random_.uniform(0, image.width), random_.uniform(0, image.height) * random_.random()
        shine = random_.randint(120, 255)
        radius = random_.choice((0, 0, 0, 0.5, 1)) * max(image.size) / 1000
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=(shine, shine, min(255, shine + 20)))
    return "stars"


def _ridge(random_: random.Random, width: int, base: float, amplitude: float, *, roughness: float) -> list[Point]:
    """A skyline by midpoint displacement, left to right."""
    heights = [random_.uniform(0, amplitude), random_.uniform(0, amplitude)]
    reach = amplitude
    while len(heights) < width / 3:
        middles = [(a + b) / 2 + random_.uniform(-reach, reach) / 2 for a, b in pairwise(heights)]
        heights = [h for pair in zip(heights, middles, strict=False) for h in pair] + heights[-1:]
        reach *= roughness
    return [(width * i / (len(heights) - 1), base - h) for i, h in enumerate(heights)]


def _conifers(draw: ImageDraw.ImageDraw, ridge: list[Point], random_: random.Random, height: int) -> None:
    for x, y in ridge:
        if random_.random() < 0.45:
            tall = height * random_.uniform(0.02, 0.06)
            for tier in range(3):
                top, half = tall * (1 - 0.28 * tier), tall * (0.11 + 0.05 * tier)
                draw.polygon(
                    [
                        (2 * x, 2 * (y - top)),
                        (2 * (x - half), 2 * (y - top + tall * 0.5)),
                        (2 * (x + half), 2 * (y - top + tall * 0.5)),
                    ],
                    fill=255,
                )
            draw.line([2 * x, 2 * (y - tall * 0.2), 2 * x, 2 * y + 2], fill=255, width=max(1, round(tall / 10)))


def _reflection(above: Image.Image, size: Size, depth: Colour, random_: random.Random) -> Image.Image:
    width, height = size
    mirrored = (
        above.transpose(Image.Transpose.FLIP_TOP_BOTTOM).crop((0, 0, width, min(height, above.height))).resize(size)
    )
    rows = min(height, max(16, height // 5))
    mesh = []
    for row in range(rows):  # ripples: strips shifted sideways, more so the nearer they are
        top, bottom = height * row // rows, height * (row + 1) // rows
        shift = random_.uniform(-1, 1) * width * 0.012 * (0.2 + row / rows)
        mesh.append(((0, top, width, bottom), (shift, top, shift, bottom, width + shift, bottom, width + shift, top)))
    rippled = mirrored.transform(size, Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)
    rippled.paste(mirrored, mask=Image.eval(rippled.convert("L"), lambda v: 255 if v == 0 else 0))
    blurred = rippled.filter(ImageFilter.BoxBlur((3, 1)))
    dark = Image.new("RGB", size, depth)
    return Image.composite(dark, blurred, vertical(size).point([40 + v // 3 for v in range(256)]))
