"""An RFC 3161 time stamp taken apart: every field that judging it needs, as bytes.

Rules: strict DER and no field where it does not belong, or `Malformed`; nothing is verified here, and what was signed is
kept as it stood. CMS is RFC 5652, TSTInfo RFC 3161 §2.4.2.
"""

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives import hashes

from assay.provenance.trust.der import (
    BOOLEAN,
    GENERALISED_TIME,
    INTEGER,
    NULL,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    Fields,
    Malformed,
    object_identifier,
    only,
)

MAX_CERTIFICATES: Final = 12
MAX_ATTRIBUTES: Final = 32  # public tokens have 4 to 6
SIGNED_DATA: Final = object_identifier("1.2.840.113549.1.7.2")
TST_INFO: Final = object_identifier("1.2.840.113549.1.9.16.1.4")
SHA256: Final = object_identifier("2.16.840.1.101.3.4.2.1")
HASHES: Final[dict[bytes, hashes.HashAlgorithm]] = {
    SHA256: hashes.SHA256(),
    object_identifier("2.16.840.1.101.3.4.2.2"): hashes.SHA384(),
    object_identifier("2.16.840.1.101.3.4.2.3"): hashes.SHA512(),
}
_MGF1: Final = object_identifier("1.2.840.113549.1.1.8")
_GRANTED: Final = (b"\0", b"\1")  # granted, granted with modifications
_REFUSED: Final = {b"\2": "rejected", b"\3": "waiting", b"\4": "revocation warning", b"\5": "revocation notification"}
# Tags of CMS: constructed and primitive [0], constructed [1]
_CONTEXT_0, _KEY_IDENTIFIER, _CONTEXT_1 = 0xA0, 0x80, 0xA1


class Refused(Malformed):
    """A response that holds no token, because the authority gave none; the message is its status (RFC 3161 §2.4.2)."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An AlgorithmIdentifier: the content of its object identifier, and its parameters as DER (empty: absent)."""

    oid: bytes
    parameters: bytes = b""

    @property
    def hash(self) -> hashes.HashAlgorithm | None:
        """The hash function it names, of those that a time stamp may use; None for any other."""
        return HASHES.get(self.oid) if self.parameters in (b"", bytes((NULL, 0))) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """TSTInfo: what the authority states. `time` is as written, `nonce` the content of the INTEGER (None: absent)."""

    hash: Algorithm
    imprint: bytes
    time: bytes
    nonce: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInfo:
    """The one signer. Either `issuer` (DER Name) and `serial` (content of the INTEGER), or `key_identifier`.

    `signed` is what the signature is over: the attributes under the tag of a SET (RFC 5652 §5.4). `attributes` maps the
    object identifier of each to the content of its set of values.
    """

    issuer: bytes = b""
    serial: bytes = b""
    key_identifier: bytes | None = None
    digest: Algorithm
    signed: bytes = field(repr=False)
    attributes: dict[bytes, bytes] = field(repr=False)
    algorithm: Algorithm
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One TimeStampToken. `content` is TSTInfo as it was hashed, `certificates` are DER in stored order."""

    der: bytes = field(repr=False)
    content: bytes = field(repr=False)
    information: Information
    certificates: tuple[bytes, ...] = field(repr=False)
    signer: SignerInfo


def read_token(der: bytes) -> Token:
    """Read a TimeStampToken, or the token in a TimeStampResp that granted one. Raises `Malformed`, `Refused`."""
    outer = Fields(only(der, SEQUENCE))
    if outer.peek() != OBJECT_IDENTIFIER:
        der = _granted(outer)
        outer = Fields(only(der, SEQUENCE))
    if outer.take(OBJECT_IDENTIFIER) != SIGNED_DATA:
        raise Malformed
    signed = Fields(only(outer.take(_CONTEXT_0), SEQUENCE))
    outer.end()
    signed.take(INTEGER)  # version: follows from what is inside
    signed.take(SET)  # digest algorithms: a hint for readers in one pass
    encapsulated = Fields(signed.take(SEQUENCE))
    if encapsulated.take(OBJECT_IDENTIFIER) != TST_INFO:
        raise Malformed
    content = only(encapsulated.take(_CONTEXT_0), OCTET_STRING)
    encapsulated.end()
    certificates = signed.take_if(_CONTEXT_0)
    signed.take_if(_CONTEXT_1)  # revocation lists
    signer = only(signed.take(SET), SEQUENCE)
    signed.end()
    return Token(
        der=der,
        content=content,
        information=_information(content),
        certificates=_certificates(certificates) if certificates else (),
        signer=_signer(signer),
    )


def issuer_and_serial(certificate: bytes) -> tuple[bytes, bytes]:
    """Issuer (DER Name) and serial number (content of the INTEGER) of a DER certificate. Raises `Malformed`."""
    fields = Fields(Fields(only(certificate, SEQUENCE)).take(SEQUENCE))
    fields.take_if(_CONTEXT_0)  # version
    serial = fields.take(INTEGER)
    fields.take(SEQUENCE)  # signature algorithm
    return fields.take_whole(SEQUENCE), serial


def pss_parameters(der: bytes) -> tuple[Algorithm, Algorithm, int]:
    """Hash, hash of the mask generation, and salt length in bytes, of RSASSA-PSS-params (RFC 4055 §3.1).

    The defaults are SHA-1, which no time stamp may use: both hashes must be stated. Raises `Malformed`.
    """
    fields = Fields(only(der, SEQUENCE))
    digest = _algorithm(only(fields.take(_CONTEXT_0), SEQUENCE))
    mask = _algorithm(only(fields.take(_CONTEXT_1), SEQUENCE))
    salt = fields.take_if(0xA2)
    length = int.from_bytes(only(salt, INTEGER), "big", signed=True) if salt is not None else 20
    fields.take_if(0xA3)  # trailer: there is but one
    fields.end()
    if mask.oid != _MGF1 or length < 0:
        raise Malformed
    return digest, _algorithm(only(mask.parameters, SEQUENCE)), length


def certificate_digest(values: bytes, *, version: int) -> tuple[Algorithm | None, bytes]:
    """Of a signing-certificate attribute, hash and digest of the signer's certificate: the first that it names.

    Version 1 is SHA-1 without saying so (None), version 2 SHA-256 where nothing is said (RFC 5035 §3, §4). Raises `Malformed`.
    """
    named = Fields(Fields(Fields(only(values, SEQUENCE)).take(SEQUENCE)).take(SEQUENCE))
    if version == 1:
        return None, named.take(OCTET_STRING)
    stated = named.take_if(SEQUENCE)
    return Algorithm(SHA256) if stated is None else _algorithm(stated), named.take(OCTET_STRING)


def _granted(response: Fields) -> bytes:
    status = Fields(response.take(SEQUENCE)).take(INTEGER)
    if status not in _GRANTED:
        raise Refused(_REFUSED.get(status, "unknown status"))
    token = response.take_whole(SEQUENCE)
    response.end()
    return token


def _certificates(content: bytes) -> tuple[bytes, ...]:
    """The first of them; what is an attribute certificate, or of an obsolete kind, ends them."""
    fields, found = Fields(content), list[bytes]()
    while fields.peek() == SEQUENCE and len(found) < MAX_CERTIFICATES:
        found.append(fields.take_whole(SEQUENCE))
    return tuple(found)


def _information(content: bytes) -> Information:
    fields = Fields(only(content, SEQUENCE))
    fields.take(INTEGER)  # version
    fields.take(OBJECT_IDENTIFIER)  # policy
    imprint = Fields(fields.take(SEQUENCE))
    algorithm, digest = _algorithm(imprint.take(SEQUENCE)), imprint.take(OCTET_STRING)
    imprint.end()
    fields.take(INTEGER)  # serial number
    time = fields.take(GENERALISED_TIME)
    fields.take_if(SEQUENCE)  # accuracy
    fields.take_if(BOOLEAN)  # ordering
    nonce = fields.take_if(INTEGER)
    fields.take_if(_CONTEXT_0)  # name of the authority: the certificate's counts
    fields.take_if(_CONTEXT_1)  # extensions
    fields.end()
    return Information(hash=algorithm, imprint=digest, time=time, nonce=nonce)


def _signer(content: bytes) -> SignerInfo:
    fields = Fields(content)
    fields.take(INTEGER)  # version: follows from the identifier
    issuer, serial, key_identifier = b"", b"", fields.take_if(_KEY_IDENTIFIER)
    if key_identifier is None:
        identifier = Fields(fields.take(SEQUENCE))
        issuer, serial = identifier.take_whole(SEQUENCE), identifier.take(INTEGER)
        identifier.end()
    digest = _algorithm(fields.take(SEQUENCE))
    signed = fields.take_whole(_CONTEXT_0)
    algorithm = _algorithm(fields.take(SEQUENCE))
    signature = fields.take(OCTET_STRING)
    fields.take_if(_CONTEXT_1)  # unsigned attributes
    fields.end()
    return SignerInfo(
        issuer=issuer,
        serial=serial,
        key_identifier=key_identifier,
        digest=digest,
        signed=bytes((SET,)) + signed[1:],
        attributes=_attributes(only(signed, _CONTEXT_0)),
        algorithm=algorithm,
        signature=signature,
    )


def _attributes(content: bytes) -> dict[bytes, bytes]:
    """By object identifier; one that stands twice makes the whole ambiguous, and `Malformed`."""
    attributes, found = Fields(content), dict[bytes, bytes]()
    while attributes.peek() >= 0:
        attribute = Fields(attributes.take(SEQUENCE))
        oid = attribute.take(OBJECT_IDENTIFIER)
        if oid in found or len(found) == MAX_ATTRIBUTES:
            raise Malformed
        found[oid] = attribute.take(SET)
        attribute.end()
    return found


def _algorithm(content: bytes) -> Algorithm:
    fields = Fields(content)
    oid = fields.take(OBJECT_IDENTIFIER)
    parameters = fields.take_whole(fields.peek()) if fields.peek() >= 0 else b""
    fields.end()
    return Algorithm(oid, parameters)
