"""From a model's logit to a bounded log10 likelihood ratio, and the operating points at which a statement is made.

Rules: monotone in the logit; bounded by what the calibration data support (no ratio is printed that the number of pictures
could not show); coefficients, bounds and thresholds are data of the model card, never of the code.
Source of the bound: Vergeer et al., "Numerical likelihood ratios outputted by LR systems are often based on extrapolation",
Science & Justice 56 (2016).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf, log10, sqrt
from typing import TYPE_CHECKING, Any

from assay.detectors.evidence import Rate

if TYPE_CHECKING:
    from assay.detectors.quality import Bucket


class Point(StrEnum):
    """Operating points, strictest first, by the share of human-made pictures that may be flagged."""

    STRICT = "strict"  # aims at 0.1 %
    BALANCED = "balanced"  # aims at 1 %
    SENSITIVE = "sensitive"  # aims at 5 %

    @property
    def aim(self) -> float:
        """The false-positive rate aimed at."""
        return {Point.STRICT: 0.001, Point.BALANCED: 0.01, Point.SENSITIVE: 0.05}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """llr = slope * logit + intercept + weights . covariates, in log10 units, clipped to [floor, ceiling]; slope > 0."""

    slope: float
    intercept: float
    weights: tuple[float, ...]
    floor: float
    ceiling: float

    def __post_init__(self) -> None:
        if not self.slope > 0:
            raise ValueError("a calibration must rise with the logit")
        if not self.floor <= 0 <= self.ceiling:
            raise ValueError("a calibration's bounds must enclose 0")

    def unbounded(self, logit: float, covariates: Sequence[float]) -> float:
        """The ratio before bounding: what thresholds compare."""
        shift = sum(weight * value for weight, value in zip(self.weights, covariates, strict=True))
        return self.slope * logit + self.intercept + shift

    def llr(self, logit: float, covariates: Sequence[float]) -> float:
        """The ratio that may be printed."""
        return min(self.ceiling, max(self.floor, self.unbounded(logit, covariates)))


class PredictionSet(StrEnum):
    """Which classes an answer is not unusual for. `HUMAN` is no statement: pictures that no model can tell are in it too."""

    GENERATED = "generated"
    HUMAN = "human"
    BOTH = "both"  # usual for either: inconclusive
    NEITHER = "neither"  # unusual for both: outside what was measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """Class-conditional split-conformal sets of one domain (Vovk, Gammerman and Shafer 2005, section 4.5, Mondrian predictors).

    A class is in the set unless fewer than `alpha` of its calibration pictures have so extreme an unbounded llr: the generated
    from `generated_from` upwards, the human-made up to `human_to`. Infinite where there are too few pictures to exclude any.
    """

    alpha: float
    generated_from: float
    human_to: float

    def prediction(self, llr: float) -> PredictionSet:
        """The set of one unbounded llr."""
        if llr >= self.generated_from:
            return PredictionSet.BOTH if llr <= self.human_to else PredictionSet.GENERATED
        return PredictionSet.HUMAN if llr <= self.human_to else PredictionSet.NEITHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One operating point in one domain: the unbounded llr from which on it is passed, and the error rates measured there,
    by quality bucket and over all (key "all")."""

    llr: float
    false_positive: Mapping[str, Rate]
    true_positive: Mapping[str, Rate]

    def rates(self, bucket: "Bucket", *, least: int = 100) -> tuple[Rate, Rate]:
        """False- and true-positive rate for this bucket; over all where fewer than `least` pictures were measured."""
        enough = all(
            bucket in rates and rates[bucket].trials >= least for rates in (self.false_positive, self.true_positive)
        )
        key = bucket.value if enough else "all"
        return self.false_positive[key], self.true_positive[key]


def rate(hits: int, trials: int) -> Rate:
    """A rate with its 95 % Wilson score interval (Wilson 1927)."""
    if trials == 0:
        return Rate(hits=0, trials=0, low=0.0, high=1.0)
    z = 1.959964
    share = hits / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Rate(hits=hits, trials=trials, low=max(0.0, middle - half), high=min(1.0, middle + half))


def verbal(llr: float) -> str:
    """Words for a ratio, after the ENFSI guideline for evaluative reporting (2015), table of section 2.4."""
    strength = abs(llr)
    words = ((log10(2), "no"), (1.0, "weak"), (2.0, "moderate"), (3.0, "moderately strong"), (4.0, "strong"))
    return next((word for limit, word in words if strength < limit), "very strong")


def read_calibration(document: Mapping[str, Any]) -> Calibration:
    """From a card's JSON."""
    return Calibration(
        slope=float(document["slope"]),
        intercept=float(document["intercept"]),
        weights=tuple(float(weight) for weight in document["weights"]),
        floor=float(document["floor"]),
        ceiling=float(document["ceiling"]),
    )


def read_conformal(document: Mapping[str, Any]) -> Conformal:
    """From a card's JSON, where null is an infinite bound."""
    low, high = document["generated_from"], document["human_to"]
    return Conformal(
        alpha=float(document["alpha"]),
        generated_from=-inf if low is None else float(low),
        human_to=inf if high is None else float(high),
    )


def read_threshold(document: Mapping[str, Any]) -> Threshold:
    """From a card's JSON: rates are stored as [hits, trials]."""

    def rates(counts: Mapping[str, Sequence[int]]) -> dict[str, Rate]:
        return {key: rate(int(hits), int(trials)) for key, (hits, trials) in counts.items()}

    return Threshold(
        llr=float(document["llr"]),
        false_positive=rates(document["false_positive"]),
        true_positive=rates(document["true_positive"]),
    )
