"""A face that is drawn here, plain enough for a few lines and enough of a face to be found."""

from PIL import Image, ImageDraw, ImageFilter

SKIN, SHADE, HAIR, LIPS = (214, 166, 140), (178, 128, 106), (52, 36, 28), (170, 84, 80)


def drawn_face(side: int = 240) -> Image.Image:
    """A portrait of `side` pixels; the face takes about half of its width."""
    unit = side / 240
    image = Image.new("RGB", (side, side), (96, 118, 140))
    draw = ImageDraw.Draw(image)

    def oval(x: int, y: int, width: int, height: int, colour: tuple[int, int, int]) -> None:
        draw.ellipse([(x - width) * unit, (y - height) * unit, (x + width) * unit, (y + height) * unit], fill=colour)

    oval(120, 270, 90, 60, (60, 60, 90))  # shoulders
    draw.rectangle([92 * unit, 180 * unit, 148 * unit, 225 * unit], fill=SHADE)  # neck
    oval(120, 112, 76, 92, HAIR)
    oval(120, 128, 60, 78, SKIN)
    for x in (94, 146):
        oval(x, 112, 17, 11, SHADE)
        oval(x, 113, 12, 6, (236, 232, 228))
        oval(x, 113, 6, 6, (70, 48, 36))
        draw.line([(x - 15) * unit, 98 * unit, (x + 15) * unit, 96 * unit], fill=HAIR, width=max(1, round(5 * unit)))
    draw.polygon([(120 * unit, 112 * unit), (110 * unit, 150 * unit), (130 * unit, 150 * unit)], fill=SHADE)
    oval(120, 174, 22, 7, LIPS)
    draw.line([100 * unit, 174 * unit, 140 * unit, 174 * unit], fill=(110, 48, 48), width=max(1, round(2 * unit)))
    return image.filter(ImageFilter.GaussianBlur(2 * unit))


def crowd(*places: tuple[int, int, int], size: tuple[int, int] = (900, 600)) -> Image.Image:
    """A plain picture with drawn portraits at (left, top, side)."""
    image = Image.new("RGB", size, (120, 130, 120))
    for left, top, side in places:
        image.paste(drawn_face(side), (left, top))
    return image
