"""What a JPEG's quantisation tables and sampling factors tell of the program that wrote it last.

Rules: tables are in natural (row-major) order, 64 integers each, luminance first; libjpeg families are computed from the
published formula, never stored; only the last encoder is seen: whatever happened before lies elsewhere.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from assay.provenance.disclosure.jpeg import Picture

Table = Sequence[int]


def _table(text: str) -> tuple[int, ...]:
    return tuple(int(step) for step in text.split())


# ITU-T T.81 (1992) Annex K, tables K.1 and K.2, natural order
_ANNEX_K_LUMINANCE = _table("""
    16 11 10 16 24 40 51 61
    12 12 14 19 26 58 60 55
    14 13 16 24 40 57 69 56
    14 17 22 29 51 87 80 62
    18 22 37 56 68 109 103 77
    24 35 55 64 81 104 113 92
    49 64 78 87 103 121 120 101
    72 92 95 98 112 100 103 99
""")
_ANNEX_K_CHROMINANCE = _table("""
    17 18 24 47 99 99 99 99
    18 21 26 66 99 99 99 99
    24 26 56 99 99 99 99 99
    47 66 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
""")
# N. Robidoux's table (ImageMagick forum, topic 20333), default of mozjpeg for luminance and chrominance (jcparam.c, index 3)
_ROBIDOUX = _table("""
    16 16 16 18 25 37 56 85
    16 17 20 27 34 40 53 75
    16 20 24 31 43 62 91 135
    18 27 31 40 53 74 106 156
    25 34 43 53 69 94 131 189
    37 40 62 74 94 124 169 238
    56 53 91 106 131 169 226 311
    85 75 135 156 189 238 311 418
""")
_PHOTOSHOP_NAMES = {
    "web_low": "Save for Web, low",
    "web_medium": "Save for Web, medium",
    "web_high": "Save for Web, high",
    "web_very_high": "Save for Web, very high",
    "web_maximum": "Save for Web, maximum",
    "low": "Save As, low",
    "medium": "Save As, medium",
    "high": "Save As, high",
    "maximum": "Save As, maximum",
}


class Family(StrEnum):
    """Programs that share a set of quantisation tables."""

    LIBJPEG = "libjpeg"  # Annex K scaled: most software, many phones, nearly every web service
    MOZJPEG = "mozjpeg"  # Robidoux's table: mozjpeg, Squoosh, some web services
    PHOTOSHOP = "photoshop"
    CAMERA = "camera"  # measured in originals of at least two sources: `camera_tables.csv`, docs/camera-traces.md
    OTHER = "other"  # other cameras, and editors with tables of their own


@dataclass(frozen=True, slots=True)
class Encoder:
    """The last encoder, as far as its tables tell. `quality` is on libjpeg's scale 1–100; where `exact` is False it is the
    nearest on that scale."""

    family: Family
    quality: int
    exact: bool
    setting: str = ""


def identify(tables: Sequence[Table]) -> Encoder | None:
    """Name the encoder family of a JPEG's tables (luminance first, at least one); None where there are none to read."""
    if not tables or any(len(table) != 64 for table in tables):
        return None
    key = tuple(tuple(table) for table in tables[:2])
    known = _known_tables()
    if key in known:
        return known[key]
    quality = known[key[:1]].quality if key[:1] in known else _nearest_quality(key[0])
    return Encoder(Family.OTHER, quality, exact=False)


def estimate_quality(tables: Sequence[Table]) -> int | None:
    """The libjpeg quality (1–100) that wrote these tables, or the nearest to them; None without tables."""
    encoder = identify(tables)
    return encoder.quality if encoder else None


def scaled(base: Table, quality: int) -> tuple[int, ...]:
    """`base` at a libjpeg quality 1–100 (jpeg_quality_scaling and jpeg_add_quant_table with force_baseline)."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(max((step * scale + 50) // 100, 1), 255) for step in base)


def luminance_table(quality: int, modes: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """libjpeg's luminance steps at a quality for (vertical, horizontal) frequencies 0–7."""
    table = scaled(_ANNEX_K_LUMINANCE, quality)
    return tuple(table[vertical * 8 + horizontal] for vertical, horizontal in modes)


def chroma_subsampling(components: Sequence[tuple[int, int]]) -> str:
    """Name the chroma sampling of (horizontal, vertical) factors per component: "4:4:4", "4:2:2", "4:2:0", "4:4:0",
    "4:1:1", "grey", or the ratios of an unusual one."""
    if len(components) == 1:
        return "grey"
    (h, v), *chroma = components
    if not chroma or min(min(factors) for factors in components) < 1:
        return "none"
    across, down = h / chroma[0][0], v / chroma[0][1]
    names = {(1.0, 1.0): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
    return names.get((across, down), f"{across:g}×{down:g}")


def natural(zigzag: Table) -> tuple[int, ...]:
    """A table as a file stores it (zigzag), in natural order."""
    ordered = [0] * 64
    for value, place in zip(zigzag, _zigzag(), strict=True):
        ordered[place] = value
    return tuple(ordered)


@cache
def _zigzag() -> tuple[int, ...]:
    """The natural index of each zigzag position: diagonals, every other one downwards."""
    places = ((row, column) for row in range(8) for column in range(8))
    key = sorted(places, key=lambda p: (sum(p), p[0] if sum(p) % 2 else p[1]))
    return tuple(row * 8 + column for row, column in key)


def tables_in(picture: "Picture") -> tuple[tuple[int, ...], ...]:
    """The tables of a parsed JPEG picture in natural order: that of its first component, then the other components'."""
    stored = {table.slot: table.values for table in picture.tables}
    slots = dict.fromkeys(component.table for component in picture.frame.components) if picture.frame else ()
    return tuple(natural(stored[slot]) for slot in slots if slot in stored)


def tables_of(quantization: Mapping[int, Table]) -> tuple[tuple[int, ...], ...]:
    """The tables of a Pillow JPEG image (`image.quantization`), in the order of their identifiers."""
    return tuple(tuple(quantization[number]) for number in sorted(quantization))


@cache
def _known_tables() -> Mapping[tuple[tuple[int, ...], ...], Encoder]:
    from PIL.JpegPresets import presets  # Photoshop's settings, as Pillow documents them

    known: dict[tuple[tuple[int, ...], ...], Encoder] = {}
    with Path(__file__).with_name("camera_tables.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            pair = tuple(tuple(int(step) for step in row[part].split()) for part in ("luminance", "chrominance"))
            setting = f"{row['makers']}, {row['pictures']} originals of {row['models']} models"
            known[pair] = Encoder(Family.CAMERA, _nearest_quality(pair[0]), exact=False, setting=setting)
    for name, preset in presets.items():
        key = tuple(tuple(table) for table in cast("list[list[int]]", preset["quantization"]))
        quality = _nearest_quality(key[0])
        encoder = Encoder(Family.PHOTOSHOP, quality, exact=False, setting=_PHOTOSHOP_NAMES.get(name, name))
        known.setdefault(key, encoder)
    for quality in range(100, 0, -1):  # low qualities share tables through clamping: the lowest wins
        robidoux = scaled(_ROBIDOUX, quality)
        encoder = Encoder(Family.MOZJPEG, quality, exact=True)
        known[(robidoux,)] = known[robidoux, robidoux] = encoder
    for quality in range(100, 0, -1):
        luminance, chrominance = scaled(_ANNEX_K_LUMINANCE, quality), scaled(_ANNEX_K_CHROMINANCE, quality)
        encoder = Encoder(Family.LIBJPEG, quality, exact=True)
        known[(luminance,)] = known[luminance, chrominance] = known[luminance, luminance] = encoder
    return known


def _nearest_quality(luminance: Table) -> int:
    """The quality whose luminance table is closest in mean absolute logarithm."""
    logs = [log(max(step, 1)) for step in luminance]
    return min(
        range(100, 0, -1),
        key=lambda quality: sum(abs(a - b) for a, b in zip(logs, _log_luminance()[quality - 1], strict=True)),
    )


@cache
def _log_luminance() -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(log(step) for step in scaled(_ANNEX_K_LUMINANCE, quality)) for quality in range(1, 101))
