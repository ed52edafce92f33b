"""The laws of the verdict, as properties; and each kind of conflict by name."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.detectors.evidence import FACES, Basis, Evidence, Finding, Origin, Severity, Silence, Trace
from assay.scanning.verdict import Verdict, weigh
from assay.scanning.words import CONFLICTS, answer, headline

FACE = (Basis.INFERRED, Origin.COMPOSITE)
NAMES = st.sampled_from(["manifest", "watermark", "pixels", "declaration-source-type", "generator-metadata"])
ORIGINS = [origin for origin in Origin if origin is not Origin.UNDETERMINED]
BASES = [basis for basis in Basis if basis is not Basis.NONE]
ALLOWED = [
    (basis, origin)
    for basis, origin in product(BASES, ORIGINS)
    if basis is not Basis.INFERRED or origin in (Origin.SYNTHETIC, Origin.COMPOSITE)
]


@st.composite
def voices(draw, below: Basis = Basis.PROVED) -> Evidence:
    basis, origin = draw(st.sampled_from([pair for pair in ALLOWED if pair[0] <= below]))
    return Evidence(signal=draw(NAMES), origin=origin, basis=basis, statement=draw(st.text(min_size=1, max_size=5)))


silences = st.builds(Evidence.silent, NAMES, st.sampled_from(Silence), st.text(max_size=5))
pieces = st.lists(st.one_of(voices(), silences), max_size=8)


def voice(basis: Basis, origin: Origin, signal: str = "x") -> Evidence:
    return Evidence(signal=signal, origin=origin, basis=basis, statement="said")


def bottom(verdict: Verdict) -> tuple[Origin, Basis]:
    return verdict.origin, verdict.basis


@given(st.lists(silences, max_size=6))
def test_nothing_says_nothing(silent):
    verdict = weigh(silent)
    assert bottom(verdict) == (Origin.UNDETERMINED, Basis.NONE)
    assert not verdict.contested
    assert verdict.grounds == verdict.dissent == ()


@given(pieces, st.randoms())
def test_order_does_not_matter(evidence, random):
    shuffled = list(evidence)
    random.shuffle(shuffled)
    one, other = weigh(evidence), weigh(shuffled)
    assert bottom(one) == bottom(other)
    assert sorted(map(repr, one.grounds)) == sorted(map(repr, other.grounds))
    assert sorted(map(repr, one.dissent)) == sorted(map(repr, other.dissent))
    assert {c.code for c in one.conflicts} == {c.code for c in other.conflicts}


@given(pieces, silences)
def test_a_silent_signal_changes_nothing(evidence, silent):
    before, after = weigh(evidence), weigh([*evidence, silent])
    assert (before.origin, before.basis, before.grounds, before.dissent) == (
        after.origin, after.basis, after.grounds, after.dissent,
    )  # fmt: skip


@given(pieces, st.data())
def test_weaker_never_overturns_stronger(evidence, data):
    strongest = max((piece.basis for piece in evidence), default=Basis.NONE)
    if strongest <= Basis.INFERRED:
        return
    weaker = data.draw(voices(below=Basis(strongest - 1)))
    assert bottom(weigh(evidence)) == bottom(weigh([*evidence, weaker]))


@given(pieces)
def test_every_voice_is_reported_once(evidence):
    verdict = weigh(evidence)
    told = [*verdict.grounds, *verdict.dissent, *verdict.silent]
    assert sorted(map(repr, told)) == sorted(map(repr, evidence))
    assert all(not piece.speaks for piece in verdict.silent)
    assert all(piece.speaks for piece in (*verdict.grounds, *verdict.dissent))


@given(pieces)
def test_saying_it_twice_proves_no_more(evidence):
    assert bottom(weigh(evidence)) == bottom(weigh([*evidence, *evidence]))


@given(pieces)
def test_a_verdict_rests_on_somebody_who_said_so(evidence):
    verdict = weigh(evidence)
    if verdict.origin is not Origin.UNDETERMINED:
        assert any(piece.origin is verdict.origin and piece.basis is verdict.basis for piece in verdict.grounds)


@given(pieces)
def test_every_verdict_has_words_and_every_contradiction_a_name(evidence):
    verdict = weigh(evidence)
    said = answer(verdict)
    assert all((said.headline, said.who, said.sure, said.change))
    assert bool(verdict.conflicts) == bool(said.conflicts) == verdict.contested
    assert all(conflict.stronger.basis >= conflict.weaker.basis for conflict in verdict.conflicts)


def test_the_table_of_conflicts_is_exactly_what_can_happen():
    found = {
        conflict.code
        for one, other in product(ALLOWED, repeat=2)
        for signal in ("x", FACES)
        for conflict in weigh([voice(*one), voice(*other, signal if other == FACE else "x")]).conflicts
    }
    beside = {code for code in CONFLICTS if "-beside-camera-" in code}
    assert found == set(CONFLICTS) - beside


@pytest.mark.parametrize(
    ("one", "other", "code", "origin"),
    [
        (
            (Basis.PROVED, Origin.CAPTURED),
            (Basis.INFERRED, Origin.SYNTHETIC),
            "capture-proof-against-pixels",
            Origin.CAPTURED,
        ),
        (
            (Basis.PROVED, Origin.CAPTURED),
            (Basis.DECLARED, Origin.SYNTHETIC),
            "capture-proof-against-declarations",
            Origin.CAPTURED,
        ),
        (
            (Basis.PROVED, Origin.CAPTURED),
            (Basis.MARKED, Origin.SYNTHETIC),
            "capture-proof-against-watermarks",
            Origin.CAPTURED,
        ),
        (
            (Basis.DECLARED, Origin.CAPTURED),
            (Basis.INFERRED, Origin.SYNTHETIC),
            "capture-claim-against-pixels",
            Origin.CAPTURED,
        ),
        (
            (Basis.MARKED, Origin.SYNTHETIC),
            (Basis.DECLARED, Origin.CAPTURED),
            "generation-mark-against-declarations",
            Origin.SYNTHETIC,
        ),
        (
            (Basis.DECLARED, Origin.SYNTHETIC),
            (Basis.DECLARED, Origin.CAPTURED),
            "declarations-disagree",
            Origin.UNDETERMINED,
        ),
        ((Basis.PROVED, Origin.SYNTHETIC), (Basis.PROVED, Origin.CAPTURED), "proofs-disagree", Origin.UNDETERMINED),
        (
            (Basis.PROVED, Origin.SYNTHETIC),
            (Basis.DECLARED, Origin.COMPOSITE),
            "extent-of-generation",
            Origin.SYNTHETIC,
        ),
    ],
)
def test_conflicts_by_name(one, other, code, origin):
    verdict = weigh([voice(*one), voice(*other, signal="y")])
    assert [conflict.code for conflict in verdict.conflicts] == [code]
    assert verdict.origin is origin


CAMERA = tuple(Trace(f"EXIF {name}", "x") for name in ("Make", "Model", "DateTimeOriginal"))
DOUBT = (Finding("thumbnail-differs", Severity.WARNING, "."),)
SENSOR = (Finding("interpolated-colour", Severity.NOTE, "."),)
NAMED = Evidence.silent("trace-camera", Silence.INCONCLUSIVE, "c", traces=CAMERA)
SEEN = Evidence.silent("trace-demosaicing", Silence.INCONCLUSIVE, "c", findings=SENSOR)


@pytest.mark.parametrize(
    ("said", "silent", "code"),
    [
        (voice(Basis.DECLARED, Origin.SYNTHETIC), NAMED, "generation-beside-camera-fields"),
        (voice(Basis.INFERRED, Origin.SYNTHETIC), SEEN, "generation-beside-camera-pixels"),
        (voice(Basis.DECLARED, Origin.COMPOSITE), NAMED, "edit-beside-camera-fields"),
        (voice(Basis.DECLARED, Origin.COMPOSITE), SEEN, "edit-beside-camera-pixels"),
        (voice(Basis.DECLARED, Origin.SYNTHETIC), replace(NAMED, findings=DOUBT), ""),
        (voice(Basis.DECLARED, Origin.SYNTHETIC), replace(NAMED, traces=CAMERA[:2]), ""),
        (voice(Basis.DECLARED, Origin.SYNTHETIC), replace(SEEN, findings=()), ""),
        (voice(Basis.DECLARED, Origin.CAPTURED), NAMED, ""),
        (voice(Basis.PROVED, Origin.SYNTHETIC), NAMED, ""),
        (replace(voice(Basis.DECLARED, Origin.SYNTHETIC), traces=CAMERA[:1]), NAMED, ""),
    ],
)
def test_camera_traces_beside_generated_content_are_named_and_change_nothing(said, silent, code):
    alone, verdict = weigh([said]), weigh([said, silent])
    assert [conflict.code for conflict in verdict.conflicts] == ([code] if code else [])
    assert (verdict.origin, verdict.basis, verdict.contested) == (alone.origin, alone.basis, False)
    assert len(answer(verdict).conflicts) == bool(code)


def test_synthetic_beside_composite_is_composite():
    verdict = weigh([voice(Basis.DECLARED, Origin.SYNTHETIC), voice(Basis.DECLARED, Origin.COMPOSITE)])
    assert bottom(verdict) == (Origin.COMPOSITE, Basis.DECLARED)
    assert (len(verdict.grounds), verdict.dissent) == (2, ())


def test_a_tie_is_told_as_one():
    verdict = weigh([voice(Basis.DECLARED, Origin.SYNTHETIC), voice(Basis.DECLARED, Origin.CAPTURED)])
    assert "contradict one another" in headline(verdict)
    assert "equal weight" in answer(verdict).sure


@pytest.mark.parametrize("origin", [Origin.CAPTURED, Origin.CREATED])
def test_pixels_cannot_say_anything_else(origin):
    with pytest.raises(ValueError, match="pixels say synthetic"):
        voice(Basis.INFERRED, origin)


@pytest.mark.parametrize("basis", BASES)
def test_a_face_leaves_what_is_said_of_the_whole_as_it_is(basis):
    verdict = weigh([voice(basis, Origin.SYNTHETIC, "pixels"), voice(*FACE, FACES)])
    assert bottom(verdict) == (Origin.SYNTHETIC, basis)
    assert {piece.signal for piece in verdict.grounds} == {FACES, "pixels"}
    assert not verdict.contested
    assert bottom(weigh([voice(*FACE, FACES)])) == (Origin.COMPOSITE, Basis.INFERRED)


def test_a_face_that_contradicts_does_not_hide_that_the_pixels_do():
    seen = [voice(*FACE, FACES), voice(Basis.INFERRED, Origin.SYNTHETIC, "pixels")]
    verdict = weigh([voice(Basis.DECLARED, Origin.CAPTURED), *seen])
    assert {conflict.code for conflict in verdict.conflicts} == {
        "capture-claim-against-face",
        "capture-claim-against-pixels",
    }
