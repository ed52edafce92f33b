"""Pictures without a horizon: Julia sets, stained glass, marbling, geometric tiles, posters.

Rules: a painter is a function of a size, a palette, a text and a `random.Random`, and of nothing else; its sentence names
only what was really painted.
"""

import math
import random
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageMath

from assay.provenance.generating.canvas import (
    Colour,
    Painting,
    Point,
    Size,
    fitted,
    glow,
    lit,
    mix,
    noise,
    stops,
    stretched,
    tint,
    vertical,
    warped,
)
from assay.provenance.text import plain


def julia(size: Size, palette: str, text: str, random_: random.Random) -> Painting:
    """A Julia set: what lingers near the origin is light, what escapes is dark."""
    real, imaginary = random_.choice(
        [
            (-0.8, 0.156),
            (-0.4, 0.6),
            (0.285, 0.01),
            (-0.7018, -0.3842),
            (-0.835, -0.2321),
            (-0.7269, 0.1889),
            (-0.1, 0.651),
        ]
    )
    real, imaginary = real + random_.uniform(-0.004, 0.004), imaginary + random_.uniform(-0.004, 0.004)
    small = fitted(size, 640)
    reach, turn = random_.uniform(0.9, 1.35), random_.uniform(0, math.tau)
    aspect = small[0] / small[1]
    across = vertical((small[1], small[0])).rotate(90, expand=True).convert("F").point(lambda v: v * (2 / 255) - 1)
    down = vertical(small).convert("F").point(lambda v: v * (2 / 255) - 1)

    def iterate(field: dict[str, Any]) -> Any:
        u, v = field["u"] * (reach * max(aspect, 1)), field["v"] * (reach * max(1 / aspect, 1))
        x, y = u * math.cos(turn) - v * math.sin(turn), u * math.sin(turn) + v * math.cos(turn)
        total = x * 0.0
        for _ in range(64):  # what lingers near the origin gathers light; what escapes stays dark, without bands
            xx, yy = x * x, y * y
            total = total + 1.0 / (1.0 + xx + yy)
            y = field["min"](field["max"](x * y * 2.0 + imaginary, -1e4), 1e4)
            x = field["min"](field["max"](xx - yy + real, -1e4), 1e4)
        return total**0.3

    light = ImageMath.lambda_eval(iterate, u=across, v=down)
    low, high = light.getextrema()
    gain = 255 / max(high - low, 1e-6)
    grey = light.point(lambda value: value * gain - low * gain).convert("L")
    flat = _equalised(grey)
    image = lit(tint(flat, [*stops(palette), stops(palette)[2]]), flat, depth=1, strength=0.35)
    return Painting(
        image.resize(size, Image.Resampling.LANCZOS),
        f"Abstract fractal in {palette} colours: a Julia set whose spirals repeat themselves ever smaller.",
    )


def voronoi(size: Size, palette: str, text: str, random_: random.Random) -> Painting:
    """Stained glass: the cells of scattered points, leaded and lit from behind."""
    width, height = size[0] * 2, size[1] * 2
    count = random_.randint(70, 130)
    sites = [(random_.uniform(0, width), random_.uniform(0, height)) for _ in range(count)]
    cells = [_cell(site, sites, width, height) for site in sites]
    sites = [_centre(cell) for cell in cells]  # one step of Lloyd's relaxation: cells of like size
    colours = stops(palette)
    hue = noise(random_, (64, 64), cells=3, octaves=3)
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    lead = max(3, round(max(size) / 110))
    panes = [_cell(site, sites, width, height) for site in sites]
    ramp = tint(Image.linear_gradient("L").resize((1, 256)), colours[1:])
    for site, pane in zip(sites, panes, strict=True):
        level = hue.getpixel((min(int(site[0] / width * 64), 63), min(int(site[1] / height * 64), 63)))
        assert isinstance(level, int)
        shade = ramp.getpixel((0, min(max(level + random_.randint(-45, 45), 0), 255)))
        draw.polygon(pane, fill=shade)
    image = image.reduce(2)
    texture = noise(random_, size, cells=24, octaves=4)
    image = lit(ImageChops.soft_light(image, Image.merge("RGB", [texture] * 3)), texture, depth=1, strength=0.3)
    image = glow(
        image,
        (size[0] * random_.uniform(0.25, 0.75), size[1] * random_.uniform(0.2, 0.6)),
        max(size) * 0.7,
        colours[5],
        0.5,
    )
    leading = Image.new("L", (width, height))
    pen = ImageDraw.Draw(leading)
    for pane in panes:
        pen.line([*pane, pane[0], pane[1]], fill=255, width=lead, joint="curve")
    image.paste(Image.new("RGB", size, mix(colours[0], (0, 0, 0), 0.6)), mask=leading.reduce(2))
    return Painting(image, f"Stained-glass pattern of {count} irregular panes in {palette} colours, lit from behind.")


def plasma(size: Size, palette: str, text: str, random_: random.Random) -> Painting:
    """Marbled colour: noise folded through a sine and bent."""
    small = fitted(size, 768)
    field = warped(noise(random_, small, cells=3, octaves=5), random_, cells=9, amount=0.55)
    folds = random_.uniform(1.5, 3.0)
    phase = random_.uniform(0, math.tau)
    veins = field.point([round(127.5 + 127.5 * math.sin(v / 255 * folds * math.tau + phase)) for v in range(256)])
    veins = stretched(warped(veins, random_, cells=7, amount=0.5).filter(ImageFilter.GaussianBlur(1.2)))
    image = lit(tint(veins, stops(palette)), veins, depth=2, strength=0.55)
    return Painting(
        image.resize(size, Image.Resampling.LANCZOS),
        f"Abstract marbled swirls in {palette} colours, glossy like poured paint.",
    )


def geometric(size: Size, palette: str, text: str, random_: random.Random) -> Painting:
    """A grid of quarter circles, discs, triangles and stripes, after the posters of the 1920s."""
    across = random_.randint(4, 7)
    tile = math.ceil(max(size) / across) * 2
    columns, rows = math.ceil(size[0] * 2 / tile), math.ceil(size[1] * 2 / tile)
    colours = stops(palette)
    image = Image.new("RGB", (columns * tile, rows * tile))
    draw = ImageDraw.Draw(image)
    for row in range(rows):
        for column in range(columns):
            x, y = column * tile, row * tile
            ground, figure, accent = random_.sample(colours, 3)
            draw.rectangle([x, y, x + tile, y + tile], fill=ground)
            _motif(draw, (x, y), tile, (figure, accent), random_)
    image = image.crop((0, 0, size[0] * 2, size[1] * 2)).reduce(2)
    paper = noise(random_, size, cells=60, octaves=3).point([118 + v // 13 for v in range(256)])
    return Painting(
        ImageChops.overlay(image, Image.merge("RGB", [paper] * 3)),
        f"Geometric pattern in {palette} colours: a grid of {columns} by {rows} tiles with quarter circles, discs, triangles and stripes.",
    )


def poster(size: Size, palette: str, text: str, random_: random.Random) -> Painting:
    """The prompt itself, set large over rays and a disc."""
    width, height = size
    colours = stops(palette)
    image = tint(vertical((width * 2, height * 2)), [colours[1], colours[3], colours[4]])
    draw = ImageDraw.Draw(image, "RGBA")
    centre = (width * 2 * random_.uniform(0.3, 0.7), height * 2 * random_.uniform(0.55, 0.75))
    rays, turn, reach = random_.randint(14, 24), random_.uniform(0, 1), 4.0 * max(size)
    for ray in range(rays):
        angles = [(turn + ray + edge) * math.tau / rays for edge in (0, 0.5)]
        draw.polygon(
            [centre, *((centre[0] + reach * math.cos(a), centre[1] + reach * math.sin(a)) for a in angles)],
            fill=(*colours[4], 90),
        )
    for ring, colour in enumerate((colours[2], colours[5], colours[3])):
        r = min(size) * (0.62 - 0.17 * ring)
        draw.ellipse([centre[0] - r, centre[1] - r, centre[0] + r, centre[1] + r], fill=(*colour, 255))
    image = image.reduce(2)
    draw = ImageDraw.Draw(image)
    margin = round(min(size) * 0.07)
    title = plain(" ".join(text.split()[:8]).upper(), limit=80) or "UNTITLED"
    font, lines = _set(title, width - 2 * margin, height * 0.62)
    pitch = font.size * 1.08
    for number, line in enumerate(lines):
        y = margin + number * pitch
        draw.text(
            (margin + font.size * 0.03, y + font.size * 0.03), line, font=font, fill=mix(colours[0], colours[1], 0.3)
        )
        draw.text((margin, y), line, font=font, fill=colours[5])
    foot = height - margin
    draw.rectangle([margin, foot, width - margin, foot + max(2, margin // 12)], fill=colours[5])
    return Painting(
        image, f"Poster in {palette} colours: the words “{title}” in capitals over rays and a target of three discs."
    )


def _equalised(grey: Image.Image) -> Image.Image:
    """Give every tone the same area, half-way: all of it would drown the quiet parts in noise."""
    counts = grey.histogram()
    total, running, ramp = sum(counts), 0, []
    for value, count in enumerate(counts):
        running += count
        ramp.append(round(0.5 * running / total * 255 + 0.5 * value))
    return grey.point(ramp)


def _cell(site: Point, sites: list[Point], width: int, height: int) -> list[Point]:
    """The Voronoi cell of `site`: the frame, cut by the bisector with every other site near enough to matter."""
    cell: list[Point] = [(0, 0), (width, 0), (width, height), (0, height)]
    for other in sorted(sites, key=lambda o: (o[0] - site[0]) ** 2 + (o[1] - site[1]) ** 2)[1:40]:
        dx, dy = other[0] - site[0], other[1] - site[1]
        limit = (other[0] ** 2 + other[1] ** 2 - site[0] ** 2 - site[1] ** 2) / 2
        clipped: list[Point] = []
        for a, b in zip(cell, cell[1:] + cell[:1], strict=True):
            here, there = a[0] * dx + a[1] * dy - limit, b[0] * dx + b[1] * dy - limit
            if here <= 0:
                clipped.append(a)
            if (here < 0 < there) or (there < 0 < here):
                share = here / (here - there)
                clipped.append((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
        if len(clipped) >= 3:
            cell = clipped
    return cell


def _centre(cell: list[Point]) -> Point:
    return sum(x for x, _ in cell) / len(cell), sum(y for _, y in cell) / len(cell)


def _motif(
    draw: ImageDraw.ImageDraw, at: Point, tile: int, colours: tuple[Colour, Colour], random_: random.Random
) -> None:
    x, y = at
    figure, accent = colours
    match random_.randrange(6):
        case 0 | 1:  # a quarter circle in one corner, a smaller one inside it
            cx, cy = x + tile * random_.randrange(2), y + tile * random_.randrange(2)
            window = (x, y, x + tile, y + tile)
            for radius, colour in ((tile, figure), (tile * 0.5, accent)):
                _clipped_disc(draw, (cx, cy), radius, colour, window)
        case 2:
            for radius, colour in ((tile * 0.4, figure), (tile * 0.18, accent)):
                draw.ellipse(
                    [x + tile / 2 - radius, y + tile / 2 - radius, x + tile / 2 + radius, y + tile / 2 + radius],
                    fill=colour,
                )
        case 3:
            corners = [(x, y), (x + tile, y), (x + tile, y + tile), (x, y + tile)]
            draw.polygon(random_.sample(corners, 3), fill=figure)
        case 4:
            stripes = 5
            for stripe in range(0, stripes, 2):
                draw.rectangle(
                    [x, y + tile * stripe / stripes, x + tile, y + tile * (stripe + 1) / stripes - 1], fill=figure
                )
        case _:
            draw.pieslice(
                [x + tile * 0.1, y + tile * 0.1, x + tile * 0.9, y + tile * 0.9],
                *random_.choice([(0, 180), (90, 270), (180, 360), (270, 450)]),
                fill=figure,
            )


def _clipped_disc(
    draw: ImageDraw.ImageDraw, centre: Point, radius: float, colour: Colour, window: tuple[float, float, float, float]
) -> None:
    """A disc round a corner of `window`, of which only the quarter inside it is painted."""
    left, top, right, bottom = window
    start = {(True, True): 0, (False, True): 90, (False, False): 180, (True, False): 270}[
        (centre[0] == left, centre[1] == top)
    ]
    draw.pieslice(
        [centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius], start, start + 90, fill=colour
    )
    del right, bottom


def _set(title: str, width: float, height: float) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """The largest type in which `title` fits into `width` × `height`, and its lines."""
    words = title.split()
    points = max(10, round(height * 0.6))
    while True:
        font = ImageFont.load_default(points)
        assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow without FreeType has no scalable type
        lines = [""]
        for word in words:
            longer = f"{lines[-1]} {word}".strip()
            if font.getlength(longer) <= width or not lines[-1]:
                lines[-1] = longer
            else:
                lines.append(word)
        if (max(map(font.getlength, lines)) <= width and len(lines) * points * 1.08 <= height) or points <= 10:
            return font, lines
        points = max(10, points - 4)
