"""The protocol: out-of-fold logits, cross-fitted calibration and thresholds, and every figure of a card.

Rules: the logit of a picture comes from a head that saw neither its group nor (strict arm) its generator's family; its
calibration and thresholds come from the other folds; what ships is refitted on all folds and reported by these figures.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from assay.detectors import evaluation
from assay.detectors.calibration import Calibration, Conformal, Point, PredictionSet
from assay.detectors.card import ModelCard
from assay.detectors.evaluation import Flags
from assay.detectors.training.examples import Example, Label
from assay.detectors.training.folds import Crossing, crossings, rows_beside, training_rows
from assay.detectors.training.head import DOMAINS, Head, fit

Doubles = NDArray[np.float64]
ALPHA = 0.1  # conformal: at most this share of each class is wrongly excluded; above every point's aim, so that none is lost

_LOUDEST = 6.0  # a teacher's logits are cut there: what it knows by heart is no example


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Laundered pictures as the model sees them: one row each of features, example, quality covariates and bucket, and, where
    the model learns from a stronger one, of that one's features."""

    features: NDArray[np.float32]
    examples: tuple[Example, ...]
    covariates: NDArray[np.float32]
    buckets: tuple[str, ...]
    stronger: NDArray[np.float32] | None = None

    @property
    def positive(self) -> Flags:
        """Whether each is generated."""
        return np.array([example.label is Label.GENERATED for example in self.examples])

    @property
    def groups(self) -> list[str]:
        """The group of each."""
        return [example.group for example in self.examples]

    def rows(self, chosen: NDArray[Any]) -> "Sample":
        """The rows of a mask or of indices."""
        places = np.arange(len(self.examples))[chosen]
        return Sample(
            features=self.features[places],
            examples=tuple(self.examples[i] for i in places),
            covariates=self.covariates[places],
            buckets=tuple(self.buckets[i] for i in places),
            stronger=None if self.stronger is None else self.stronger[places],
        )

    def joined(self, other: "Sample") -> "Sample":
        """Both, one after the other, without features of a stronger model."""
        return Sample(
            features=np.concatenate([self.features, other.features]),
            examples=self.examples + other.examples,
            covariates=np.concatenate([self.covariates, other.covariates]),
            buckets=self.buckets + other.buckets,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Out of fold: logits (n,), domain index by the head (n,), novelty (n,)."""

    logits: Doubles
    domains: NDArray[np.int64]
    novelty: Doubles


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a head is fitted: ranges of columns of the features (start, stop), scikit-learn's C, and what is trained on beside the
    sample and never measured: aligned pairs, or whole pictures beside faces. With a `teacher` the head learns the logits of a head
    that is fitted by that recipe on the stronger features of the same pictures, so that the teacher has seen no more than it has
    (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015)."""

    ranges: tuple[tuple[int, int], ...]
    strength: float
    beside: Sample | None = None
    teacher: "Recipe | None" = None

    @property
    def columns(self) -> NDArray[np.int64]:
        """The columns that the head reads."""
        return np.concatenate([np.arange(start, stop) for start, stop in self.ranges])

    def fit(self, sample: Sample) -> Head:
        """Fit on everything in `sample` and beside it."""
        return self._fit(sample if self.beside is None else sample.joined(self.beside))

    def fit_apart(self, sample: Sample, folds: NDArray[np.int64], crossing: Crossing) -> Head:
        """Fit on what the head of `crossing` may see."""
        seen = sample.rows(training_rows(sample.examples, folds, crossing))
        if self.beside is None:
            return self._fit(seen)
        held = [example for example, place in zip(sample.examples, folds, strict=True) if place == crossing.fold]
        return self._fit(seen.joined(self.beside.rows(rows_beside(self.beside.examples, held, crossing.families))))

    def _fit(self, sample: Sample) -> Head:
        taught = None
        if self.teacher is not None:
            if sample.stronger is None:
                raise ValueError("a teacher needs its own features of every picture that is trained on")
            master = self.teacher._fit(replace(sample, features=sample.stronger, stronger=None))
            taught = np.clip(master.logit(sample.stronger), -_LOUDEST, _LOUDEST)
        return fit(sample.features, sample.examples, columns=self.columns, strength=self.strength, taught=taught)


def out_of_fold(sample: Sample, folds: NDArray[np.int64], recipe: Recipe, *, strict: bool) -> Scores:
    """Score every picture with a head that saw neither its fold nor (strict) its generator's family."""
    count = len(sample.examples)
    logits, domains, novelty = np.zeros(count), np.zeros(count, np.int64), np.zeros(count)
    for crossing in crossings(sample.examples, folds, strict=strict):
        head = recipe.fit_apart(sample, folds, crossing)
        features = sample.features[crossing.measured]
        logits[crossing.measured] = head.logit(features)
        domains[crossing.measured] = head.domain(features).argmax(axis=1)
        novelty[crossing.measured] = head.novelty(features)
    return Scores(logits=logits, domains=domains, novelty=novelty)


def calibrate(logits: Doubles, covariates: NDArray[np.float32], positive: Flags) -> Calibration:
    """Logistic calibration with quality covariates at equal priors; bounds from the numbers of pictures."""
    centre = covariates.mean(axis=0)
    spread = logits.std() + 1e-6
    design = np.column_stack([logits / spread, covariates - centre])
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=500).fit(design, positive)
    coefficients = model.coef_[0] / np.log(10)
    slope = max(float(coefficients[0]) / spread, 1e-3)
    intercept = float(model.intercept_[0] / np.log(10) - coefficients[1:] @ centre)
    raw = slope * logits + intercept + covariates @ coefficients[1:]
    floor, ceiling = evaluation.supported_bounds(raw, positive)
    return Calibration(
        slope=slope,
        intercept=intercept,
        weights=tuple(float(weight) for weight in coefficients[1:]),
        floor=floor,
        ceiling=ceiling,
    )


def unbounded(calibration: Calibration, logits: Doubles, covariates: NDArray[np.float32]) -> Doubles:
    """`Calibration.unbounded` over arrays."""
    shift = covariates @ np.array(calibration.weights)
    return np.asarray(calibration.slope * logits + calibration.intercept + shift, np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Cross-fitted answers: unbounded and bounded llr (n,), the conformal set (n,), and which pictures pass each point."""

    raw: Doubles
    llr: Doubles
    sets: NDArray[np.str_]
    passed: dict[Point, Flags]


def judge(sample: Sample, scores: Scores, folds: NDArray[np.int64]) -> Judged:
    """Calibrate, set thresholds and conformal bounds for each fold on the other folds, by domain as the head sees it."""
    positive = sample.positive
    sets = np.full(len(folds), PredictionSet.BOTH.value, "<U9")
    raw, llr = np.zeros(len(folds)), np.zeros(len(folds))
    passed = {point: np.zeros(len(folds), bool) for point in Point}
    for fold in np.unique(folds):
        for domain in range(len(DOMAINS)):
            here, others = (folds == fold) & (scores.domains == domain), (folds != fold) & (scores.domains == domain)
            if not here.any():
                continue
            others = _enough(others, folds != fold, positive)
            calibration = calibrate(scores.logits[others], sample.covariates[others], positive[others])
            raw[here] = unbounded(calibration, scores.logits[here], sample.covariates[here])
            llr[here] = np.clip(raw[here], calibration.floor, calibration.ceiling)
            known = unbounded(calibration, scores.logits[others], sample.covariates[others])
            for point in Point:
                passed[point][here] = raw[here] >= evaluation.threshold_at(known, positive[others], point.aim)
            conformal = conform(known, positive[others])
            sets[here] = [conformal.prediction(one).value for one in raw[here]]
    spoken = (sets == PredictionSet.GENERATED) | (sets == PredictionSet.HUMAN)
    return Judged(raw=raw, llr=llr, sets=sets, passed={point: flags & spoken for point, flags in passed.items()})


def score(head: Head, sample: Sample) -> Scores:
    """What one head says of pictures that it never met."""
    return Scores(
        logits=head.logit(sample.features).astype(np.float64),
        domains=head.domain(sample.features).argmax(axis=1),
        novelty=head.novelty(sample.features).astype(np.float64),
    )


def judge_by(card: ModelCard, sample: Sample, scores: Scores) -> Judged:
    """Calibrate and judge as the finished model does: with the calibration, thresholds and conformal bounds of its card."""
    raw, llr = np.zeros(len(scores.logits)), np.zeros(len(scores.logits))
    sets = np.full(len(raw), PredictionSet.BOTH.value, "<U9")
    passed = {point: np.zeros(len(raw), bool) for point in Point}
    for index, domain in enumerate(card.domains):
        here = scores.domains == index
        calibration = card.calibrations[domain]
        raw[here] = unbounded(calibration, scores.logits[here], sample.covariates[here])
        llr[here] = np.clip(raw[here], calibration.floor, calibration.ceiling)
        sets[here] = [card.conformal[domain].prediction(one).value for one in raw[here]]
        for point in Point:
            passed[point][here] = raw[here] >= card.thresholds[domain][point].llr
    spoken = ((sets == PredictionSet.GENERATED) | (sets == PredictionSet.HUMAN)) & (
        scores.novelty <= card.novelty_limit
    )
    return Judged(raw=raw, llr=llr, sets=sets, passed={point: flags & spoken for point, flags in passed.items()})


def conform(known: Doubles, positive: Flags) -> Conformal:
    """The conformal bounds that calibration pictures with these unbounded llr support."""
    low, high = evaluation.conformal_bounds(known, positive, ALPHA)
    return Conformal(alpha=ALPHA, generated_from=low, human_to=high)


def operating_points(
    sample: Sample, scores: Scores, judged: Judged
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """(calibration, points, conformal) of a card: fitted on all out-of-fold answers, with the rates that cross-fitting
    measured."""
    positive, buckets = sample.positive, np.asarray(sample.buckets)
    calibrations: dict[str, Any] = {}
    points: dict[str, Any] = {}
    conformal: dict[str, Any] = {}
    for index, domain in enumerate(DOMAINS):
        here = scores.domains == index
        rows = _enough(here, np.ones(len(here), bool), positive)
        calibration = calibrate(scores.logits[rows], sample.covariates[rows], positive[rows])
        known = unbounded(calibration, scores.logits[rows], sample.covariates[rows])
        calibrations[domain.value] = {
            "slope": calibration.slope,
            "intercept": calibration.intercept,
            "weights": list(calibration.weights),
            "floor": calibration.floor,
            "ceiling": calibration.ceiling,
        }
        bounds = conform(known, positive[rows])
        conformal[domain.value] = {
            "alpha": bounds.alpha,
            "generated_from": bounds.generated_from if np.isfinite(bounds.generated_from) else None,
            "human_to": bounds.human_to if np.isfinite(bounds.human_to) else None,
        }
        rates = evaluation.rates_at(
            {point: flags[here] for point, flags in judged.passed.items()}, positive[here], list(buckets[here])
        )
        points[domain.value] = {
            point.value: {"llr": evaluation.threshold_at(known, positive[rows], point.aim), **rates[point]}
            for point in Point
        }
    return calibrations, points, conformal


def _enough(rows: Flags, otherwise: Flags, positive: Flags, *, least: int = 60) -> Flags:
    """`rows` where both classes have `least` pictures there; every picture otherwise."""
    return rows if min((rows & positive).sum(), (rows & ~positive).sum()) >= least else otherwise
