"""What the SDK's report says of each manifest: recorded when it was taken in, and found now.

Rules: a status belongs to the manifest its JUMBF URL names; the SDK reports on ingredients only what differs from the
record, so that what holds now is the record plus the difference; a recorded failure of bytes stands for ever, a recorded
failure of trust gives way to what is found now at the same URL (C2PA 2.2 §15.11.3.3).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from assay.provenance.custody.chain import Standing, Status

_PREFIX: Final = "self#jumbf=/c2pa/"

# What depends on when, where and with which lists one looks; everything else depends on bytes alone.
_ENVIRONMENT: Final = {
    "signingCredential.untrusted": "signingCredential.trusted",
    "timeStamp.untrusted": "timeStamp.trusted",
    "cawg.x509.credential.untrusted": "cawg.x509.credential.trusted",
    "cawg.ica.untrusted_issuer": "cawg.ica.credential_valid",
    "cawg.ica.did_unavailable": "cawg.ica.credential_valid",
    "signingCredential.ocsp.skipped": "signingCredential.ocsp.notRevoked",
    "signingCredential.ocsp.inaccessible": "signingCredential.ocsp.notRevoked",
    "signingCredential.ocsp.unknown": "signingCredential.ocsp.notRevoked",
}

HARD_BINDINGS: Final = ("dataHash", "bmffHash", "boxesHash", "collectionHash", "multiAssetHash")
BINDING_MATCH: Final = frozenset(f"assertion.{binding}.match" for binding in HARD_BINDINGS)
BINDING_MISMATCH: Final = frozenset(f"assertion.{binding}.mismatch" for binding in HARD_BINDINGS)
ALTERED: Final = BINDING_MISMATCH | {
    "assertion.hashedURI.mismatch",
    "assertion.missing",  # cut out: where a later claim lists it as redacted, the SDK does not say so
    "assertion.alternativeContentRepresentation.hashMismatch",
    "hashedURI.mismatch",
    "ingredient.hashedURI.mismatch",
    "ingredient.manifest.mismatch",
}
FORGED: Final = frozenset(
    {
        "claimSignature.mismatch",
        "claimSignature.missing",
        "ingredient.claimSignature.mismatch",
        "ingredient.claimSignature.missing",
    }
)
MISSING: Final = frozenset({"ingredient.manifest.missing", "manifest.inaccessible"})
LATE: Final = frozenset({"signingCredential.expired", "claimSignature.outsideValidity"})
UNTRUSTED: Final = frozenset({"signingCredential.untrusted"})


@dataclass(frozen=True, slots=True)
class Found:
    """The statuses of one manifest. `recorded` is None where nobody took it in or wrote anything down."""

    now: tuple[Status, ...] = ()
    recorded: tuple[Status, ...] | None = None

    def failures(self, codes: frozenset[str] | None = None) -> tuple[Status, ...]:
        """What fails now, or of that what has one of `codes`."""
        return tuple([status for status in self.now if status.failure and (codes is None or status.code in codes)])

    def has(self, *codes: str) -> bool:
        """Whether a status with one of `codes` holds now, whatever its kind."""
        return any(status.code in codes for status in self.now)


def results(node: object) -> tuple[Status, ...]:
    """Flatten a `validation_results` object: success, informational, failure, and the deltas of ingredients."""
    found = list(_kinds(_mapping(node).get("activeManifest")))
    for delta in _sequence(_mapping(node).get("ingredientDeltas")):
        found += _kinds(_mapping(delta).get("validationDeltas"))
    return tuple(found)


def recorded_statuses(ingredient: dict[str, Any]) -> tuple[Status, ...] | None:
    """What an ingredient assertion records; None where it records nothing. Old ones list failures alone."""
    if ingredient.get("validation_results"):
        return results(ingredient["validation_results"])
    if isinstance(ingredient.get("validation_status"), list):
        return tuple(_status(entry, failure=_fails(entry)) for entry in ingredient["validation_status"])
    return None


def found_statuses(
    active: str,
    report: dict[str, Any],
    records: Iterable[tuple[str, tuple[Status, ...] | None]],
    *,
    sources: Mapping[str, tuple[str, ...]],
) -> dict[str, Found]:
    """Per manifest label, what was recorded and what holds now.

    `records` are (label of the ingredient's manifest, its record) of every ingredient in the store, `sources` the labels of
    the store with those of what each was made from. A manifest may have been renamed when it was taken in, so a record that
    names an unknown one is about the ingredient itself, and a finding that does so about the link that took it in: nothing
    gets lost. A record speaks of the ingredient and of what that was made from, never of other links: whoever wrote it would
    else vouch for itself, or accuse its neighbours.
    """
    below: dict[str, frozenset[str]] = {}

    def about(status: Status, otherwise: str) -> str:
        label = manifest_of(status.url)
        return label if label in sources else otherwise

    def about_ingredient(status: Status, ingredient: str) -> str:
        label = manifest_of(status.url)
        if label == ingredient or label not in sources:
            return ingredient
        if ingredient not in below:
            below[ingredient] = _below(ingredient, sources) - {active}
        return label if label in below[ingredient] else ""

    node = _mapping(report.get("validation_results"))
    now: dict[str, list[Status]] = {}
    for status in _kinds(node.get("activeManifest")):
        now.setdefault(about(status, active), []).append(status)
    for delta in map(_mapping, _sequence(node.get("ingredientDeltas"))):
        taker = manifest_of(str(delta.get("ingredientAssertionURI") or "")) or active
        for status in _kinds(delta.get("validationDeltas")):
            now.setdefault(about(status, taker), []).append(status)
    recorded: dict[str, list[Status]] = {}
    for label, record in records:
        if label == active:  # nothing is made from itself
            continue
        for status in record or ():
            recorded.setdefault(about_ingredient(status, label), []).append(status)
        if record is not None and label:
            recorded.setdefault(label, [])
    return {
        label: Found(
            tuple(dict.fromkeys([*now.get(label, ()), *_standing(recorded.get(label, ()), now.get(label, ()))])),
            tuple(dict.fromkeys(recorded[label])) if label in recorded else None,
        )
        for label in {*now, *recorded}
    }


def _below(label: str, sources: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """What a manifest was made from, and what that was, and so on."""
    found, waiting = set[str](), [label]
    while waiting:
        new = set(sources.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return frozenset(found)


def recorded_standing(recorded: tuple[Status, ...] | None) -> Standing | None:
    """What whoever took a manifest in found of it; None where nothing was recorded."""
    if recorded is None:
        return None
    failures = {status.code for status in recorded if status.failure and not status.code.startswith("cawg.")}
    if failures & (ALTERED | FORGED | MISSING):
        return Standing.TAMPERED
    if failures - UNTRUSTED - {"timeStamp.untrusted"}:
        return Standing.INVALID
    if any(status.code == "signingCredential.trusted" for status in recorded):
        return Standing.TRUSTED
    return Standing.VALID if recorded else Standing.UNKNOWN


def manifest_of(url: str) -> str:
    """The manifest label in an absolute JUMBF URL; empty where there is none."""
    return url[len(_PREFIX) :].partition("/")[0] if url.startswith(_PREFIX) else ""


def _standing(recorded: Iterable[Status], now: Iterable[Status]) -> Iterator[Status]:
    """The part of a record that nothing found now has superseded."""
    seen = {(status.code, status.url) for status in now}
    gone = {(code, url) for code, better in _ENVIRONMENT.items() for seen_code, url in seen if seen_code == better}
    gone |= {(better, url) for code, better in _ENVIRONMENT.items() for seen_code, url in seen if seen_code == code}
    for status in recorded:
        if (status.code, status.url) not in seen | gone:
            yield status


def _kinds(node: object) -> Iterator[Status]:
    kinds = _mapping(node)
    for kind in ("success", "informational", "failure"):
        for entry in _sequence(kinds.get(kind)):
            yield _status(entry, failure=kind == "failure")


def _status(entry: object, *, failure: bool) -> Status:
    fields = _mapping(entry)
    return Status(
        str(fields.get("code", "")), str(fields.get("url") or ""), failure, str(fields.get("explanation") or "")
    )


def _fails(entry: object) -> bool:
    """Old records mix kinds; the specification's success codes are few and regular."""
    code = str(_mapping(entry).get("code", ""))
    informational = ("ocsp.skipped", "ocsp.inaccessible", "unknownProvenance")
    return not code.endswith((".match", ".validated", ".trusted", ".insideValidity", ".notRevoked", *informational))


def _mapping(node: object) -> dict[str, Any]:
    return node if isinstance(node, dict) else {}


def _sequence(node: object) -> list[Any]:
    return node if isinstance(node, list) else []
