"""The C2PA Soft Binding Resolution API, answered from a repository: pure functions from requests to documents.

Rules: paths, parameters and schemas are those of the specification's OpenAPI document (read in its editions 1.0.0 and 2.4.0);
answers name active manifests, never records; what is no registered algorithm is refused; a server only mounts these.

    GET, POST /matches/byBinding              by_binding(repository, alg, value, most)
    POST      /matches/byContent              by_content(repository, asset, alg, most)
    GET       /manifests/{manifestId}         manifest(repository, label)
    GET       /services/supportedAlgorithms   supported_algorithms()
"""

import base64
import binascii
from typing import Any

from assay.detectors.fingerprints.index import HammingIndex
from assay.detectors.fingerprints.iscc import ISCC, SequenceRefused, image_code, image_codes
from assay.detectors.fingerprints.searching import WHOLE_PICTURE, Searcher, marked
from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.decoding import decode
from assay.provenance.errors import AssayError
from assay.provenance.repository import Repository

Document = dict[str, Any]
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


def by_binding(repository: Repository, alg: str, value: str, *, most: int = DEFAULT_RESULTS) -> Document:
    """`c2pa.softBindingQueryResult` for one soft binding, its `value` in base64. Raises `QueryRefused`."""
    _known(alg)
    if len(value) > MAX_VALUE:
        raise QueryRefused(f"the value has {len(value):,} characters; at most {MAX_VALUE:,} are taken")
    try:
        codes = image_codes(base64.b64decode(value.strip(), validate=True))
    except (binascii.Error, ValueError, SequenceRefused) as error:
        raise QueryRefused(f"the value is no ISCC sequence in base64: {error}") from error
    if not codes:
        raise QueryRefused("the value holds no Image-Code of 256 bits, by which pictures are found")
    return _nearest(repository, codes, _count(most))


def by_content(
    repository: Repository,
    asset: Asset,
    *,
    alg: str = "",
    most: int = DEFAULT_RESULTS,
    searcher: Searcher | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Document:
    """`c2pa.softBindingQueryResult` for a picture: by the algorithm named, else by all that `assay recover` knows.

    Raises `QueryRefused`, or what decoding raises.
    """
    most = _count(most)
    if alg:
        _known(alg)
        return _nearest(repository, (image_code(decode(asset, limits=limits)),), most)
    exact = repository.by_sha256(asset.sha256)
    if exact:
        return _result([(record.manifest, 100) for record in exact], most)
    image = decode(asset, limits=limits)
    _, records = marked(repository, image)
    matches = (searcher or Searcher(repository)).search(image, most=most)
    found = [(record.manifest, 99) for record in records]
    found += [(match.record.manifest, min(99, round(100 * match.agreement))) for match in matches]
    return _result(found, most)


def manifest(repository: Repository, label: str) -> bytes:
    """The manifest store whose active manifest has this label, as `application/c2pa`. Raises `UnknownManifest`."""
    records = repository.by_manifest(label)
    if not records:
        raise UnknownManifest("no manifest is remembered under this identifier")
    return repository.store(records[0])


def _nearest(repository: Repository, codes: tuple[bytes, ...], most: int) -> Document:
    index = HammingIndex(repository, ISCC, WHOLE_PICTURE)
    found: dict[str, int] = {}
    for hit in index.nearest(list(codes), within=ISCC_WITHIN, most=most):
        record = repository.get(hit.record)
        if record is not None:
            found.setdefault(record.manifest, min(99, round(100 * (1 - hit.distance / _BITS))))
    return _result(list(found.items()), most)


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
