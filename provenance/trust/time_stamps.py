"""RFC 3161 time stamps: whether a token really certifies a moment for these bytes, and whether its authority is believed.

Rules: a time counts as certified only when the token's signature holds, its imprint is that of the stamped bytes, and a
time-stamping list vouches for the authority at that moment; anything less is told and used for nothing. C2PA 2.2 §15.8.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from assay.provenance.trust.certificates import parse
from assay.provenance.trust.judging import TrustJudgement, judge
from assay.provenance.trust.policy import TrustPolicy
from assay.provenance.trust.signatures import signature_holds
from assay.provenance.trust.trust_list import Purpose

MAX_TOKEN_BYTES = 64 * 1024
MAX_TOKEN_CERTIFICATES = 12
_TIME = re.compile(rb"(\d{14})(?:\.(\d{1,6})\d*)?Z")  # RFC 3161 §2.4.2
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedTime:
    """One token, judged. `time` is what the token states; it is certified only where `certified` is true."""

    time: datetime | None = None
    intact: bool = False  # signature and imprint hold
    authority: TrustJudgement | None = None
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
        return (holder.common_name or holder.organisation) if holder else ""


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
        signed = _signed_data(token)
        return _judged(signed, message, policy)
    except Exception:
        return _malformed("it is no RFC 3161 time stamp")


def _judged(signed: Any, message: bytes, policy: TrustPolicy) -> CertifiedTime:
    (signer,) = signed["signer_infos"]
    content = signed["encap_content_info"]["content"]
    information = content.parsed
    moment = _moment(bytes(information["gen_time"].contents))
    if moment is None or signed["encap_content_info"]["content_type"].native != "tst_info":
        return _malformed("it states no time")
    chain = _chain(signed, signer)
    leaf = parse(chain[0]) if chain else None
    if leaf is None:
        return CertifiedTime(
            time=moment, codes=("timeStamp.untrusted",), statement="the time stamp lacks its certificate"
        )
    if not _signature_holds(signer, bytes(content.contents), chain[0], leaf.public_key()):
        return CertifiedTime(
            time=moment, codes=("timeStamp.malformed",), statement="the time stamp's signature does not hold"
        )
    imprint = information["message_imprint"]
    digest = _digest(imprint["hash_algorithm"]["algorithm"].native, message)
    if digest is None or not hmac.compare_digest(digest, imprint["hashed_message"].native):
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


def _signed_data(token: bytes) -> Any:
    """The SignedData of a bare token, or of the response it came in."""
    from asn1crypto import (  # on use: most files carry no stamp, and it takes longer to import than they to verify
        cms,
        tsp,
    )

    try:
        information = cms.ContentInfo.load(token, strict=True)
        if information["content_type"].native == "signed_data":
            return information["content"]
    except (ValueError, TypeError):
        pass
    response = tsp.TimeStampResp.load(token, strict=True)
    if response["status"]["status"].native not in ("granted", "granted_with_mods"):
        raise ValueError("not granted")
    return response["time_stamp_token"]["content"]


def _chain(signed: Any, signer: Any) -> tuple[bytes, ...]:
    """The signer's certificate first, then the others, by the signed identifier (RFC 5652 §5.3)."""
    certificates = [choice.chosen for choice in signed["certificates"]][:MAX_TOKEN_CERTIFICATES]
    identifier = signer["sid"]

    def signs(certificate: Any) -> bool:
        if identifier.name == "subject_key_identifier":
            return bool(certificate.key_identifier == identifier.chosen.native)
        wanted = identifier.chosen
        return bool(
            certificate.serial_number == wanted["serial_number"].native
            and certificate.issuer.dump() == wanted["issuer"].dump()
        )

    leaf = next((certificate.dump() for certificate in certificates if signs(certificate)), None)
    if leaf is None:
        return ()
    return (leaf, *(der for der in (c.dump() for c in certificates) if der != leaf))


def _signature_holds(signer: Any, content: bytes, leaf: bytes, key: PublicKeyTypes) -> bool:
    """CMS with signed attributes (RFC 5652 §5.4); the attributes must name this very certificate (RFC 3161 §2.4.2)."""
    signed = (
        b"\x31" + signer["signed_attrs"].dump()[1:]
    )  # signed as SET OF, stored as [0]; taken before anything is parsed
    algorithm = _HASHES.get(signer["digest_algorithm"]["algorithm"].native)
    attributes = {attribute["type"].native: attribute["values"] for attribute in signer["signed_attrs"]}
    if algorithm is None or len(attributes) != len(signer["signed_attrs"]):
        return False
    if attributes["content_type"][0].native != "tst_info":
        return False
    digest = _digest(algorithm.name, content)
    if digest is None or attributes["message_digest"][0].native != digest or not _names_leaf(attributes, leaf):
        return False
    kind = signer["signature_algorithm"]
    pss: padding.PSS | None = None
    if kind.signature_algo == "rsassa_pss":
        parameters = kind["parameters"]
        algorithm = _HASHES[parameters["hash_algorithm"]["algorithm"].native]
        pss = padding.PSS(padding.MGF1(algorithm), int(parameters["salt_length"].native))
    elif kind["algorithm"].native not in ("rsassa_pkcs1v15", "ecdsa", "ed25519"):
        algorithm = _HASHES[kind.hash_algo]
    return signature_holds(key, signer["signature"].native, signed, algorithm, pss=pss)


def _names_leaf(attributes: dict[str, Any], leaf: bytes) -> bool:
    if "signing_certificate_v2" in attributes:
        named = attributes["signing_certificate_v2"][0]["certs"][0]
        digest = _digest(named["hash_algorithm"]["algorithm"].native, leaf)
        return digest is not None and bool(named["cert_hash"].native == digest)
    if "signing_certificate" in attributes:
        named = attributes["signing_certificate"][0]["certs"][0]
        return bool(named["cert_hash"].native == hashlib.sha1(leaf, usedforsecurity=False).digest())
    return False


def _digest(name: str, content: bytes) -> bytes | None:
    return hashlib.new(name, content).digest() if name in _HASHES else None


def _moment(text: bytes) -> datetime | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    moment = datetime.strptime(found[1].decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return moment.replace(microsecond=int((found[2] or b"0").ljust(6, b"0")))


def _malformed(why: str) -> CertifiedTime:
    return CertifiedTime(codes=("timeStamp.malformed",), statement=f"the time stamp cannot be used: {why}")
