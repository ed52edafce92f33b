"""Whether a signer's certificate, or an issuer's on its path, was revoked: OCSP answers stapled to the signature, and, only
when asked for, fetched ones.

Rules (C2PA 2.4 §14.5.2, §15.9): "unknown", "no answer" and "not asked" are answers of their own and never "good"; a responder
is asked only where a trust list vouches for the certificate that names it. The authority at the end of a path answers to the
list that names it, and to nobody else.
"""

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from assay.provenance.trust.answers import MAX_ANSWER_BYTES, MAX_ANSWERS, Revocation, RevocationState, answered, serials
from assay.provenance.trust.certificates import parse
from assay.provenance.trust.judging import TrustJudgement
from assay.provenance.trust.path import issued_by
from assay.provenance.trust.policy import TrustPolicy

ANSWER_SECONDS = 8.0
_TOLD = (RevocationState.REVOKED, RevocationState.GOOD, RevocationState.UNKNOWN)  # proven answers, the weightiest first


def revocation(
    judgement: TrustJudgement,
    chain_der: tuple[bytes, ...],
    policy: TrustPolicy,
    *,
    stapled: tuple[bytes, ...] = (),
    at: datetime | None = None,
) -> Revocation:
    """Look at stapled answers, then, if the policy says so, ask. `at` is the certified time, None where there is none.

    A revocation later than the certified time leaves the signature good: it was made before. Issuers are looked at on a path
    that leads to a list; a revoked or unknown one weighs as the certificate itself would. Total: never raises.
    """
    leaf = parse(chain_der[0]) if chain_der else None
    issuer_der = _issuer(judgement, chain_der)
    if leaf is None or issuer_der is None:
        return Revocation(
            state=RevocationState.NOT_ASKED,
            statement="revocation was not looked at: its issuer's certificate is missing",
        )
    ask = policy.online_revocation and judgement.reaches is not None
    issuers = tuple(zip(judgement.path[1:-1], judgement.path_der[1:-1], judgement.path_der[2:], strict=True))
    if not issuers or not (stapled or ask):
        return _found(chain_der[0], issuer_der, stapled, policy, at, ask=ask)
    about = {answer: serials(answer) for answer in stapled}
    above = {int(holder.serial, 16) for holder, _, _ in issuers} - {leaf.serial_number}
    own = tuple(answer for answer, numbers in about.items() if not numbers or not above.issuperset(numbers))
    found = [_found(chain_der[0], issuer_der, own, policy, at, ask=ask)]
    for holder, der, by in issuers:
        answers = tuple(answer for answer, numbers in about.items() if int(holder.serial, 16) in numbers)
        found.append(_above(_found(der, by, answers, policy, at, ask=ask), holder.common_name[:120]))
    for state in (RevocationState.REVOKED, RevocationState.UNKNOWN):
        if weighty := next((one for one in found if one.state is state), None):
            return weighty
    return replace(found[0], statement="; ".join(one.statement for one in found))


def _above(told: Revocation, name: str) -> Revocation:
    """What is known of an issuer on the path, told as that."""
    statement = f"its issuer “{name}”: {told.statement}"
    if told.state is RevocationState.REVOKED:
        statement = f"the certificate of its issuer “{name}” {told.statement.removeprefix('its certificate ')}"
    return replace(told, authority=name, statement=statement)


def _found(
    der: bytes,
    issuer_der: bytes,
    stapled: tuple[bytes, ...],
    policy: TrustPolicy,
    at: datetime | None,
    *,
    ask: bool,
) -> Revocation:
    """What is known of one certificate, from the answers about it and, with `ask`, from the responder that it names."""
    now = policy.now or datetime.now(UTC)
    found: list[Revocation] = []
    for answer in stapled[:MAX_ANSWERS]:
        found.append(replace(answered(answer, der, issuer_der, at=at, now=now), source="stapled"))
    attached = _most_telling(found)
    if attached is not None and attached.state is RevocationState.REVOKED:
        return attached
    if ask:
        asked = _asked(der, issuer_der, policy, at)
        if asked.state in _TOLD or attached is None:
            return asked
        return replace(attached, statement=f"{attached.statement}; {asked.statement}")
    if attached is not None:
        return attached
    return Revocation(
        state=RevocationState.NOT_ASKED,
        statement="revocation was not looked at: no answer is attached, and nobody was asked",
    )


def _most_telling(found: list[Revocation]) -> Revocation | None:
    """A proven revocation outweighs everything; then a good answer; then the responder's "unknown"; then what is left."""
    return min(found, key=lambda one: _TOLD.index(one.state) if one.state in _TOLD else len(_TOLD), default=None)


def _issuer(judgement: TrustJudgement, chain_der: tuple[bytes, ...]) -> bytes | None:
    if len(judgement.path_der) > 1:
        return judgement.path_der[1]
    return next((der for der in chain_der[1:8] if issued_by(chain_der[0], der)), None)


def _asked(leaf_der: bytes, issuer_der: bytes, policy: TrustPolicy, at: datetime | None) -> Revocation:
    url = responder_url(x509.load_der_x509_certificate(leaf_der))
    if not url:
        return Revocation(
            state=RevocationState.NOT_ASKED,
            statement="revocation cannot be asked for: the certificate names no responder",
        )
    now = policy.now or datetime.now(UTC)
    answer = _ask(url, leaf_der, issuer_der, policy.private_hosts, now.replace(minute=0, second=0, microsecond=0))
    if isinstance(answer, str):
        return Revocation(
            state=RevocationState.UNREACHABLE, statement=f"the responder gave no answer: {answer}", source=url
        )
    judged = replace(answered(answer, leaf_der, issuer_der, at=at, now=now), source=url)
    if judged.state is RevocationState.UNUSABLE:
        return replace(judged, state=RevocationState.UNREACHABLE)
    return judged


def responder_url(certificate: x509.Certificate) -> str:
    """The OCSP responder that a certificate names; empty where it names none."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return ""
    for description in access:
        location = description.access_location
        if description.access_method == AuthorityInformationAccessOID.OCSP and isinstance(
            location, x509.UniformResourceIdentifier
        ):
            return str(location.value)[:2048]
    return ""


@lru_cache(maxsize=256)
def _ask(url: str, leaf_der: bytes, issuer_der: bytes, private_hosts: frozenset[str], hour: datetime) -> bytes | str:
    """The answer, or why there is none. One question per certificate, responder and hour, also where it fails, so that a
    folder of one signer's images neither asks nor waits more than once."""
    from assay.provenance.fetching import FetchLimits, FetchRefused, fetch  # on use: hardly anybody asks

    leaf, issuer = x509.load_der_x509_certificate(leaf_der), x509.load_der_x509_certificate(issuer_der)
    request = ocsp.OCSPRequestBuilder().add_certificate(leaf, issuer, hashes.SHA1()).build()  # noqa: S303  (RFC 5019)
    limits = FetchLimits(bytes=MAX_ANSWER_BYTES, seconds=ANSWER_SECONDS, private_hosts=private_hosts)
    try:
        return fetch(url, limits, body=request.public_bytes(Encoding.DER), content_type="application/ocsp-request")
    except FetchRefused as error:
        return error.message
