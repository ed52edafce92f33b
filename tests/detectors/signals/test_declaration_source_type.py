"""The IPTC digital source type, wherever and however it is written."""

import pytest
from metadata_files import (
    DST,
    IPTC_EXT,
    asset,
    iim,
    itext,
    jpeg,
    picture,
    png,
    segment,
    source_type,
    tiff,
    webp,
    xmp,
    xmp_segment,
)

from assay.detectors.evidence import Basis, Origin, Silence
from assay.detectors.signals.declaration_source_type import SourceTypeDeclaration
from assay.detectors.subject import Subject
from assay.provenance.errors import AssayError


def examine(content: bytes):
    return SourceTypeDeclaration().examine(Subject(asset(content), AssayError("not verified")))


ELEMENT = source_type("trainedAlgorithmicMedia")
ATTRIBUTE = xmp(attributes=f'iptcExt:DigitalSourceType="{DST}trainedAlgorithmicMedia"')
RESOURCE = xmp(f'<iptcExt:DigitalSourceType rdf:resource="{DST}trainedAlgorithmicMedia"/>')
ODD_PREFIX = xmp(f'<q:DigitalSourceType xmlns:q="{IPTC_EXT}">{DST}trainedAlgorithmicMedia</q:DigitalSourceType>')
HTTPS = ELEMENT.replace("http://cv.", "https://cv.")


@pytest.mark.parametrize("packet", [ELEMENT, ATTRIBUTE, RESOURCE, ODD_PREFIX, HTTPS])
@pytest.mark.parametrize(
    "carry",
    [
        lambda p: jpeg(xmp_segment(p)),
        lambda p: png(itext("XML:com.adobe.xmp", p)),
        lambda p: png(itext("XML:com.adobe.xmp", p, packed=True), late=True),
        lambda p: webp((b"XMP ", p.encode())),
        lambda p: picture("tiff")[:4] + tiff({0x100: 1, 700: p.encode()})[4:],
    ],
    ids=["jpeg", "png", "png-late-packed", "webp", "tiff"],
)
def test_read_in_every_form_and_place(carry, packet):
    evidence = examine(carry(packet))
    assert (evidence.origin, evidence.basis) == (Origin.SYNTHETIC, Basis.DECLARED)
    (trace,) = evidence.traces
    assert trace.field == "XMP Iptc4xmpExt:DigitalSourceType"
    assert trace.value.endswith("trainedAlgorithmicMedia")


def test_a_montage_of_captures_is_noted_where_it_is_the_pictures_own_type():
    def codes(content: bytes) -> list[str]:
        return [finding.code for finding in examine(content).findings]

    assert codes(jpeg(xmp_segment(source_type("compositeCapture")))) == ["montage-of-captures"]
    assert codes(jpeg(xmp_segment(source_type("digitalCapture")))) == []


def test_offset_points_at_the_property():
    content = jpeg(xmp_segment(ELEMENT))
    (trace,) = examine(content).traces
    assert content[trace.offset :].startswith(b"<iptcExt:DigitalSourceType>")


def test_extended_xmp_is_joined():
    packet = source_type("compositeWithTrainedAlgorithmicMedia").encode()
    head, guid = b"http://ns.adobe.com/xmp/extension/\0", b"0" * 32
    parts = [
        segment(0xE1, head + guid + len(packet).to_bytes(4, "big") + at.to_bytes(4, "big") + packet[at : at + 300])
        for at in range(0, len(packet), 300)
    ]
    assert examine(jpeg(*reversed(parts))).origin is Origin.COMPOSITE


@pytest.mark.parametrize(
    ("term", "origin"),
    [
        ("trainedAlgorithmicMedia", Origin.SYNTHETIC),
        ("compositeSynthetic", Origin.COMPOSITE),
        ("algorithmicMedia", Origin.CREATED),
        ("digitalCreation", Origin.CREATED),
        ("digitalCapture", Origin.CAPTURED),
    ],
)
def test_terms(term, origin):
    assert examine(jpeg(xmp_segment(source_type(term)))).origin is origin


@pytest.mark.parametrize("term", ["screenCapture", "humanEdits", "composite", "notATerm"])
def test_terms_that_leave_the_origin_open(term):
    evidence = examine(jpeg(xmp_segment(source_type(term))))
    assert evidence.silence is Silence.INCONCLUSIVE
    assert evidence.traces[0].value.endswith(term)


def test_iim_form():
    assert examine(jpeg(iim((40, f"{DST}trainedAlgorithmicMedia")))).traces[0].field == "IIM 2:40 SpecialInstructions"


def test_behind_the_picture_is_told_but_does_not_speak():
    evidence = examine(jpeg(tail=b"\0" * 5_000_000 + ELEMENT.encode()))
    assert evidence.silence is Silence.INCONCLUSIVE
    assert evidence.traces[0].value.endswith("trainedAlgorithmicMedia")


def test_caption_that_quotes_the_term_says_nothing():
    packet = xmp(f"<dc:description>{DST}trainedAlgorithmicMedia</dc:description>")
    assert examine(jpeg(xmp_segment(packet))).silence is Silence.ABSENT


def test_contradiction_is_a_finding():
    evidence = examine(jpeg(xmp_segment(ELEMENT), xmp_segment(source_type("digitalCapture"))))
    assert evidence.silence is Silence.INCONCLUSIVE
    assert [finding.code for finding in evidence.findings] == ["contradictory-declarations"]
    assert len(evidence.traces) == 2
