"""The watermark signal: what it says, and when it says nothing."""

import pytest
from dwtdct_marking import encoded, marked, photograph

from assay.detectors.evidence import Basis, Origin, Silence
from assay.detectors.signals.watermark import InvisibleWatermark
from assay.detectors.subject import Subject
from assay.detectors.watermarks.dwtdct import PAYLOADS
from assay.detectors.watermarks.spread import embed
from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError


def subject(content: bytes, *, thorough: bool = False) -> Subject:
    return Subject(Asset.from_bytes(content), AssayError("not verified"), thorough=thorough)


def test_a_mark_speaks_on_the_basis_marked_and_names_the_generator() -> None:
    evidence = InvisibleWatermark().examine(subject(encoded(marked(photograph(), PAYLOADS[0].bits))))
    assert (evidence.origin, evidence.basis) == (Origin.SYNTHETIC, Basis.MARKED)
    assert evidence.generator == "Stable Diffusion XL"
    assert evidence.traces[0].field == "pixels dwtDct"
    assert "b3ec907bb19e" in evidence.traces[0].value
    assert "none of 1,098 unmarked pictures, so by chance in fewer than 0.27 %" in evidence.statement


def test_a_mark_found_in_a_crop_has_the_bound_of_that_search() -> None:
    cropped = marked(photograph(768, 768), PAYLOADS[0].bits).crop((3, 5, 763, 765))
    evidence = InvisibleWatermark().examine(subject(encoded(cropped), thorough=True))
    assert "none of 327 unmarked pictures, so by chance in fewer than 0.91 %" in evidence.statement


def test_no_mark_says_nothing() -> None:
    evidence = InvisibleWatermark().examine(subject(encoded(photograph())))
    assert (evidence.speaks, evidence.silence) == (False, Silence.ABSENT)


@pytest.mark.parametrize(
    ("content", "silence"),
    [
        (encoded(photograph(64, 64)), Silence.INAPPLICABLE),
        (encoded(photograph(512, 512).convert("L")), Silence.INAPPLICABLE),
        (encoded(photograph(512, 512))[:-5000], Silence.FAILED),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', Silence.INAPPLICABLE),
    ],
    ids=["small", "grey", "truncated", "svg"],
)
def test_silence_has_its_reason(content: bytes, silence: Silence) -> None:
    assert InvisibleWatermark().examine(subject(content)).silence is silence


def test_a_large_picture_is_decoded_only_in_a_deep_examination(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.detectors.subject.LARGEST", 500 * 500)
    content = encoded(marked(photograph(), PAYLOADS[0].bits))
    shallow = subject(content)
    assert InvisibleWatermark().examine(shallow).silence is Silence.INAPPLICABLE
    assert shallow._decoded is None
    assert InvisibleWatermark().examine(subject(content, thorough=True)).speaks


def test_assays_own_mark_is_an_identifier_and_decides_nothing() -> None:
    content = encoded(embed(photograph(400, 300), b"123456"))
    assert not InvisibleWatermark().examine(subject(content)).findings
    evidence = InvisibleWatermark().examine(subject(content, thorough=True))
    assert evidence.silence is Silence.INCONCLUSIVE
    assert [finding.code for finding in evidence.findings] == ["watermark-identifier"]
    assert b"123456".hex() in evidence.traces[0].value
