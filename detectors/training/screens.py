"""A picture as a screenshot shows it: in a post, a chat or a window, with the text, bars and buttons of a program around it.

Rules: everything is drawn anew for every picture from its random state alone, so that no frame tells the class; the picture is
shown whole, at the width that the program gives it.
"""

from functools import cache
from string import ascii_lowercase

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Random = np.random.Generator
Colour = tuple[int, int, int]
_WIDTHS = (720, 828, 1080, 1170, 1280)  # pixels; phones, a tablet, a window
_THEMES: tuple[tuple[Colour, Colour, Colour], ...] = (  # ground, text, quiet text and lines
    ((255, 255, 255), (15, 20, 25), (207, 217, 222)),
    ((250, 250, 250), (38, 38, 38), (219, 219, 219)),
    ((0, 0, 0), (231, 233, 234), (62, 65, 68)),
    ((21, 32, 43), (247, 249, 249), (56, 68, 77)),
    ((236, 229, 221), (17, 27, 33), (200, 196, 188)),
)


def screenshot(picture: Image.Image, random: Random) -> Image.Image:
    """An RGB picture of any size inside a drawn screen, RGB: 720 to 1280 pixels wide, as high as the picture at 0.76 to 1 of that
    width and 0 to 1.1 widths of text besides; half of them are cut close to the picture."""
    width = _WIDTHS[int(random.integers(len(_WIDTHS)))]
    ground, ink, quiet = _THEMES[int(random.integers(len(_THEMES)))]
    margin = int(width * random.choice((0.0, 0.03, 0.05, 0.12)))
    shown_width = width - 2 * margin
    shown = picture.resize((shown_width, max(1, round(picture.height * shown_width / picture.width))), reducing_gap=3.0)
    above, below = (int(width * random.uniform(0.0, 0.55)) for _ in range(2))
    if random.random() < 0.5:
        above, below = above // 3, below // 3  # cut close
    screen = Image.new("RGB", (width, above + shown.height + below), ground)
    draw = ImageDraw.Draw(screen)
    _write(draw, (0, 0, width, above), ink, quiet, random)
    screen.paste(shown, (margin, above))
    _write(draw, (0, above + shown.height, width, screen.height), ink, quiet, random)
    return screen


def _write(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], ink: Colour, quiet: Colour, random: Random
) -> None:
    """Fill a box with lines of text, a portrait's disc, a rule or a row of buttons, as far as there is room."""
    left, top, right, bottom = box
    unit = (right - left) // 27
    y = top + unit // 2
    while y + 2 * unit < bottom:
        kind = random.random()
        if kind < 0.2:
            colour = tuple(int(value) for value in random.integers(40, 220, 3))
            draw.ellipse((left + unit, y, left + 3 * unit, y + 2 * unit), fill=colour)
            _line(draw, left + 4 * unit, y + unit // 2, unit, ink, random, letters=16)
            y += 3 * unit
        elif kind < 0.35:
            draw.line((left, y, right, y), fill=quiet, width=2)
            y += unit
        elif kind < 0.5:
            for column in range(4):
                x = left + unit + column * (right - left) // 4
                draw.rounded_rectangle((x, y, x + unit, y + unit), radius=unit // 4, outline=quiet, width=3)
                _line(draw, x + 3 * unit // 2, y, 3 * unit // 4, quiet, random, letters=4)
            y += 2 * unit
        else:
            _line(draw, left + unit, y, unit, ink, random, letters=int(random.integers(8, 44)))
            y += 3 * unit // 2


def _line(
    draw: ImageDraw.ImageDraw, x: int, y: int, size: int, colour: Colour, random: Random, *, letters: int
) -> None:
    drawn = random.integers(0, len(ascii_lowercase) + 5, letters)
    text = "".join(ascii_lowercase[index] if index < len(ascii_lowercase) else " " for index in drawn)
    draw.text((x, y), text, fill=colour, font=_font(size))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, which it would read anew for every line."""
    return ImageFont.load_default(size)
