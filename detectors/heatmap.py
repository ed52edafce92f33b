"""Where in the picture the evidence lies: a map of log10 likelihood ratios from the encoder's patch tokens.

Rules: the map shows what moved this model, it is no proof that a region was generated; its values are bounded like the whole
picture's; it is computed from the whole picture and from nine overlapping windows of half its size, averaged.
Works with models whose encoder gives patch tokens (`deep`).
"""

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.detectors.card import ModelRefused, View
from assay.detectors.classifier import Classifier
from assay.detectors.quality import Quality, measure
from assay.detectors.views import whole
from assay.provenance.decoding import upright, within

if TYPE_CHECKING:
    from collections.abc import Iterator

Floats = NDArray[np.float32]
GRID = 14  # patches per side of one view
_TOKEN = 768
_WINDOWS = tuple(
    (x / 4, y / 4) for y in range(3) for x in range(3)
)  # corners of half-size windows, in widths and heights
LEGEND = (  # drawn below a map, and written beside one on every page
    "Warm: more like generated pictures; blue: silence, no sign of a camera. Shows what moved the classifier; it does not prove "
    "that a region was generated."
)


def refuse_without_patches(classifier: Classifier) -> None:
    """Raise `ModelRefused` where the model's encoder gives no patch tokens."""
    if "patches" not in classifier.encoder.outputs:
        raise ModelRefused(f"model {classifier.card.name} cannot show where its evidence lies", "use the model `deep`")


def heatmap(classifier: Classifier, image: Image.Image, quality: Quality | None = None) -> Floats:
    """Bounded log10 likelihood ratios, float32 (56, 56), row-major over the upright picture.

    Raises `ModelRefused` where the model's encoder gives no patch tokens.
    """
    refuse_without_patches(classifier)
    quality = quality or measure(image)
    picture = upright(image)
    fine = 4 * GRID
    total, count = np.zeros((fine, fine), np.float32), np.zeros((fine, fine), np.float32)
    shares: Floats | None = None
    for (left, top, share), pixels in _views(picture, classifier.card.view):
        features, patches = classifier.encoder.run(pixels[None], "features", "patches")
        if shares is None:
            (shares,) = classifier.head.run(features, "domain")
        logits = _local_logits(classifier, features[0], patches[0]) @ shares[0]
        side = round(fine * share)
        rows = slice(round(top * fine), round(top * fine) + side)
        columns = slice(round(left * fine), round(left * fine) + side)
        enlarged = np.repeat(np.repeat(logits.reshape(GRID, GRID), side // GRID, 0), side // GRID, 1)
        total[rows, columns] += enlarged
        count[rows, columns] += 1
    if shares is None:
        raise AssertionError("no view")
    calibration = classifier.card.calibrations[classifier.card.domains[int(shares[0].argmax())]]
    shift = calibration.unbounded(0.0, quality.covariates())
    llr = calibration.slope * total / count + shift
    return np.asarray(np.clip(llr, calibration.floor, calibration.ceiling), np.float32)


def overlay(image: Image.Image, llr: Floats, *, limit: float = 2.0) -> Image.Image:
    """What `coloured` gives, with the legend below."""
    return _with_legend(coloured(image, llr, limit=limit), limit)


def coloured(image: Image.Image, llr: Floats, *, limit: float = 2.0) -> Image.Image:
    """The upright picture in grey with the map over it: warm above 0, cold below, full colour at `limit`; at most 1600 pixels."""
    picture = within(upright(image), 1600)
    grey = np.asarray(picture.convert("L"), np.float32)[..., None].repeat(3, 2)
    scaled = np.clip(llr / limit, -1, 1)
    field = np.asarray(Image.fromarray(scaled, mode="F").resize(picture.size, Image.Resampling.BICUBIC), np.float32)[
        ..., None
    ]
    warm, cold = np.array([214, 69, 27], np.float32), np.array([44, 104, 178], np.float32)
    strength = np.abs(field) * 0.6
    mixed = grey * (1 - strength) + np.where(field > 0, warm, cold) * strength
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))


def _with_legend(picture: Image.Image, limit: float) -> Image.Image:
    from PIL import ImageDraw

    canvas = Image.new("RGB", (max(picture.width, 480), picture.height + 44), "white")
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    for x in range(160):
        value = (x - 80) / 80
        colour = (214, 69, 27) if value > 0 else (44, 104, 178)
        shade = tuple(round(200 + (part - 200) * abs(value)) for part in colour)
        draw.line([(8 + x, picture.height + 6), (8 + x, picture.height + 16)], fill=shade)
    draw.text((174, picture.height + 4), f"log10 likelihood ratio, -{limit:g} to +{limit:g}", fill="black")
    for line, text in enumerate(wrap(LEGEND, 78)):
        draw.text((8, picture.height + 20 + 11 * line), text, fill="black")
    return canvas


def _views(picture: Image.Image, view: View) -> "Iterator[tuple[tuple[float, float, float], NDArray[np.uint8]]]":
    yield (0.0, 0.0, 1.0), whole(picture, view)
    for left, top in _WINDOWS:
        x, y = round(left * picture.width), round(top * picture.height)
        yield (left, top, 0.5), whole(picture.crop((x, y, x + picture.width // 2, y + picture.height // 2)), view)


def _local_logits(classifier: Classifier, features: Floats, patches: Floats) -> Floats:
    """(196, domains): the head's answer where the mean patch token is replaced by the mean of its 3 x 3 neighbourhood."""
    taps = patches.shape[1] // _TOKEN
    tokens = patches.reshape(GRID, GRID, -1)
    padded = np.pad(tokens, ((1, 1), (1, 1), (0, 0)), mode="edge")
    smooth = np.mean([padded[y : y + GRID, x : x + GRID] for y in range(3) for x in range(3)], axis=0)
    rows = np.repeat(features[None], GRID * GRID, axis=0)
    for tap in range(taps):
        start = 2 * _TOKEN * tap + _TOKEN
        rows[:, start : start + _TOKEN] = smooth.reshape(GRID * GRID, -1)[:, tap * _TOKEN : (tap + 1) * _TOKEN]
    (logits,) = classifier.head.run(rows.astype(np.float32), "logits")
    return logits
