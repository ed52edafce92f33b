"""Certificate paths of our own, one list at a time, because the SDK mixes trust kinds and does not say what a path rests on.

Rules (RFC 5280 §6 reduced to what C2PA 2.2 §14.5 uses): at most 8 certificates and 64 tries; every step is a verified
signature; every issuer is a CA, may sign certificates, respects its path length and permits the purpose; a critical
extension nobody here understands refuses the path; dates are judged at the given time and reported apart.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from assay.provenance.trust.certificates import CertificateTerms, parse, terms
from assay.provenance.trust.trust_list import Purpose, TrustList

MAX_STEPS = 8
MAX_TRIES = 64

TIME_STAMPING_EKU = "1.3.6.1.5.5.7.3.8"
OCSP_SIGNING_EKU = "1.3.6.1.5.5.7.3.9"
ANY_EKU = "2.5.29.37.0"
CLAIM_EKUS = (
    "1.3.6.1.4.1.62558.2.1",  # c2pa-kp-claimSigning
    "1.3.6.1.5.5.7.3.4",  # emailProtection
    "1.3.6.1.5.5.7.3.36",  # documentSigning
    "1.3.6.1.4.1.311.76.59.1.9",  # Microsoft C2PA signing
)
# An issuer that is restricted to these, and to none that the purpose accepts, does not certify for it. Usages unknown here do
# not refuse: the Adobe issuer behind most signed photographs of 2022 to 2025 names only one of Adobe's own.
_KNOWN_EKUS = frozenset(
    (*CLAIM_EKUS, TIME_STAMPING_EKU, OCSP_SIGNING_EKU, "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.3")
)
_SOUND_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512, hashes.SHA3_256, hashes.SHA3_384, hashes.SHA3_512)


class Refusal(StrEnum):
    """Why a certificate is not believed."""

    UNREADABLE = "unreadable"
    NO_PATH = "no-path"
    MISSING_USAGE = "missing-usage"  # no extended key usage that this purpose accepts
    FORBIDDEN_USAGE = "forbidden-usage"  # one that may not stand beside it
    NOT_A_SIGNER = "not-a-signer"  # a CA certificate, or its key may not sign
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    NOT_A_CA = "not-a-ca"
    PATH_LENGTH = "path-length"
    ISSUER_USAGE = "issuer-usage"  # an issuer on the path may not certify for this purpose
    WEAK_KEY = "weak-key"
    UNKNOWN_CRITICAL = "unknown-critical-extension"
    WRONG_PURPOSE = "wrong-purpose"  # it leads to a list, but to one kept for another purpose


@dataclass(frozen=True, slots=True)
class Path:
    """A path from the leaf to an anchor of one list (both included). `dates` is what is wrong with its dates, if anything."""

    trust_list: TrustList
    certificates: tuple[bytes, ...]
    dates: Refusal | None = None


def accepted_usages(purpose: Purpose, extra: tuple[str, ...] = ()) -> frozenset[str]:
    """The extended key usages of which a leaf must have one. `extra` are the user's own, never for time stamps."""
    if purpose is Purpose.TIME_STAMPING:
        return frozenset((TIME_STAMPING_EKU,))
    return frozenset(CLAIM_EKUS + extra)


def leaf_refusal(leaf: CertificateTerms, purpose: Purpose, accepted: frozenset[str]) -> Refusal | None:
    """What in the leaf itself forbids this purpose, whoever issued it. C2PA 2.2 §14.5.1, RFC 3161 §2.3."""
    if not leaf.ekus & accepted:
        return Refusal.MISSING_USAGE
    if (
        ANY_EKU in leaf.ekus
        or OCSP_SIGNING_EKU in leaf.ekus
        or (TIME_STAMPING_EKU in leaf.ekus and leaf.ekus != {TIME_STAMPING_EKU})
        or (purpose is Purpose.TIME_STAMPING and not leaf.ekus_critical)
    ):
        return Refusal.FORBIDDEN_USAGE
    if leaf.ca or not leaf.signs_content:
        return Refusal.NOT_A_SIGNER
    return _form_refusal(leaf)


def find_path(
    chain: tuple[bytes, ...], trust_list: TrustList, accepted: frozenset[str], at: datetime
) -> Path | Refusal:
    """A path from `chain[0]` to an anchor of `trust_list`, or why there is none. In-date paths are preferred."""
    leaf = chain[0]
    if trust_list.allowed and hashlib.sha256(leaf).digest() in trust_list.allowed:
        return Path(trust_list, (leaf,), _dates((leaf,), at))
    refusal = Refusal.NO_PATH
    late: Path | None = None
    for certificates in _paths(chain[:MAX_STEPS], trust_list):
        wrong = _path_refusal(certificates, accepted)
        if wrong is not None:
            refusal = wrong
            continue
        path = Path(trust_list, certificates, _dates(certificates, at))
        if path.dates is None:
            return path
        late = late or path
    return late or refusal


def issued_by(certificate: bytes, issuer: bytes) -> bool:
    """Whether `issuer` (DER) signed `certificate` (DER); a certificate that cannot be read was issued by nobody."""
    return _issued_by(certificate, issuer)


def _paths(chain: tuple[bytes, ...], trust_list: TrustList) -> Iterator[tuple[bytes, ...]]:
    """Every verified path over the supplied certificates to an anchor, shortest first, within the limits."""
    open_paths: list[tuple[bytes, ...]] = [(chain[0],)]
    for _ in range(MAX_TRIES):
        if not open_paths:
            return
        path = open_paths.pop(0)
        if path[-1] in trust_list.anchors:
            yield path
            continue
        issuers = [anchor for anchor in _anchors_named(trust_list, path[-1]) if _issued_by(path[-1], anchor)]
        yield from ((*path, anchor) for anchor in issuers)
        if len(path) < MAX_STEPS:
            open_paths += [
                (*path, c) for c in chain[1:] if c not in path and c not in issuers and _issued_by(path[-1], c)
            ]


def _path_refusal(certificates: tuple[bytes, ...], accepted: frozenset[str]) -> Refusal | None:
    for depth, der in enumerate(certificates[1:]):
        issuer = terms(der)
        if issuer is None:
            return Refusal.UNREADABLE
        if not issuer.ca or issuer.signs_certificates is False:
            return Refusal.NOT_A_CA
        if issuer.path_length is not None and issuer.path_length < depth:
            return Refusal.PATH_LENGTH
        if issuer.ekus and issuer.ekus <= _KNOWN_EKUS - accepted:
            return Refusal.ISSUER_USAGE
        if wrong := _form_refusal(issuer):
            return wrong
    return None


def _form_refusal(certificate: CertificateTerms) -> Refusal | None:
    if certificate.short_key:
        return Refusal.WEAK_KEY
    return Refusal.UNKNOWN_CRITICAL if certificate.unjudged else None


def _dates(certificates: tuple[bytes, ...], at: datetime) -> Refusal | None:
    for der in certificates:
        certificate = terms(der)
        if certificate is None or at > certificate.not_after:
            return Refusal.EXPIRED
        if at < certificate.not_before:
            return Refusal.NOT_YET_VALID
    return None


def named_anchors(certificates: Iterable[bytes], trust_list: TrustList) -> tuple[bytes, ...]:
    """The anchors that any path from these certificates (DER) can touch, in the list's order: those among the certificates, those
    that bear the name of an issuer, and so on upwards. Names alone decide: this narrows a search and proves nothing."""
    by_subject, found = _anchors_by_subject(trust_list), set[bytes]()
    waiting = list(certificates)
    while waiting:
        der = waiting.pop()
        certificate = parse(der)
        named = by_subject.get(certificate.issuer, ()) if certificate else ()
        new = {anchor for anchor in (*named, der) if anchor in trust_list.anchors} - found
        found |= new
        waiting += new - {der}
    return tuple(anchor for anchor in trust_list.anchors if anchor in found)


@lru_cache(maxsize=1024)
def _anchors_named(trust_list: TrustList, der: bytes) -> tuple[bytes, ...]:
    """The anchors that bear the name of a certificate's issuer."""
    certificate = parse(der)
    return _anchors_by_subject(trust_list).get(certificate.issuer, ()) if certificate else ()


@lru_cache(maxsize=64)
def _anchors_by_subject(trust_list: TrustList) -> dict[x509.Name, tuple[bytes, ...]]:
    by_subject: dict[x509.Name, tuple[bytes, ...]] = {}
    for der in trust_list.anchors:
        if certificate := parse(der):
            by_subject[certificate.subject] = (*by_subject.get(certificate.subject, ()), der)
    return by_subject


@lru_cache(maxsize=4096)
def _issued_by(der: bytes, issuer_der: bytes) -> bool:
    certificate, issuer = parse(der), parse(issuer_der)
    if certificate is None or issuer is None or certificate.issuer != issuer.subject:
        return False
    try:
        algorithm = certificate.signature_hash_algorithm
        if algorithm is not None and not isinstance(algorithm, _SOUND_HASHES):
            return False
        unused_bits = der[-len(certificate.signature) - 1]
        if unused_bits:  # a signature is whole octets, but the parser passes over a count of bits that are none of it
            return False
        certificate.verify_directly_issued_by(issuer)
    except Exception:
        return False
    return True
