"""The C2PA Soft Binding Resolution API, answered from a repository: pure functions from requests to documents.

Rules: paths, parameters and schemas are those of the specification's OpenAPI document (read in its editions 1.0.0 and 2.4.0);
answers name active manifests, never records; what is no registered algorithm is refused; a server only mounts these.

    GET, POST /matches/byBinding              by_binding(repository, alg, value, most)
    POST      /matches/byContent              by_content(repository, asset, alg, most, hint)
    GET       /manifests/{manifestId}         manifest(repository, label, active)
    GET       /services/supportedAlgorithms   supported_algorithms()
    GET       /services/capabilities          capabilities()
    GET       /services/status                status(serving)
    GET       /.well-known/c2pa-soft-binding-resolution   discovery()

The optional /matches/byReference is not offered: the server would fetch what strangers name. Nor is storing.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from assay.detectors.fingerprints.index import index_of
from assay.detectors.fingerprints.iscc import ISCC, SequenceRefused, image_code, image_codes
from assay.detectors.fingerprints.searching import WHOLE_PICTURE, Searcher, marked
from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.decoding import decode
from assay.provenance.errors import AssayError
from assay.provenance.jumbf.store import active_alone
from assay.provenance.repository import Repository

Document = dict[str, Any]
EDITION = "2.4.0"  # of the specification whose API this is
MANIFEST_TYPE = "application/c2pa"
MAX_VALUE = 16 * 1024  # characters of a soft binding's value
MAX_RESULTS = 100
DEFAULT_RESULTS = 10
ISCC_WITHIN = 40  # bits of 256: unrelated pictures differ in about half
_BITS = 256


class QueryRefused(AssayError):
    """The query is not one that this service can answer: 400."""


class UnknownManifest(AssayError):
    """No manifest is remembered under this identifier: 404."""


def supported_algorithms() -> Document:
    """`c2pa.softBindingAlgList`."""
    return {"fingerprints": [{"alg": ISCC}]}


def capabilities() -> Document:
    """`c2pa.serviceCapabilities`: what is optional and offered."""
    return {"c2paSpecificationVersion": EDITION, "supportedCapabilities": ["queryByContent"]}


def status(*, serving: bool) -> Document:
    """`c2pa.serviceStatus`."""
    return {"status": "ok" if serving else "down", "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def discovery() -> Document:
    """`c2pa.wellKnownDiscovery`, with references relative to the server."""
    return {
        "apiEndpoint": "/v1",
        "c2paSpecificationVersion": EDITION,
        "capabilitiesEndpoint": "/v1/services/capabilities",
        "statusEndpoint": "/v1/services/status",
    }


def by_binding(repository: Repository, alg: str, value: str, *, most: int = DEFAULT_RESULTS) -> Document:
    """`c2pa.softBindingQueryResult` for one soft binding, its `value` in base64. Raises `QueryRefused`."""
    _known(alg)
    most = _count(most)
    return _result(_nearest(repository, _codes(value), most), most)


def by_content(
    repository: Repository,
    asset: Asset,
    *,
    alg: str = "",
    most: int = DEFAULT_RESULTS,
    hint: tuple[str, str] = ("", ""),
    searcher: Searcher | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Document:
    """`c2pa.softBindingQueryResult` for a picture: by the algorithm named, else by all that `assay recover` knows.

    `hint`: algorithm and value of a soft binding that the asker has besides; one of an algorithm not known here is passed over.
    Raises `QueryRefused`, or what decoding raises.
    """
    most = _count(most)
    codes = hinted(hint)
    if alg:
        _known(alg)
        return _result(_nearest(repository, (image_code(decode(asset, limits=limits)), *codes), most), most)
    exact = repository.by_sha256(asset.sha256)
    if exact:
        return _result([(record.manifest, 100) for record in exact], most)
    image = decode(asset, limits=limits)
    _, records = marked(repository, image)
    matches = (searcher or Searcher(repository)).search(image, most=most)
    found = [(record.manifest, 99) for record in records]
    found += [(match.record.manifest, min(99, round(100 * match.agreement))) for match in matches]
    found += _nearest(repository, codes, most) if codes else []
    return _result(found, most)


def near(repository: Repository, codes: tuple[bytes, ...], most: int) -> dict[int, int]:
    """Record number → distance in bits, of at most so many records for each Image-Code, the nearest first."""
    index = index_of(repository, ISCC, WHOLE_PICTURE)
    found: dict[int, int] = {}
    for hit in index.nearest(list(codes), within=ISCC_WITHIN, most=most):
        found.setdefault(hit.record, hit.distance)
    return found


def hinted(hint: tuple[str, str]) -> tuple[bytes, ...]:
    """The Image-Codes of a soft binding that the asker has besides; none of an algorithm not known here. Raises `QueryRefused`."""
    return _codes(hint[1]) if hint[0] == ISCC else ()


def manifest(repository: Repository, label: str, *, active: bool = False) -> bytes:
    """The manifest store whose active manifest has this label, as `application/c2pa`. Raises `UnknownManifest`.

    `active`: with that manifest alone; whether its ingredients hold cannot be told from it.
    """
    records = repository.by_manifest(label)
    if not records:
        raise UnknownManifest("no manifest is remembered under this identifier")
    store = repository.store(records[0])
    return active_alone(store) if active else store


def _codes(value: str) -> tuple[bytes, ...]:
    if len(value) > MAX_VALUE:
        raise QueryRefused(f"the value has {len(value):,} characters; at most {MAX_VALUE:,} are taken")
    try:
        codes = image_codes(base64.b64decode(value.strip(), validate=True))
    except (binascii.Error, ValueError, SequenceRefused) as error:
        raise QueryRefused(f"the value is no ISCC sequence in base64: {error}") from error
    if not codes:
        raise QueryRefused("the value holds no Image-Code of 256 bits, by which pictures are found")
    return tuple(codes)


def _nearest(repository: Repository, codes: tuple[bytes, ...], most: int) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for number, distance in near(repository, codes, most).items():
        record = repository.get(number)
        if record is not None:
            found.setdefault(record.manifest, min(99, round(100 * (1 - distance / _BITS))))
    return list(found.items())


def _result(matches: list[tuple[str, int]], most: int) -> Document:
    best: dict[str, int] = {}
    for label, score in matches:
        best.setdefault(label, score)
    return {"matches": [{"manifestId": label, "similarityScore": score} for label, score in list(best.items())[:most]]}


def _known(alg: str) -> None:
    if alg != ISCC:
        raise QueryRefused(f"{alg[:80]!r} is not supported here", f"ask by {ISCC}")


def _count(most: int) -> int:
    if most < 1:
        raise QueryRefused("maxResults must be at least 1")
    return min(most, MAX_RESULTS)
