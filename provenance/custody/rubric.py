"""Signals of the official asset rubric, by the names it gives them.

Source: "C2PA Asset Signals Rubric (Local)", C2PA Conformance Task Force, version 1.0 of 2026-08-06 (CC BY 4.0): rules over
one manifest in crJSON, put here in our own words. A signal says what a manifest states, not whether it is true.
"""

from collections.abc import Mapping
from typing import Any, Final

from assay.provenance.custody.chain import IPTC_SOURCE_TYPE, Action, Ingredient
from assay.provenance.jumbf.store import StoredManifest

_BEGINNINGS: Final = frozenset({"c2pa.created", "c2pa.opened"})
_NOT_EDITORIAL: Final = frozenset(
    {
        "c2pa.converted",
        "c2pa.published",
        "c2pa.repackaged",
        "c2pa.transcoded",
        "c2pa.resized.proportional",
        "c2pa.enhanced",
        "c2pa.edited.metadata",
        "c2pa.watermarked",
        "c2pa.watermarked.bound",
        "c2pa.watermarked.unbound",
        "c2pa.redacted",
    }
)
_IMPERCEPTIBLE: Final = _BEGINNINGS | _NOT_EDITORIAL
_GENERATIVE: Final = frozenset(
    {
        f"{IPTC_SOURCE_TYPE}trainedAlgorithmicMedia",
        f"{IPTC_SOURCE_TYPE}compositeWithTrainedAlgorithmicMedia",
        f"{IPTC_SOURCE_TYPE}compositeSynthetic",
        "http://c2pa.org/digitalsourcetype/trainedAlgorithmicData",
    }
)
_POSSIBLY: Final = frozenset({f"{IPTC_SOURCE_TYPE}digitalArt", f"{IPTC_SOURCE_TYPE}composite"})
_INCEPTION: Final = {
    "http://c2pa.org/digitalsourcetype/empty": "blankCanvas",
    f"{IPTC_SOURCE_TYPE}digitalCapture": "capturedMedia",
    f"{IPTC_SOURCE_TYPE}computationalCapture": "capturedMedia",
    f"{IPTC_SOURCE_TYPE}compositeCapture": "capturedMediaStitched",
    f"{IPTC_SOURCE_TYPE}composite": "compositionMayContainGenAI",
    f"{IPTC_SOURCE_TYPE}trainedAlgorithmicMedia": "fullyGenAIMedia",
    f"{IPTC_SOURCE_TYPE}digitalCreation": "nonGenAIDigitalCreation",
    f"{IPTC_SOURCE_TYPE}compositeWithTrainedAlgorithmicMedia": "partlyGenAICreation",
    f"{IPTC_SOURCE_TYPE}screenCapture": "screenCaptureMayContainGenAI",
}


def rubric_signals(
    actions: tuple[Action, ...],
    ingredients: tuple[Ingredient, ...],
    stored: StoredManifest | None,
    claim: Mapping[str, Any],
    *,
    all_actions_included: bool,
) -> tuple[str, ...]:
    """The names of the signals that hold for one manifest, sorted. The rubric knows version 2 of the assertions alone."""
    labels = {assertion.label for assertion in stored.assertions} if stored else set()
    told = actions if "c2pa.actions.v2" in labels else ()
    found = {
        _INCEPTION[action.digital_source_type]
        for action in told
        if action.label in _BEGINNINGS and action.digital_source_type in _INCEPTION
    }
    first = next((ingredient for ingredient in ingredients if ingredient.label == "c2pa.ingredient.v3"), None)
    if first is not None and not first.manifest:
        found.add("mediaUnknownProvenance")
    gathered = claim.get("gathered_assertions")
    urls = [entry.get("url") for entry in gathered if isinstance(entry, Mapping)] if isinstance(gathered, list) else []
    if (
        not told
        or not all_actions_included
        or any(not action.label.startswith("c2pa.") or action.label == "c2pa.unknown" for action in told)
        or any("c2pa.actions" in url for url in urls if isinstance(url, str))
    ):
        found.add("ambiguousActions")
    if any(action.label in _NOT_EDITORIAL for action in told):
        found.add("nonEditorial")
    kinds = {a.digital_source_type for a in told if a.label not in _IMPERCEPTIBLE and a.digital_source_type}
    if kinds & _GENERATIVE:
        found.add("perceptibleGenAI")
    if kinds - _GENERATIVE:
        found.add("perceptibleNonGenAI")
    if kinds & _POSSIBLY:
        found.add("perceptiblePossiblyGenAI")
    return tuple(sorted(found))
