"""What only faces have to be measured for: pictures with several of them, and faces that were swapped.

Swaps are never trained on, and a head that tells sources apart would seem to see them.

Rules: every swap is scored by a head that saw no picture of its group, and so is every human-made face it is compared with; the
thresholds are the card's; beside each kind of swap stand the faces of the same source that nobody swapped, where there are any.
"""

from typing import Any

import numpy as np

from assay.detectors import evaluation
from assay.detectors.calibration import Point, PredictionSet, read_calibration, read_conformal
from assay.detectors.evaluation import Flags
from assay.detectors.training.building import Measured
from assay.detectors.training.folds import Crossing
from assay.detectors.training.head import DOMAINS
from assay.detectors.training.protocol import Doubles, Recipe, Sample, Scores

_NOTHING: frozenset[str] = frozenset()


def pictures_flagged(measured: Measured) -> dict[str, Any]:
    """By point and class: pictures with a face that passes, of pictures with faces. Strict arm."""
    digests = np.array([example.sha256 for example in measured.sample.examples])
    found: dict[str, Any] = {}
    for point in Point:
        found[point.value] = {}
        for label, side in (("human", ~measured.sample.positive), ("generated", measured.sample.positive)):
            flagged = set(digests[side & measured.strict.passed[point]])
            found[point.value][label] = [len(flagged), len(set(digests[side]))]
    return found


def measure_swaps(measured: Measured, recipe: Recipe, swaps: Sample, untouched: Sample | None = None) -> dict[str, Any]:
    """By generator: faces, groups, those that pass each point, AUC against human-made faces of other sources and of the same one.

    Generators known, as they are to whoever asks about a swap; `swaps` are altered examples, `untouched` human-made ones of
    their sources whose terms keep them from being trained on.
    """
    sample = measured.sample
    swapped = _scored(sample, swaps, measured.folds, recipe)
    apart = None if untouched is None else _scored(sample, untouched, measured.folds, recipe).logits
    flags = _passed(measured.card, swapped, swaps)
    human = ~sample.positive
    sources, names = (np.array([getattr(one, key) for one in swaps.examples]) for key in ("source", "generator"))
    human_sources = np.array([one.source for one in sample.examples])
    found: dict[str, Any] = {}
    for name in sorted(set(names.tolist())):
        rows = names == name
        same = human & np.isin(human_sources, sources[rows])
        groups = _chosen(swaps.groups, rows)
        logits, beside = measured.known.logits[same], _chosen(sample.groups, same)
        if untouched is not None and apart is not None:
            more = np.isin([one.source for one in untouched.examples], sources[rows])
            logits, beside = np.concatenate([logits, apart[more]]), beside + _chosen(untouched.groups, more)
        other = human & ~same
        found[name] = {
            "faces": int(rows.sum()),
            "groups": len(set(groups)),
            **{point.value: [int(flags[point][rows].sum()), int(rows.sum())] for point in Point},
            "other_sources": _against(
                swapped.logits[rows], groups, measured.known.logits[other], _chosen(sample.groups, other)
            ),
            "same_source": _against(swapped.logits[rows], groups, logits, beside),
        }
    return found


def _scored(sample: Sample, swaps: Sample, folds: np.ndarray[Any, np.dtype[np.int64]], recipe: Recipe) -> Scores:
    """Each swap by the head that did not see its group's fold; where the group was in none, by any head, drawn by hash."""
    place = dict(zip(sample.groups, folds.tolist(), strict=True))
    count = int(folds.max()) + 1
    here = np.array([place.get(one.group, int(one.sha256[:8], 16) % count) for one in swaps.examples])
    logits, domains, novelty = np.zeros(len(here)), np.zeros(len(here), np.int64), np.zeros(len(here))
    for fold in np.unique(here):
        rows = here == fold
        head = recipe.fit_apart(sample, folds, Crossing(int(fold), _NOTHING, folds == fold))
        logits[rows] = head.logit(swaps.features[rows])
        domains[rows] = head.domain(swaps.features[rows]).argmax(axis=1)
        novelty[rows] = head.novelty(swaps.features[rows])
    return Scores(logits=logits, domains=domains, novelty=novelty)


def _passed(card: Any, scores: Scores, swaps: Sample) -> dict[Point, Flags]:
    """Which pass each point by the card's calibration, thresholds and abstention."""
    passed = {point: np.zeros(len(scores.logits), bool) for point in Point}
    for row, (logit, domain) in enumerate(zip(scores.logits, scores.domains, strict=True)):
        name = DOMAINS[domain].value
        llr = read_calibration(card["calibration"][name]).unbounded(float(logit), swaps.covariates[row].tolist())
        spoken = read_conformal(card["conformal"][name]).prediction(llr) in (
            PredictionSet.GENERATED,
            PredictionSet.HUMAN,
        )
        for point in Point:
            passed[point][row] = spoken and llr >= card["points"][name][point.value]["llr"]
    return passed


def _chosen(names: list[str], rows: Flags) -> list[str]:
    return [name for name, row in zip(names, rows, strict=True) if row]


def _against(logits: Doubles, groups: list[str], others: Doubles, beside: list[str]) -> dict[str, Any] | None:
    if not len(others):
        return None
    both = np.concatenate([logits, others])
    positive = np.arange(len(both)) < len(logits)
    estimate = evaluation.bootstrap(evaluation.auc, both, positive, [*groups, *beside])
    return {"faces": len(others), "auc": estimate.document()}
