"""Try a finished model on labelled pictures that it was not made from: what `assay evaluate` prints.

Rules: the format-matched arm (every picture laundered alike) is the one that counts; as delivered is shown only on request,
beside the probe that looks at size and format alone.
"""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assay.detectors import evaluation
from assay.detectors.calibration import Point, PredictionSet, rate
from assay.detectors.card import ModelCard
from assay.detectors.classifier import Classifier, Opinion
from assay.detectors.quality import Quality, measure
from assay.detectors.training.examples import Example, Label
from assay.detectors.training.folds import assign
from assay.detectors.training.laundering import Cell, launder, launder_to
from assay.detectors.training.pipeline import originals
from assay.detectors.training.reporting import boosted
from assay.detectors.training.viewing import UNDECODABLE, large_pictures, read_picture

COMPARED = (  # figures that take both classes
    "auc",
    "tpr_at_5_percent",
    "tpr_at_1_percent",
    "tpr_at_0.1_percent",
    "originals_metadata_only_auc",
    "ece",
    "cllr",
    "min_cllr",
    "reliability",
)
_COVERING = {
    Label.HUMAN: (PredictionSet.HUMAN, PredictionSet.BOTH),
    Label.GENERATED: (PredictionSet.GENERATED, PredictionSet.BOTH),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model said of one example."""

    example: Example
    opinion: Opinion
    quality: Quality
    original: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"  # as `pipeline.originals` gives it


@large_pictures()
def ask(
    classifier: Classifier,
    examples: Iterable[Example],
    places: Mapping[str, Path],
    *,
    as_delivered: bool = False,
    cell: Cell | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Answer]:
    """Launder (unless `as_delivered`; with a `cell`, to exactly that) and classify each picture; those that cannot be decoded are
    left out."""
    answers: list[Answer] = []
    for example in examples:
        random = example.draws(seed)
        try:
            if as_delivered:
                image: Image.Image = Image.open(places[example.sha256])
            else:
                picture = read_picture(places[example.sha256], example)
                content = launder_to(picture, cell, random) if cell else launder(picture, random)
                image = Image.open(io.BytesIO(content))
            image.load()
        except UNDECODABLE:
            continue
        quality = measure(image)
        (opinion,) = classifier.opinions([image], [quality])
        original = originals([places[example.sha256]])[0]
        answers.append(Answer(example=example, opinion=opinion, quality=quality, original=original))
        progress(len(answers))
    return answers


def result(answers: Sequence[Answer], card: ModelCard) -> dict[str, Any]:
    """The protocol's figures for a finished model; `fitted_on` counts pictures of which they are no measurement,
    None where nobody knows.

    What compares the classes is None where one is missing: an archive of photographs alone tells the false positives.
    Raises `ValueError` where the model speaks of no picture.
    """
    judged = [
        answer for answer in answers if answer.opinion.llr is not None and answer.example.label is not Label.ALTERED
    ]
    positive = np.array([answer.example.label is Label.GENERATED for answer in judged])
    if not judged:
        raise ValueError("no human-made or generated picture that the model can judge")
    llr = np.array([answer.opinion.llr for answer in judged], np.float64)
    groups = [answer.example.group for answer in judged]
    points: dict[str, Any] = {}
    for point in Point:
        passed = np.array([a.opinion.passes(point) for a in judged])
        human_groups = [group for group, flag in zip(groups, positive, strict=True) if not flag]
        names = [a.example.generator or "not stated" for a, flag in zip(judged, positive, strict=True) if flag]
        points[point.value] = {
            "false_positive": _counts(passed[~positive]),
            "true_positive": _counts(passed[positive]),
            "worst_sources": dict(list(evaluation.by_group(passed[~positive], human_groups, least=10).items())[:5]),
            "recall_by_generator": dict(list(reversed(evaluation.by_group(passed[positive], names).items()))),
        }
    return {
        "pictures": len(answers),
        "fitted_on": sum(card.fitted_on(answer.example.sha256) for answer in answers) if card.tells_fitted else None,
        "outside": sum(answer.opinion.llr is None for answer in answers),
        "inconclusive": sum(answer.opinion.prediction is PredictionSet.BOTH for answer in judged),
        "coverage": {
            label.value: _counts(
                np.array(
                    [a.opinion.prediction in sets for a in judged if a.opinion.prediction and a.example.label is label]
                )
            )
            for label, sets in _COVERING.items()
        },
        "human": int((~positive).sum()),
        "generated": int(positive.sum()),
        **_compared(judged, llr, positive, groups),
        "points": points,
    }


def _compared(
    judged: Sequence[Answer], llr: evaluation.Floats, positive: evaluation.Flags, groups: Sequence[str]
) -> dict[str, Any]:
    if not positive.any() or positive.all():
        return dict.fromkeys(COMPARED)
    return {
        **evaluation.summary(llr, positive, groups),
        "originals_metadata_only_auc": _metadata_only(judged, positive),
        "ece": round(evaluation.ece(llr, positive), 3),
        "cllr": round(evaluation.cllr(llr, positive), 3),
        "min_cllr": round(evaluation.min_cllr(llr, positive), 3),
        "reliability": evaluation.reliability(llr, positive),
    }


def _metadata_only(judged: Sequence[Answer], positive: "np.ndarray[Any, np.dtype[np.bool_]]") -> float | None:
    """What size, bytes and format of the files alone would tell, groups held out; None where folds lack a class."""
    folds = assign([answer.example for answer in judged], 4)
    if any(len(np.unique(positive[folds != fold])) < 2 for fold in np.unique(folds)):
        return None
    table = np.stack([answer.original for answer in judged])
    return round(evaluation.auc(boosted(table, positive, folds), positive), 3)


def _counts(flags: "np.ndarray[Any, np.dtype[np.bool_]]") -> list[float]:
    found = rate(int(flags.sum()), len(flags))
    return [found.hits, found.trials, round(found.low, 4), round(found.high, 4)]
