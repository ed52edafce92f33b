"""One OCSP answer: who signed it, whom it speaks of, and what it proves at a given moment.

Rules (RFC 6960, C2PA 2.4 §15.9): an answer counts only when the issuer itself, or a responder that the issuer authorised,
signed it, and when it speaks of the moment in question; what cannot be read proves nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from assay.provenance.trust.certificates import extended_key_usages
from assay.provenance.trust.path import OCSP_SIGNING_EKU, issued_by
from assay.provenance.trust.signatures import signature_holds

MAX_ANSWER_BYTES = 64 * 1024
MAX_ANSWERS = 8
SKEW = timedelta(minutes=5)


class RevocationState(StrEnum):
    """What is known of a revocation."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"  # the responder does not know the certificate
    UNREACHABLE = "unreachable"  # a responder was asked and gave no usable answer
    UNUSABLE = "unusable"  # an answer was stapled, but it proves nothing
    NOT_ASKED = "not-asked"


_CODES = {
    RevocationState.GOOD: "signingCredential.ocsp.notRevoked",
    RevocationState.REVOKED: "signingCredential.ocsp.revoked",
    RevocationState.UNKNOWN: "signingCredential.ocsp.unknown",
    RevocationState.UNREACHABLE: "signingCredential.ocsp.inaccessible",
    RevocationState.UNUSABLE: "signingCredential.ocsp.skipped",
    RevocationState.NOT_ASKED: "signingCredential.ocsp.skipped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """What the answers say. `source` is "stapled" or the responder's URL; `delegated`: not the issuer itself signed.

    `state` is that of the signer's certificate, unless an issuer's weighs more: then `authority` names that issuer.
    """

    state: RevocationState
    statement: str
    source: str = ""
    responder: str = ""
    delegated: bool = False
    revoked_at: datetime | None = None
    reason: str = ""
    produced_at: datetime | None = None
    authority: str = ""

    @property
    def codes(self) -> tuple[str, ...]:
        """The specification's status code; it knows one alone for a revoked issuer (C2PA 2.4 §15.9)."""
        if self.authority and self.state is RevocationState.REVOKED:
            return ("signingCredential.untrusted",)
        return (_CODES[self.state],)


def serials(answer: bytes) -> tuple[int, ...]:
    """The serial numbers of the certificates that an OCSP response (DER) speaks of; none where it cannot be read."""
    try:
        found = ocsp.load_der_ocsp_response(answer).responses if len(answer) <= MAX_ANSWER_BYTES else ()
        return tuple(single.serial_number for single in found)[:MAX_ANSWERS]
    except Exception:  # whatever the parser raises on hostile bytes
        return ()


def responders(answer: bytes) -> tuple[bytes, ...] | None:
    """The certificates (DER) that an OCSP response carries; None where it cannot be read."""
    try:
        found = ocsp.load_der_ocsp_response(answer).certificates if len(answer) <= MAX_ANSWER_BYTES else None
        return None if found is None else tuple(one.public_bytes(Encoding.DER) for one in found)
    except Exception:  # whatever the parser raises on hostile bytes; a refusal has no certificates to ask for
        return None


def answered(answer: bytes, leaf_der: bytes, issuer_der: bytes, *, at: datetime | None, now: datetime) -> Revocation:
    """What one answer proves of `leaf` at `at` (or now)."""
    try:
        return _judged(answer, leaf_der, issuer_der, at=at, now=now)
    except Exception:
        return _unusable("it cannot be read")


def _judged(answer: bytes, leaf_der: bytes, issuer_der: bytes, *, at: datetime | None, now: datetime) -> Revocation:
    if len(answer) > MAX_ANSWER_BYTES:
        return _unusable("it is larger than any revocation answer")
    response = ocsp.load_der_ocsp_response(answer)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return _unusable(f"the responder refused ({response.response_status.name.lower()})")
    issuer = x509.load_der_x509_certificate(issuer_der)
    signer = _signer(response, issuer, issuer_der, response.produced_at_utc)
    if signer is None:
        return _unusable("it is signed by nobody whom the issuer authorised")
    leaf = x509.load_der_x509_certificate(leaf_der)
    single = next((x for x in response.responses if _speaks_of(x, leaf, issuer)), None)
    if single is None:
        return _unusable("it speaks of another certificate")
    told = Revocation(
        state=RevocationState.UNKNOWN,
        statement="the responder does not know this certificate",
        responder=signer.subject.rfc4514_string()[:200],
        delegated=signer != issuer,
        produced_at=response.produced_at_utc,
    )
    revoked = single.certificate_status is ocsp.OCSPCertStatus.REVOKED
    lifted = (
        revoked and single.revocation_reason is x509.ReasonFlags.remove_from_crl
    )  # not revoked any more: C2PA 2.4 §15.9
    if revoked and not lifted:
        return _revoked(single, told, at)
    moment = at or now
    too_old = single.next_update_utc is not None and single.next_update_utc + SKEW < moment
    if single.next_update_utc is None:  # newer information is always available: RFC 6960 §4.2.2.1
        too_old = single.this_update_utc + timedelta(days=1) < moment
    if too_old:
        return _unusable(
            f"it was only good until {single.next_update_utc or single.this_update_utc:%Y-%m-%d %H:%M} UTC"
        )
    if single.this_update_utc > max(now, moment) + SKEW:
        return _unusable("it is dated in the future")
    if single.certificate_status is ocsp.OCSPCertStatus.GOOD or lifted:
        as_of = f"{single.this_update_utc:%Y-%m-%d %H:%M} UTC"
        return replace(told, state=RevocationState.GOOD, statement=f"not revoked as of {as_of}")
    return told


def _revoked(single: ocsp.OCSPSingleResponse, told: Revocation, at: datetime | None) -> Revocation:
    since = single.revocation_time_utc
    reason = single.revocation_reason.value if single.revocation_reason else ""
    told = replace(told, revoked_at=since, reason=reason)
    when = f"{since:%Y-%m-%d %H:%M} UTC" if since else "an unstated time"
    why = f" ({reason})" if reason else ""
    if at is not None and since is not None and at < since:
        return replace(
            told, state=RevocationState.GOOD, statement=f"revoked on {when}{why}, after the certified time of signing"
        )
    return replace(told, state=RevocationState.REVOKED, statement=f"its certificate was revoked on {when}{why}")


def _speaks_of(single: ocsp.OCSPSingleResponse, leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    if single.serial_number != leaf.serial_number:
        return False
    asked = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, single.hash_algorithm).build()
    return (asked.issuer_name_hash, asked.issuer_key_hash) == (single.issuer_name_hash, single.issuer_key_hash)


def _signer(
    response: ocsp.OCSPResponse, issuer: x509.Certificate, issuer_der: bytes, produced: datetime
) -> x509.Certificate | None:
    """Who signed: the issuer itself, or a certificate it issued for OCSP signing (RFC 6960 §4.2.2.2)."""
    if _signed(response, issuer):
        return issuer
    for certificate in response.certificates[:MAX_ANSWERS]:
        if not certificate.not_valid_before_utc <= produced <= certificate.not_valid_after_utc:
            continue
        if OCSP_SIGNING_EKU not in extended_key_usages(certificate):
            continue
        if issued_by(certificate.public_bytes(Encoding.DER), issuer_der) and _signed(response, certificate):
            return certificate
    return None


def _signed(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    algorithm, key = response.signature_hash_algorithm, certificate.public_key()
    signed = (key, response.signature, response.tbs_response_bytes, algorithm)
    if signature_holds(*signed):
        return True
    if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
        return signature_holds(*signed, pss=padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO))
    return False


def _unusable(why: str) -> Revocation:
    return Revocation(
        state=RevocationState.UNUSABLE, statement=f"there is a revocation answer, but it proves nothing: {why}"
    )
