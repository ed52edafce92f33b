"""What manifests bring for others after the fact: time stamps and revocation answers (C2PA 2.2 §18.17, §18.18).

Rules: each proves itself or nothing, whoever carries it: a time stamp must be over the very signature that it is brought for,
an answer about the very certificate; what cannot be read is left out; counts are bounded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import cbor2

from assay.provenance.jumbf.cose import MAX_TOKENS
from assay.provenance.jumbf.store import ManifestStore
from assay.provenance.trust.answers import MAX_ANSWER_BYTES, MAX_ANSWERS, serials

TIME_STAMP: Final = "c2pa.time-stamp"
CERTIFICATE_STATUS: Final = "c2pa.certificate-status"
_MAX_BROUGHT: Final = 256  # tokens or answers looked at in one store


@dataclass(frozen=True, slots=True)
class Supplements:
    """Time-stamp tokens (DER) by the label of the manifest that they stamp, OCSP responses (DER) by the serial number of the
    certificate that they are about."""

    tokens: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    answers: Mapping[int, tuple[bytes, ...]] = field(default_factory=dict)


def supplements(store: ManifestStore) -> Supplements:
    """Everything of the kind in a store, in stored order. Total: never raises."""
    tokens: dict[str, tuple[bytes, ...]] = {}
    answers: dict[int, tuple[bytes, ...]] = {}
    for label, token in islice(_tokens(store), _MAX_BROUGHT):
        tokens[label] = (*tokens.get(label, ()), token)[:MAX_TOKENS]
    for serial, answer in islice(_answers(store), _MAX_BROUGHT):
        answers[serial] = (*answers.get(serial, ()), answer)[:MAX_ANSWERS]
    return Supplements(tokens, answers)


def _tokens(store: ManifestStore) -> Iterator[tuple[str, bytes]]:
    for content in _contents(store, TIME_STAMP):
        if isinstance(content, Mapping):
            yield from ((k, v) for k, v in content.items() if isinstance(k, str) and isinstance(v, bytes))


def _answers(store: ManifestStore) -> Iterator[tuple[int, bytes]]:
    for content in _contents(store, CERTIFICATE_STATUS):
        values = content.get("ocspVals") if isinstance(content, Mapping) else None
        for value in values if isinstance(values, list) else ():
            if isinstance(value, bytes) and len(value) <= MAX_ANSWER_BYTES:
                yield from ((serial, value) for serial in serials(value))


def _contents(store: ManifestStore, label: str) -> Iterator[Any]:
    for manifest in store.manifests:
        for assertion in manifest.assertions:
            if assertion.label.partition("__")[0] == label:
                try:
                    yield cbor2.loads(assertion.content, max_depth=4)
                except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError):
                    continue
