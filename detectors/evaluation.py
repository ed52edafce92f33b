"""How good is it, and where does it fail: the figures of the protocol in docs/evaluation.md.

Rules: thresholds and calibration never come from the pictures they are reported on; intervals are by group, because pictures
of one source are alike; worst cases stand beside averages; ties count half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.detectors.calibration import Point

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval (bootstrap over groups)."""

    value: float
    low: float
    high: float

    def document(self) -> list[float]:
        """[value, low, high], three decimals."""
        return [round(self.value, 3), round(self.low, 3), round(self.high, 3)]


def auc(scores: Floats, positive: Flags) -> float:
    """Area under the ROC curve (Mann-Whitney, ties half); nan where one class is empty."""
    up, down = scores[positive], np.sort(scores[~positive])
    if not len(up) or not len(down):
        return float("nan")
    below = np.searchsorted(down, up, "left") + np.searchsorted(down, up, "right")
    return float(below.mean() / (2 * len(down)))


def threshold_at(scores: Floats, positive: Flags, aim: float) -> float:
    """The lowest threshold at which (flagged + 1) / (negatives + 1) human-made pictures stay within `aim`.

    Where there are too few to show that rate, just above the highest human-made picture.
    """
    down = np.sort(scores[~positive])[::-1]
    allowed = int(aim * (len(down) + 1) - 1) if aim * (len(down) + 1) >= 1 else 0
    return float(np.nextafter(down[min(allowed, len(down) - 1)], np.inf)) if len(down) else float("inf")


def conformal_bounds(scores: Floats, positive: Flags, alpha: float) -> tuple[float, float]:
    """(lowest score at which a picture may be generated, highest at which it may be human-made), each class wrongly excluded
    in at most `alpha` of exchangeable cases; infinite where there are too few pictures."""
    up, down = np.sort(scores[positive]), np.sort(scores[~positive])[::-1]
    bounds = []
    for ordered, none in ((up, -np.inf), (down, np.inf)):
        place = int(alpha * (len(ordered) + 1))
        bounds.append(float(ordered[place - 1]) if place else none)
    return bounds[0], bounds[1]


def tpr_at(scores: Floats, positive: Flags, aim: float) -> float:
    """Share of generated pictures above the threshold that at most `aim` of the human-made ones pass."""
    down = np.sort(scores[~positive])[::-1]
    limit = down[int(aim * len(down))] if len(down) else np.inf
    return float((scores[positive] > limit).mean()) if positive.any() else float("nan")


def bootstrap(
    figure: Any, scores: Floats, positive: Flags, groups: Sequence[str], *, rounds: int = 300, seed: int = 0
) -> Estimate:
    """`figure(scores, positive)` with an interval from resampling whole groups, per class."""
    random = np.random.default_rng(seed)
    names = np.asarray(groups)
    sides = [
        [np.flatnonzero((names == name) & (positive == side)) for name in np.unique(names[positive == side])]
        for side in (True, False)
    ]
    values = []
    for _ in range(rounds):
        drawn = [side[i] for side in sides for i in random.integers(0, len(side), len(side))]
        rows = np.concatenate(drawn)
        values.append(figure(scores[rows], positive[rows]))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Estimate(value=figure(scores, positive), low=float(low), high=float(high))


def cllr(llr: Floats, positive: Flags) -> float:
    """Log-likelihood-ratio cost (Bruemmer and du Preez 2006), of log10 ratios: 0 perfect, 1 says nothing."""
    natural = llr * np.log(10)
    up, down = natural[positive], natural[~positive]
    return float((np.logaddexp(0, -up).mean() + np.logaddexp(0, down).mean()) / (2 * np.log(2)))


def min_cllr(llr: Floats, positive: Flags) -> float:
    """The cost after the best monotone recalibration (pool adjacent violators): discrimination alone."""
    from sklearn.isotonic import IsotonicRegression

    weights = np.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum())
    fitted = IsotonicRegression(out_of_bounds="clip").fit(llr, positive.astype(float), sample_weight=weights)
    posterior = fitted.predict(llr)
    posterior = np.clip(posterior, 1e-6, 1 - 1e-6)
    return cllr(np.log10(posterior / (1 - posterior)), positive)


def reliability(llr: Floats, positive: Flags, *, bins: int = 10) -> list[tuple[float, float, int]]:
    """(mean stated probability, observed share, pictures) per bin, at equal prior odds."""
    stated = 1 / (1 + 10.0 ** -np.clip(llr, -12, 12))
    weights = np.where(positive, 0.5 / max(1, positive.sum()), 0.5 / max(1, (~positive).sum()))
    places = np.minimum((stated * bins).astype(int), bins - 1)
    rows = []
    for place in range(bins):
        inside = places == place
        if inside.any():
            total = weights[inside].sum()
            observed = (weights[inside] * positive[inside]).sum() / total
            rows.append((float((weights[inside] * stated[inside]).sum() / total), float(observed), int(inside.sum())))
    return rows


def ece(llr: Floats, positive: Flags, *, bins: int = 10) -> float:
    """Expected calibration error at equal prior odds."""
    stated = 1 / (1 + 10.0 ** -np.clip(llr, -12, 12))
    weights = np.where(positive, 0.5 / max(1, positive.sum()), 0.5 / max(1, (~positive).sum()))
    places = np.minimum((stated * bins).astype(int), bins - 1)
    gap = 0.0
    for place in range(bins):
        inside = places == place
        gap += abs(float((weights[inside] * (stated[inside] - positive[inside])).sum()))
    return gap


def supported_bounds(llr: Floats, positive: Flags) -> tuple[float, float]:
    """(floor, ceiling): the most extreme log10 ratios that the numbers of pictures support.

    For each possible threshold, the share of one class beyond it over the share of the other with one more picture counted
    against the ratio, as a bound on extrapolation.
    """
    up, down = np.sort(llr[positive]), np.sort(llr[~positive])
    places = np.unique(llr)
    above_up = len(up) - np.searchsorted(up, places, "left")
    above_down = len(down) - np.searchsorted(down, places, "left")
    ceiling = np.log10((above_up / len(up)) / ((above_down + 1) / (len(down) + 1)) + 1e-12).max()
    below_up, below_down = len(up) - above_up, len(down) - above_down
    floor = np.log10(((below_up + 1) / (len(up) + 1)) / (below_down / len(down) + 1e-12)).min()
    return min(0.0, float(floor)), max(0.0, float(ceiling))


def by_group(flagged: Flags, groups: Sequence[str], *, least: int = 1) -> dict[str, tuple[int, int]]:
    """(flagged, pictures) per group of at least `least` pictures, worst first."""
    names = np.asarray(groups)
    counts = {str(name): (int(flagged[names == name].sum()), int((names == name).sum())) for name in np.unique(names)}
    kept = {name: count for name, count in counts.items() if count[1] >= least}
    return dict(sorted(kept.items(), key=lambda entry: (-entry[1][0] / entry[1][1], entry[0])))


def summary(scores: Floats, positive: Flags, groups: Sequence[str]) -> dict[str, Any]:
    """AUC and recall at fixed false-positive rates, each with its interval, and the numbers of pictures."""
    return {
        "human": int((~positive).sum()),
        "generated": int(positive.sum()),
        "auc": bootstrap(auc, scores, positive, groups).document(),
        "tpr_at_5_percent": bootstrap(lambda s, p: tpr_at(s, p, 0.05), scores, positive, groups).document(),
        "tpr_at_1_percent": bootstrap(lambda s, p: tpr_at(s, p, 0.01), scores, positive, groups).document(),
        "tpr_at_0.1_percent": bootstrap(lambda s, p: tpr_at(s, p, 0.001), scores, positive, groups).document(),
    }


def rates_at(
    passed: Mapping[Point, Flags], positive: Flags, buckets: Sequence[str]
) -> dict[Point, dict[str, dict[str, tuple[int, int]]]]:
    """[hits, trials] of both classes at each point, by quality bucket and over all."""
    names = np.asarray(buckets)
    result: dict[Point, dict[str, dict[str, tuple[int, int]]]] = {}
    for point, flags in passed.items():
        result[point] = {
            kind: {
                bucket: (int(flags[side & rows].sum()), int((side & rows).sum()))
                for bucket, rows in [
                    ("all", np.ones(len(names), bool)),
                    *((str(b), names == b) for b in np.unique(names)),
                ]
                if (side & rows).any() or bucket == "all"
            }
            for kind, side in (("false_positive", ~positive), ("true_positive", positive))
        }
    return result
