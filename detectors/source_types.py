"""What the digital source types of IPTC and C2PA mean for an image's origin: one table for every signal that meets them.

Rules: a term says exactly what its vocabulary's definition says and no more; `algorithmicMedia` is not AI; an unknown term
says nothing. Source: https://cv.iptc.org/newscodes/digitalsourcetype/ and C2PA 2.2, section 18.14.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from assay.detectors.evidence import MONTAGE, Finding, Origin, Severity

IPTC = "cv.iptc.org/newscodes/digitalsourcetype/"
C2PA = "c2pa.org/digitalsourcetype/"


@dataclass(frozen=True, slots=True)
class SourceType:
    """One term: what it means for the origin, and its meaning in our words."""

    term: str
    origin: Origin
    meaning: str


SOURCE_TYPES: dict[str, SourceType] = {
    term.term: term
    for term in (
        SourceType("trainedAlgorithmicMedia", Origin.SYNTHETIC, "made by a trained model (AI)"),
        SourceType(
            "compositeWithTrainedAlgorithmicMedia", Origin.COMPOSITE, "changed or extended with a trained model (AI)"
        ),
        SourceType("compositeSynthetic", Origin.COMPOSITE, "composed of parts of which at least one is synthetic"),
        SourceType("trainedAlgorithmicData", Origin.SYNTHETIC, "made by a trained model (AI), as data"),
        SourceType("digitalCapture", Origin.CAPTURED, "captured by a camera"),
        SourceType(
            "computationalCapture", Origin.CAPTURED, "captured by a camera that computes from several exposures"
        ),
        SourceType("compositeCapture", Origin.CAPTURED, "composed of parts that were all captured"),
        SourceType("negativeFilm", Origin.CAPTURED, "scanned from a negative"),
        SourceType("positiveFilm", Origin.CAPTURED, "scanned from a positive"),
        SourceType("print", Origin.CAPTURED, "scanned from a print"),
        SourceType("digitalCreation", Origin.CREATED, "made by a person with tools that are not generative"),
        SourceType("digitalArt", Origin.CREATED, "made by a person with digital tools (retired term)"),
        SourceType("softwareImage", Origin.CREATED, "made by a person with software (retired term)"),
        SourceType("algorithmicMedia", Origin.CREATED, "computed by an algorithm without a trained model: not AI"),
        SourceType("dataDrivenMedia", Origin.CREATED, "drawn from figures by human programming"),
        SourceType("virtualRecording", Origin.UNDETERMINED, "recorded from a virtual scene, generated or not"),
        SourceType("screenCapture", Origin.UNDETERMINED, "a picture of a screen, whatever the screen showed"),
        SourceType("composite", Origin.UNDETERMINED, "composed of parts that may or may not be generated"),
        SourceType("humanEdits", Origin.UNDETERMINED, "edited by a person with tools that are not generative"),
        SourceType("minorHumanEdits", Origin.UNDETERMINED, "slightly edited by a person (retired term)"),
        SourceType("algorithmicallyEnhanced", Origin.UNDETERMINED, "enhanced by an algorithm"),
        SourceType("empty", Origin.UNDETERMINED, "an empty canvas, or not stated"),
    )
}


def montage(terms: Iterable[str]) -> tuple[Finding, ...]:
    """The note that a picture was captured in parts only and then composed, where one of these terms says so."""
    kinds = [source_type(term) for term in terms]
    if not any(kind and kind.term == "compositeCapture" for kind in kinds):
        return ()
    said = "Its source type says that it is a montage: composed of parts that were all captured."
    return (Finding(MONTAGE, Severity.NOTE, said),)


def source_type(value: str) -> SourceType | None:
    """The term that a URI, a QCode or a bare word names; None for what the vocabularies do not know."""
    text = value.strip().rstrip("/")
    for prefix in ("https://", "http://"):
        text = text.removeprefix(prefix)
    for vocabulary in (IPTC, C2PA, "www." + IPTC, "digsrctype:"):
        text = text.removeprefix(vocabulary)
    return SOURCE_TYPES.get(text)
