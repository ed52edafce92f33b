"""What heat maps find: `python benchmarks/heatmap.py --pictures PICTURES`.

A patch of a fifth of a photograph's area comes from a picture of a recent generator, or, as a control, from another photograph; its
edge is soft and the whole is encoded once more. Pixel AUC inside against outside the patch, and the area above a log10 ratio of
0.5 on the same photographs untouched. No picture is among those that the head was fitted on (`fitted.txt`).
"""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from assay.detectors.classifier import load
from assay.detectors.evaluation import auc
from assay.detectors.heatmap import heatmap
from assay.detectors.training.examples import Domain, Example, Label, read_index, spread
from assay.detectors.training.reporting import is_recent

DATASETS = Path(__file__).resolve().parents[1] / "datasets"
SHARE = 0.45  # of each side
SIDE, SOFT = 900, 8  # pixels: the long side, the edge's blur


def opened(example: Example, folder: Path) -> Image.Image:
    picture = Image.open(folder / example.sha256).convert("RGB")
    picture.thumbnail((SIDE, SIDE))
    return picture


def delivered(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return Image.open(file)


def pasted(ground: Image.Image, patch: Image.Image, x: float, y: float) -> tuple[Image.Image, Image.Image]:
    """The composite, and its mask; `x` and `y` from 0 to 1."""
    width, height = (round(side * SHARE) for side in ground.size)
    left, top = round(x * (ground.width - width)), round(y * (ground.height - height))
    mask = Image.new("L", ground.size)
    mask.paste(255, (left, top, left + width, top + height))
    over = Image.new("RGB", ground.size)
    over.paste(patch.resize((width, height)), (left, top))
    return Image.composite(over, ground, mask.filter(ImageFilter.BoxBlur(SOFT))), mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", required=True, type=Path, help="pictures named by sha256")
    parser.add_argument("--number", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    classifier = load("deep", threads=1)
    examples = spread(read_index(*sorted(DATASETS.glob("*/index.csv"))), seed=given.seed)
    there = [
        one
        for one in examples
        if one.domain is Domain.PHOTOGRAPH
        and not classifier.card.fitted_on(one.sha256)
        and (given.pictures / one.sha256).exists()
    ]
    human = [one for one in there if one.label is Label.HUMAN]
    sources = {"generated": [one for one in there if is_recent(one)], "another photograph": human[given.number :]}
    found: dict[str, list[float]] = {kind: [] for kind in sources}
    false = []
    random = np.random.default_rng(given.seed)
    for place, ground_of in enumerate(human[: given.number]):
        ground = opened(ground_of, given.pictures)
        false.append(float((heatmap(classifier, delivered(ground)) > 0.5).mean()))
        x, y = random.random(2)
        for kind, patches in sources.items():
            picture, mask = pasted(ground, opened(patches[place], given.pictures), x, y)
            llr = heatmap(classifier, delivered(picture))
            inside = np.asarray(mask.resize(llr.shape[::-1])) > 127
            found[kind].append(auc(llr.ravel().astype(np.float64), inside.ravel()))
        print(place, false[-1], {kind: round(values[-1], 3) for kind, values in found.items()}, flush=True)
    for kind, values in found.items():
        low, middle, high = np.percentile(values, [25, 50, 75])
        print(
            f"patch from {kind}: pixel AUC {np.mean(values):.2f} on average, {middle:.2f} median ({low:.2f} to {high:.2f})"
        )
    print(f"untouched: {np.mean(false):.1%} of the area above 0.5, {max(false):.0%} on the worst of {len(false)}")


if __name__ == "__main__":
    main()
