"""The words: complete, restrained, and the same in the documentation."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.detectors.evidence import (
    DEVELOPMENT,
    FACES,
    MONTAGE,
    PIXELS,
    Basis,
    Evidence,
    Finding,
    Origin,
    Rate,
    Severity,
    Silence,
)
from assay.scanning.verdict import weigh
from assay.scanning.words import (
    CHANGE,
    CHANGE_BESIDE_MANIFEST,
    CHANGE_OF_DEVELOPED,
    CHANGE_OF_PIXELS,
    CHANGE_OF_TIE,
    CHANGE_UNDETERMINED,
    COMPOSED,
    CONFLICTS,
    CONTRADICTION,
    DEVELOPED,
    FACE,
    INCONCLUSIVE,
    PIXELS_ALONE,
    PIXELS_LEFT_OUT,
    SENTENCES,
    SURE,
    SURE_OF_DEVELOPED,
    SURE_OF_PIXELS,
    SURE_UNDETERMINED,
    UNDETERMINED,
    answer,
    headline,
    posterior,
    support,
)

ALL = [
    *UNDETERMINED.values(),
    *SENTENCES.values(),
    *DEVELOPED.values(),
    *COMPOSED.values(),
    *CONFLICTS.values(),
    *SURE.values(),
    *SURE_UNDETERMINED.values(),
    *CHANGE_UNDETERMINED.values(),
    *CHANGE.values(),
    *CHANGE_BESIDE_MANIFEST.values(),
    INCONCLUSIVE,
    PIXELS_ALONE,
    PIXELS_LEFT_OUT,
    SURE_OF_PIXELS,
    CHANGE_OF_PIXELS,
    CONTRADICTION,
    FACE,
    CHANGE_OF_TIE,
    SURE_OF_DEVELOPED,
    CHANGE_OF_DEVELOPED,
]


def pixels(llr: float, **more) -> Evidence:
    return Evidence(signal="pixels", statement="p", origin=Origin.SYNTHETIC, basis=Basis.INFERRED, llr=llr, **more)


def test_every_cell_that_can_occur_has_its_sentence():
    spoken = [Basis.PROVED, Basis.MARKED, Basis.DECLARED]
    named = [Origin.SYNTHETIC, Origin.COMPOSITE, Origin.CREATED, Origin.CAPTURED]
    inferred = {(Basis.INFERRED, Origin.SYNTHETIC), (Basis.INFERRED, Origin.COMPOSITE)}
    assert set(SENTENCES) == {*product(spoken, named), *inferred}
    assert len(set(SENTENCES.values())) == len(SENTENCES)


@pytest.mark.parametrize("code", UNDETERMINED)
def test_what_keeps_a_file_from_speaking_is_said(code):
    told = Evidence.silent("x", Silence.INCONCLUSIVE, "s", findings=(Finding(code, Severity.ALARM, "f"),))
    assert headline(weigh([told])) == UNDETERMINED[code]
    assert headline(weigh([told, pixels(1)])) == SENTENCES[Basis.INFERRED, Origin.SYNTHETIC]


@pytest.mark.parametrize("said", ALL)
def test_restraint(said):
    assert not re.search(r"\b(fake|deepfake|real|authentic|genuine|manipulated|probably|certainly)\b|%", said, re.I)
    assert said.endswith(".")


def test_only_signatures_are_stated_without_reserve():
    for (basis, _), said in SENTENCES.items():
        if basis is Basis.DECLARED:
            assert "without proof" in said
        if basis is Basis.INFERRED:
            assert "not proof" in said


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(1, "no support"), (2, "weak support"), (9.9, "weak support"), (10, "moderate support"), (150, "moderately strong support"),
     (1_500, "strong support"), (15_000, "very strong support"), (2e6, "extremely strong support"), (0.05, "moderate support for the opposite")],
)  # fmt: skip
def test_the_scale_of_enfsi(ratio, words):
    from math import log10

    assert support(log10(ratio)) == words


def signed(origin: Origin, *, development: bool) -> Evidence:
    findings = (Finding(DEVELOPMENT, Severity.WARNING, "f"),) if development else ()
    return Evidence(signal=f"{origin}", statement="s", origin=origin, basis=Basis.PROVED, findings=findings)


def test_a_development_key_is_named_wherever_a_trusted_signature_would_be():
    alone = answer(weigh([signed(Origin.CAPTURED, development=True), pixels(1)]))
    assert alone.headline.startswith(DEVELOPED[Origin.CAPTURED])
    assert (alone.sure, alone.change) == (SURE_OF_DEVELOPED, CHANGE_OF_DEVELOPED)
    assert "trusted signature" not in "".join(alone.conflicts)
    assert "development key" in alone.conflicts[0]
    tied = answer(weigh([signed(Origin.CAPTURED, development=True), signed(Origin.CREATED, development=False)]))
    assert tied.conflicts == ("Two signatures, one with a throw-away development key, which vouches for nobody, state different origins.",)  # fmt: skip
    both = answer(weigh([signed(Origin.CAPTURED, development=True), signed(Origin.CREATED, development=True)]))
    assert both.conflicts == ("Two signatures with throw-away development keys, which vouch for nobody, state different origins.",)  # fmt: skip
    vouched = signed(Origin.CAPTURED, development=False)
    beside = answer(weigh([signed(Origin.CAPTURED, development=True), vouched, pixels(1)]))
    assert beside.headline.startswith(SENTENCES[Basis.PROVED, Origin.CAPTURED])  # somebody else vouches for it too
    assert (beside.sure, beside.change) == (SURE[Basis.PROVED], CHANGE[Basis.PROVED])


def test_a_montage_is_not_said_to_be_captured_as_a_whole():
    montage = (Finding(MONTAGE, Severity.NOTE, "n"),)
    composed = Evidence(signal="x", statement="s", origin=Origin.CAPTURED, basis=Basis.DECLARED, findings=montage)
    plain = Evidence(signal="y", statement="s", origin=Origin.CAPTURED, basis=Basis.DECLARED)
    said = COMPOSED[SENTENCES[Basis.DECLARED, Origin.CAPTURED]]
    assert headline(weigh([composed])) == said
    assert headline(weigh([composed, plain])) == said
    assert headline(weigh([composed, pixels(1)])).startswith(said)
    assert headline(weigh([composed, signed(Origin.CAPTURED, development=False)])) == SENTENCES[Basis.PROVED, Origin.CAPTURED]  # fmt: skip


def test_statistics_are_a_ratio_with_its_error_rate_and_never_a_probability():
    rate = Rate(hits=3, trials=2_100, low=0.0005, high=0.0042)
    said = answer(weigh([pixels(1.6, false_positive_rate=rate)]))
    assert "about 40 times as likely" in said.sure
    assert "moderate support on the ENFSI scale" in said.sure
    assert "3 were flagged wrongly (with 95 % certainty at most 0.4%)" in said.sure
    assert said.odds == ""


@given(st.floats(0.001, 0.999), st.floats(0, 4))
def test_the_posterior_is_bayes(prior, llr):
    after = posterior(weigh([pixels(llr)]), prior)
    expected = prior * 10**llr / (prior * 10**llr + 1 - prior)
    assert after == pytest.approx(expected, rel=1e-9)
    assert after >= prior or llr == 0 or after == pytest.approx(prior)


def test_pixels_never_speak_or_contradict_without_their_error_rates():
    seen = pixels(1.6, false_positive_rate=Rate(hits=3, trials=2100, low=0.0005, high=0.0042))
    rates = "3 were flagged wrongly (with 95 % certainty at most 0.4%)"
    captured = Evidence(signal="x", statement="s", origin=Origin.CAPTURED, basis=Basis.DECLARED)
    (conflict,) = answer(weigh([seen, captured])).conflicts
    assert conflict.startswith(CONFLICTS["capture-claim-against-pixels"])
    assert rates in conflict
    beside = answer(weigh([seen, Evidence(signal="x", statement="s", origin=Origin.SYNTHETIC, basis=Basis.DECLARED)]))
    assert rates in beside.who
    assert rates not in beside.sure
    alone = answer(weigh([seen]))
    assert rates in alone.sure
    assert rates not in alone.who


def test_a_face_is_spoken_of_as_a_face():
    rate = Rate(hits=3, trials=900, low=0.0, high=0.0042)
    face = Evidence(
        signal=FACES, statement="f", origin=Origin.COMPOSITE, basis=Basis.INFERRED, llr=1.6, false_positive_rate=rate
    )
    said = answer(weigh([face]), prior=0.9)
    assert said.headline == FACE
    assert said.sure == (
        "Such a face is about 40 times as likely if the picture it is in is generated as if it is not: moderate support on the ENFSI scale. "
        "Of 900 faces in images of this kind that were not generated, 3 were flagged wrongly (with 95 % certainty at most 0.4%)."
    )
    assert "changes nothing" in said.odds
    both = weigh([face, pixels(2)])
    assert headline(both) == SENTENCES[Basis.INFERRED, Origin.SYNTHETIC]
    assert posterior(both, 0.5) == posterior(weigh([pixels(2)]), 0.5)


@pytest.mark.parametrize("prior", [0, 1, -0.1, 2, float("nan")])
def test_a_prior_is_a_probability(prior):
    with pytest.raises(ValueError, match="prior"):
        posterior(weigh([pixels(1)]), prior)


def test_a_prior_is_named_as_the_users_own_and_moves_no_statement():
    assert "you give" in answer(weigh([pixels(1.6)]), prior=0.1).odds
    declared = Evidence(signal="d", statement="d", origin=Origin.SYNTHETIC, basis=Basis.DECLARED)
    assert posterior(weigh([declared, pixels(1)]), 0.5) is None
    assert "changes nothing" in answer(weigh([declared]), prior=0.5).odds


@pytest.mark.parametrize(
    ("prior", "llr", "said"),
    [
        (0.85, 1.69, "0.9964"), (0.9, 0.5, "0.966"), (0.5, 0, "0.5"), (0.01, 1.6, "0.29"), (0.000001, 1.6, "0.00004"),
        (0.999999, 1.6, "more than 0.999"), (0.9, 3, "more than 0.999"),
    ],
)  # fmt: skip
def test_statistics_never_read_as_certainty(prior, llr, said):
    odds = answer(weigh([pixels(llr)]), prior=prior).odds
    assert odds.startswith(f"If {f'{prior:.6f}'.rstrip('0')} is the probability that you give before looking, ")
    assert f"these pixels make it {said}; " in odds
    assert "these pixels make it less than 0.000001; " in answer(weigh([pixels(0)]), prior=1e-60).odds


def test_where_only_pixels_were_asked_the_answer_says_so():
    quiet, faceless = (Evidence.silent(name, Silence.INCONCLUSIVE, "s") for name in (PIXELS, FACES))
    for verdict in (weigh([quiet]), weigh([quiet, faceless])):
        said = answer(verdict)
        assert (said.headline, said.sure, said.change) == (PIXELS_ALONE, SURE_OF_PIXELS, CHANGE_OF_PIXELS)
    assert answer(weigh([pixels(1)])).change == CHANGE_OF_PIXELS
    whole = answer(weigh([quiet, Evidence.silent("watermark", Silence.ABSENT, "s")]))
    assert (whole.headline, whole.sure, whole.change) == (INCONCLUSIVE, SURE[Basis.NONE], CHANGE[Basis.NONE])
    assert headline(weigh([])) == INCONCLUSIVE


@pytest.mark.parametrize("evidence", [Evidence.silent(PIXELS, Silence.INCONCLUSIVE, "s"), pixels(1)])
def test_a_manifest_that_is_there_is_none_that_would_change_the_answer(evidence):
    there, absent = (Evidence.silent("c2pa-manifest", why, "s") for why in (Silence.INCONCLUSIVE, Silence.ABSENT))
    assert answer(weigh([evidence, there])).change == CHANGE_BESIDE_MANIFEST[evidence.basis]
    assert answer(weigh([evidence, absent])).change == CHANGE[evidence.basis]


def test_two_pixel_models_are_not_multiplied():
    assert posterior(weigh([pixels(1), pixels(2)]), 0.5) == posterior(weigh([pixels(1)]), 0.5)
