"""The picture as fingerprints see it: upright, grey, small, and cut into the places that are looked at.

Rules: a place is a box of fractions (left, top, right, bottom) of the picture; every place is squeezed to one size before it
is hashed, so that a hash does not depend on the picture's resolution.
"""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.provenance.decoding import upright, within

Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
SIDE = 64  # pixels, the size at which PDQ takes its cosine transform
EDGE = 512  # pixels of the working picture's long side
INSET = 0.15  # what the core leaves away at each edge: the most that a crop may have taken there
REGIONS: dict[str, Box] = {"whole": WHOLE, "core": (INSET, INSET, 1 - INSET, 1 - INSET)}

TURNS: tuple[Image.Transpose | None, ...] = (
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
)
_STEP = 0.05  # of cropping; a cut between two steps still lies within the hash's tolerance
_BARS = (0.06, 0.1, 0.14, 0.18, 0.22)  # shares of the copy's height that a caption bar may take
_FLAT = 6.0  # standard deviation in grey levels below which a row or column shows nothing
_STEP_IN_GREY = 3  # grey levels between two neighbours that make a step
_LINE_SEEN = 0.25  # share of a row or column that must be a step, to be looked at
_SIDE_SEEN = 0.6  # share of a rectangle's side that must be a step
_LINES, _FRAMES = 8, 12  # most lines of either direction, most rectangles
_LEAST = 0.3  # share of the copy that its content must have, to be believed


@dataclass(frozen=True, slots=True)
class View:
    """One guess at what was done to a copy: which place of it shows which region of the original, after which turn.

    `name` says it in words.
    """

    name: str
    box: Box
    region: str
    turn: Image.Transpose | None = None


def ground(image: Image.Image) -> Image.Image:
    """The working picture: upright, grey, at most 512 pixels on its long side."""
    if image.mode in ("RGB", "L") and (factor := max(image.size) // (2 * EDGE)) > 1:
        image = image.reduce(factor)
    return within(upright(image), EDGE, Image.Resampling.BILINEAR).convert("L")


def cut(picture: Image.Image, box: Box, turn: Image.Transpose | None = None, *, side: int = SIDE) -> Image.Image:
    """A place of a working picture, squeezed to a square and turned."""
    width, height = picture.size
    left, top, right, bottom = (min(1.0, max(0.0, share)) for share in box)
    corners = (left * width, top * height, right * width, bottom * height)
    square = picture.resize((side, side), Image.Resampling.BILINEAR, box=corners)
    return square.transpose(turn) if turn is not None else square


def first_views(picture: Image.Image) -> tuple[View, ...]:
    """The likely guesses: the whole picture in eight positions, without flat borders, without a caption bar."""
    views = [View("whole" if turn is None else f"turned ({turn.name.lower()})", WHOLE, "whole", turn) for turn in TURNS]
    content = content_box(picture)
    if content != WHOLE:
        views.append(View("within its borders", content, "whole"))
    for left, top, right, bottom in dict.fromkeys((content, WHOLE)):  # the flat part may be the picture's own
        for bar in _BARS:
            height = bottom - top
            views.append(View("above a caption bar", (left, top, right, bottom - bar * height), "whole"))
            views.append(View("below a caption bar", (left, top + bar * height, right, bottom), "whole"))
    return tuple(views)


def crop_views() -> tuple[View, ...]:
    """Guesses at a crop: the place of the copy that shows the core, for every pair of cuts of at most 15 % together."""
    spans = []
    steps = round(INSET / _STEP)
    for before, after in product(range(steps + 1), repeat=2):
        if before + after <= steps:
            start, end = before * _STEP, 1 - after * _STEP  # what is left of the original along this axis
            spans.append(((INSET - start) / (end - start), (1 - INSET - start) / (end - start)))
    return tuple(View("cropped", (x[0], y[0], x[1], y[1]), "core") for x, y in product(spans, repeat=2))


def framed_views(picture: Image.Image) -> tuple[View, ...]:
    """Guesses at a picture shown on a page: the rectangles whose sides are straight steps in brightness, the surest first.

    Unlike `content_box` this finds pictures whose own margins are flat, as long as the page has another brightness. A side
    counts where at least 60 % of it is a step; the edges of the copy itself count as sides.
    """
    grey = np.asarray(picture, np.int16)
    across, along = (np.abs(np.diff(grey, axis=axis)) > _STEP_IN_GREY for axis in (0, 1))
    rows, columns = _lines(across.mean(axis=1)), _lines(along.mean(axis=0))
    height, width = grey.shape
    found = []
    for (top, bottom), (left, right) in product(combinations(rows, 2), combinations(columns, 2)):
        if (bottom - top) * (right - left) < _LEAST * height * width or (top, bottom, left, right) == (
            0,
            height,
            0,
            width,
        ):
            continue
        sides = [across[y - 1, left:right].mean() for y in (top, bottom) if 0 < y < height]
        sides += [along[top:bottom, x - 1].mean() for x in (left, right) if 0 < x < width]
        if min(sides) >= _SIDE_SEEN:
            found.append((min(sides), (left / width, top / height, right / width, bottom / height)))
    found.sort(key=lambda one: -one[0])
    return tuple(View("within a frame", box, "whole") for _, box in found[:_FRAMES])


def _lines(steps: NDArray[np.float64]) -> list[int]:
    """Where the longest straight steps are, as first row (or column) behind each; with both ends of the picture."""
    inner = np.concatenate(([0.0], steps, [0.0]))
    peaks = np.flatnonzero((inner[1:-1] >= inner[:-2]) & (inner[1:-1] > inner[2:]) & (steps >= _LINE_SEEN))
    longest = peaks[np.argsort(-steps[peaks], kind="stable")][:_LINES]
    return sorted({0, *(int(at) + 1 for at in longest), steps.size + 1})


def content_box(picture: Image.Image) -> Box:
    """The longest stretch of rows, then of columns, that shows something: a picture without its flat surroundings."""
    grey = np.asarray(picture, np.float32)
    rows = _longest(grey.std(axis=1) > _FLAT)
    inner = grey[rows[0] : rows[1]]
    columns = _longest(inner.std(axis=0) > _FLAT)
    height, width = grey.shape
    box = (columns[0] / width, rows[0] / height, columns[1] / width, rows[1] / height)
    large = (box[2] - box[0]) * (box[3] - box[1]) >= _LEAST
    return box if large else WHOLE


def _longest(shown: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and end of the longest run of True; everything where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], shown.astype(np.int8), [0]))))
    if not edges.size:
        return 0, shown.size
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])
