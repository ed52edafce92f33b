"""The heat map has the picture's place, the whole answer's bounds, and a legend that claims no proof."""

import numpy as np
import pytest
from PIL import Image

from assay.detectors.card import ModelRefused, shipped_models
from assay.detectors.classifier import load
from assay.detectors.heatmap import LEGEND, heatmap, overlay


def picture() -> Image.Image:
    pixels = np.random.default_rng(4).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(pixels).resize((400, 300), Image.Resampling.BICUBIC)


def test_map_is_bounded_and_laid_over_the_picture() -> None:
    classifier = load("deep", threads=1)
    llr = heatmap(classifier, picture())
    assert llr.shape == (56, 56)
    floors = [classifier.card.calibrations[domain].floor for domain in classifier.card.domains]
    ceilings = [classifier.card.calibrations[domain].ceiling for domain in classifier.card.domains]
    assert min(floors) - 1e-5 <= llr.min() <= llr.max() <= max(ceilings) + 1e-5
    drawn = overlay(picture(), llr)
    assert drawn.width >= 400
    assert drawn.height > 300
    assert "does not prove" in LEGEND
    assert "blue: silence" in LEGEND  # or a cold region would pass for a genuine one


@pytest.mark.skipif("swift" not in shipped_models(), reason="only deep is shipped")
def test_a_model_without_patch_tokens_says_so() -> None:
    with pytest.raises(ModelRefused, match="cannot show"):
        heatmap(load("swift", threads=1), picture())
