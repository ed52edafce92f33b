"""Laws of calibration: it rises with the logit, stays within its bounds, and promises no more than was counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.detectors.calibration import Calibration, Conformal, Point, PredictionSet, rate, verbal
from assay.detectors.evaluation import (
    auc,
    cllr,
    conformal_bounds,
    ece,
    min_cllr,
    supported_bounds,
    threshold_at,
    tpr_at,
)

LOGITS = st.floats(-50, 50)
ONE = Calibration(slope=0.7, intercept=-0.2, weights=(0.1, -0.3), floor=-1.5, ceiling=2.1)


@given(LOGITS, LOGITS, st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
def test_monotone_and_bounded(one: float, other: float, covariates: tuple[float, float]) -> None:
    low, high = sorted((one, other))
    assert ONE.llr(low, covariates) <= ONE.llr(high, covariates)
    assert ONE.floor <= ONE.llr(one, covariates) <= ONE.ceiling


def test_a_falling_calibration_is_refused() -> None:
    with pytest.raises(ValueError, match="rise"):
        Calibration(slope=-1.0, intercept=0, weights=(), floor=-1, ceiling=1)


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_rate_lies_in_its_interval(hits: int, trials: int) -> None:
    found = rate(min(hits, trials), trials)
    assert 0 <= found.low <= found.value + 1e-9
    assert found.value <= found.high + 1e-9 <= 1 + 2e-9


def test_nothing_counted_promises_nothing() -> None:
    assert (rate(0, 0).low, rate(0, 0).high) == (0.0, 1.0)
    assert rate(0, 300).high > 0.01


def test_bounds_grow_no_faster_than_the_pictures() -> None:
    for count in (10, 100, 1000):
        llr = np.concatenate([np.full(count, 9.0), np.full(count, -9.0)])
        positive = np.arange(2 * count) < count
        floor, ceiling = supported_bounds(llr, positive)
        assert ceiling <= np.log10(count + 1) + 1e-6
        assert floor >= -np.log10(count + 1) - 1e-6


@given(st.integers(20, 4000), st.sampled_from([point.aim for point in Point]))
def test_a_threshold_keeps_its_aim_on_what_it_was_set_on(count: int, aim: float) -> None:
    scores = np.random.default_rng(count).normal(size=count)
    negatives = np.zeros(count, bool)
    flagged = (scores >= threshold_at(scores, negatives, aim)).sum()
    assert flagged <= max(0, aim * (count + 1))


def test_conformal_sets_cover_what_they_promise() -> None:
    """On pictures drawn anew from the same distribution, each class is missed in about alpha of the cases."""
    random = np.random.default_rng(0)
    known, fresh = (random.normal(size=8000) + np.repeat([0.0, 1.0], 4000) for _ in range(2))
    positive = np.arange(8000) >= 4000
    low, high = conformal_bounds(known, positive, 0.1)
    found = np.array([Conformal(alpha=0.1, generated_from=low, human_to=high).prediction(one) for one in fresh])
    for side, own in ((positive, PredictionSet.GENERATED), (~positive, PredictionSet.HUMAN)):
        missed = 1 - np.isin(found[side], (own, PredictionSet.BOTH)).mean()
        assert 0.085 < missed < 0.115


def test_too_few_pictures_exclude_nothing() -> None:
    positive = np.arange(16) % 2 == 0
    low, high = conformal_bounds(np.arange(16.0), positive, 0.1)
    assert Conformal(alpha=0.1, generated_from=low, human_to=high).prediction(99.0) is PredictionSet.BOTH


def test_between_two_classes_far_apart_lies_neither() -> None:
    apart = Conformal(alpha=0.1, generated_from=2.0, human_to=-2.0)
    assert [apart.prediction(one) for one in (-3.0, 0.0, 3.0)] == [
        PredictionSet.HUMAN,
        PredictionSet.NEITHER,
        PredictionSet.GENERATED,
    ]


def test_figures_of_known_cases() -> None:
    positive = np.array([True, True, False, False])
    assert auc(np.array([4.0, 3.0, 2.0, 1.0]), positive) == 1.0
    assert auc(np.array([1.0, 1.0, 1.0, 1.0]), positive) == 0.5
    assert tpr_at(np.array([4.0, 1.5, 2.0, 1.0]), positive, 0.0) == 0.5
    assert cllr(np.zeros(4), positive) == pytest.approx(1.0)
    assert min_cllr(np.array([4.0, 3.0, 2.0, 1.0]), positive) < 0.01
    assert ece(np.array([9.0, 9.0, -9.0, -9.0]), positive) == pytest.approx(0, abs=1e-6)


def test_words_for_ratios() -> None:
    assert [verbal(llr) for llr in (0.1, 0.5, 1.2, 2.5, 3.5, 5.0)] == [
        "no",
        "weak",
        "moderate",
        "moderately strong",
        "strong",
        "very strong",
    ]
