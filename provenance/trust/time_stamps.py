"""RFC 3161 time stamps: whether a token really certifies a moment for these bytes, and whether its authority is believed.

Rules: a time counts as certified only when the token's signature holds, its imprint is that of the stamped bytes, and a
time-stamping list vouches for the authority at that moment; anything less is told and used for nothing. C2PA 2.2 §15.8.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from assay.provenance.trust.certificates import parse, terms
from assay.provenance.trust.der import OBJECT_IDENTIFIER, OCTET_STRING, object_identifier, only
from assay.provenance.trust.judging import TrustJudgement, judge
from assay.provenance.trust.policy import TrustPolicy
from assay.provenance.trust.signatures import signature_holds
from assay.provenance.trust.tokens import (
    TST_INFO,
    SignerInfo,
    Token,
    certificate_digest,
    issuer_and_serial,
    pss_parameters,
    read_token,
)
from assay.provenance.trust.trust_list import Purpose

MAX_TOKEN_BYTES = 64 * 1024
_TIME = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,6})\d*)?Z")  # RFC 3161 §2.4.2
_CONTENT_TYPE = object_identifier("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = object_identifier("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE = object_identifier("1.2.840.113549.1.9.16.2.12")
_SIGNING_CERTIFICATE_V2 = object_identifier("1.2.840.113549.1.9.16.2.47")
_RSASSA_PSS = object_identifier("1.2.840.113549.1.1.10")
_BARE = frozenset(
    map(object_identifier, ("1.2.840.113549.1.1.1", "1.3.101.112"))
)  # rsaEncryption, Ed25519: no hash named
_WITH_HASH: dict[bytes, hashes.HashAlgorithm] = {
    object_identifier("1.2.840.113549.1.1.11"): hashes.SHA256(),  # with RSA
    object_identifier("1.2.840.113549.1.1.12"): hashes.SHA384(),
    object_identifier("1.2.840.113549.1.1.13"): hashes.SHA512(),
    object_identifier("1.2.840.10045.4.3.2"): hashes.SHA256(),  # with ECDSA
    object_identifier("1.2.840.10045.4.3.3"): hashes.SHA384(),
    object_identifier("1.2.840.10045.4.3.4"): hashes.SHA512(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedTime:
    """One token, judged. `time` is what the token states; it is certified only where `certified` is true."""

    time: datetime | None = None
    intact: bool = False  # signature and imprint hold
    authority: TrustJudgement | None = None
    certificates: tuple[bytes, ...] = field(default=(), repr=False)  # DER, as many as the token carries; none: unread
    later: bool = False  # brought by a later manifest than the one that it stamps
    of_claim: bool = False  # over a claim alone, whose signature may be younger
    codes: tuple[str, ...] = ()
    statement: str = ""

    @property
    def certified(self) -> bool:
        """Whether `time` may stand in for the clock when validity is judged."""
        return self.intact and self.authority is not None and self.authority.trusted

    @property
    def authority_name(self) -> str:
        """Who stamped, as the certificate says."""
        holder = self.authority.holder if self.authority else None
        name = (holder.common_name or holder.organisation) if holder else ""
        return f"{name}, stamped later" if name and self.later else name


def best_time(stamps: Iterable[tuple[bytes, bytes]], policy: TrustPolicy) -> CertifiedTime | None:
    """Of several (token, stamped bytes): the first that is certified, else the first that is intact, else the first."""
    judged = [certified_time(token, message, policy) for token, message in stamps]
    ranked = sorted(judged, key=lambda stamp: (not stamp.certified, not stamp.intact))
    return ranked[0] if ranked else None


def certified_time(token: bytes, message: bytes, policy: TrustPolicy) -> CertifiedTime:
    """Judge a token (DER TimeStampToken, or a whole TimeStampResp) over `message`. Total: never raises."""
    if len(token) > MAX_TOKEN_BYTES:
        return _malformed("it is larger than any time stamp")
    try:
        read = read_token(token)
        return replace(_judged(read, message, policy), certificates=read.certificates)
    except Exception:
        return _malformed("it is no RFC 3161 time stamp")


def _judged(token: Token, message: bytes, policy: TrustPolicy) -> CertifiedTime:
    moment = _moment(token.information.time)
    if moment is None:
        return _malformed("it states no time")
    chain = _chain(token)
    leaf = terms(chain[0]) if chain else None
    if leaf is None:
        return CertifiedTime(
            time=moment, codes=("timeStamp.untrusted",), statement="the time stamp lacks its certificate"
        )
    if not _signature_holds(token.signer, token.content, chain[0], leaf.key):
        return CertifiedTime(
            time=moment, codes=("timeStamp.malformed",), statement="the time stamp's signature does not hold"
        )
    digest = _digest(token.information.hash.hash, message)
    if digest is None or not hmac.compare_digest(digest, token.information.imprint):
        return CertifiedTime(
            time=moment, codes=("timeStamp.mismatch",), statement="the time stamp belongs to another signature"
        )
    authority = judge(chain, Purpose.TIME_STAMPING, policy, moment)
    name = authority.holder.common_name or authority.holder.organisation or "an unnamed authority"
    if authority.trusted:
        statement = f"certified by {name} at {moment:%Y-%m-%d %H:%M:%S} UTC"
    else:
        statement = f"{name} states {moment:%Y-%m-%d %H:%M:%S} UTC, but is not believed: {authority.statement}"
    return CertifiedTime(
        time=moment,
        intact=True,
        authority=authority,
        codes=("timeStamp.validated", *authority.codes),
        statement=statement,
    )


def _chain(token: Token) -> tuple[bytes, ...]:
    """The signer's certificate first, then the others, by the signed identifier (RFC 5652 §5.3)."""
    leaf = next((certificate for certificate in token.certificates if _is_signers(certificate, token.signer)), None)
    if leaf is None:
        return ()
    return (leaf, *(certificate for certificate in token.certificates if certificate != leaf))


def _is_signers(certificate: bytes, signer: SignerInfo) -> bool:
    if signer.key_identifier is None:
        return issuer_and_serial(certificate) == (signer.issuer, signer.serial)
    parsed = parse(certificate)
    if parsed is None:
        return False
    try:
        found = parsed.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return False
    return found.digest == signer.key_identifier


def _signature_holds(signer: SignerInfo, content: bytes, leaf: bytes, key: PublicKeyTypes) -> bool:
    """CMS with signed attributes (RFC 5652 §5.4); the attributes must name this very certificate (RFC 3161 §2.4.2)."""
    attributes = signer.attributes
    digest = _digest(signer.digest.hash, content)
    if digest is None or only(attributes[_CONTENT_TYPE], OBJECT_IDENTIFIER) != TST_INFO:
        return False
    if only(attributes[_MESSAGE_DIGEST], OCTET_STRING) != digest or not _names_leaf(attributes, leaf):
        return False
    pss: padding.PSS | None = None
    if signer.algorithm.oid == _RSASSA_PSS:
        stated, mask, salt_length = pss_parameters(signer.algorithm.parameters)
        algorithm = stated.hash
        if algorithm is None or mask.hash is None:
            return False
        pss = padding.PSS(padding.MGF1(mask.hash), salt_length)
    elif signer.algorithm.oid in _BARE:
        algorithm = signer.digest.hash
    else:
        algorithm = _WITH_HASH[signer.algorithm.oid]
    return signature_holds(key, signer.signature, signer.signed, algorithm, pss=pss)


def _names_leaf(attributes: dict[bytes, bytes], leaf: bytes) -> bool:
    if _SIGNING_CERTIFICATE_V2 in attributes:
        algorithm, named = certificate_digest(attributes[_SIGNING_CERTIFICATE_V2], version=2)
        return named == _digest(algorithm.hash if algorithm else None, leaf)
    if _SIGNING_CERTIFICATE in attributes:
        _, named = certificate_digest(attributes[_SIGNING_CERTIFICATE], version=1)
        return named == hashlib.sha1(leaf, usedforsecurity=False).digest()
    return False


def _digest(algorithm: hashes.HashAlgorithm | None, content: bytes) -> bytes | None:
    return hashlib.new(algorithm.name, content).digest() if algorithm else None


def _moment(text: bytes) -> datetime | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    return datetime(year, month, day, hour, minute, second, int((found[7] or b"0").ljust(6, b"0")), tzinfo=UTC)


def _malformed(why: str) -> CertifiedTime:
    return CertifiedTime(codes=("timeStamp.malformed",), statement=f"the time stamp cannot be used: {why}")
