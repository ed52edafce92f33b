"""Certificates as they come out of a manifest: parsed under limits, and named.

Rules: every byte is the attacker's; what cannot be parsed is None, never an exception; strings are returned as found and
presenters neutralise them.
"""

import base64
import hashlib
import re
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from assay.provenance.trust.der import OBJECT_IDENTIFIER, encoded, object_identifier

# Hostile certificates must not write to the user's terminal through the parser's warnings.
warnings.filterwarnings("ignore", message="Parsed a serial number", category=CryptographyDeprecationWarning)

MAX_CERTIFICATE_BYTES = 16 * 1024
ASSURANCE_LEVEL = x509.ObjectIdentifier("1.3.6.1.4.1.62558.3")  # C2PA certificate policy
CONFORMANCE_RECORD = x509.ObjectIdentifier("1.3.6.1.4.1.62558.4")
_LEVELS = {  # object identifier, encoded as it stands in the extension
    encoded(OBJECT_IDENTIFIER, object_identifier("1.3.6.1.4.1.62558.3.10")): 1,
    encoded(OBJECT_IDENTIFIER, object_identifier("1.3.6.1.4.1.62558.3.20")): 2,
}
_RECORD = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateNames:
    """What a certificate says of its holder. Times are UTC; `serial` is hexadecimal."""

    common_name: str = ""
    organisation: str = ""
    issuer: str = ""
    serial: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    sha256: str = ""
    ekus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateTerms:
    """Between which dates and for what a certificate may be used, in its own words; None where it says nothing."""

    not_before: datetime
    not_after: datetime
    ca: bool | None = None
    path_length: int | None = None
    signs_content: bool | None = None  # key usage: digitalSignature
    signs_certificates: bool | None = None  # key usage: keyCertSign
    ekus: frozenset[str] = frozenset()
    ekus_critical: bool = False
    key: PublicKeyTypes = field(repr=False)
    short_key: bool = False  # RSA below 2048 bits, elliptic curves below 256
    unjudged: bool = False  # name constraints, or a critical extension that nobody here understands


@lru_cache(maxsize=1024)
def parse(der: bytes) -> x509.Certificate | None:
    """The certificate, or None: too large, malformed, or with extensions that cannot be read."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        return None
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = (certificate.subject, certificate.issuer, certificate.extensions, certificate.not_valid_after_utc)
        _ = (certificate.not_valid_before_utc, certificate.serial_number, certificate.public_key())
    except Exception:
        return None
    return certificate


@lru_cache(maxsize=1024)
def names(der: bytes) -> CertificateNames:
    """Whom a certificate names; empty strings where it cannot be parsed."""
    sha256 = hashlib.sha256(der).hexdigest()
    certificate = parse(der)
    if certificate is None:
        return CertificateNames(sha256=sha256)
    return CertificateNames(
        common_name=_first(certificate.subject, NameOID.COMMON_NAME),
        organisation=_first(certificate.subject, NameOID.ORGANIZATION_NAME),
        issuer=_first(certificate.issuer, NameOID.COMMON_NAME) or _first(certificate.issuer, NameOID.ORGANIZATION_NAME),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        sha256=sha256,
        ekus=extended_key_usages(certificate),
    )


@lru_cache(maxsize=1024)
def terms(der: bytes) -> CertificateTerms | None:
    """Read once for each certificate, because issuers and time-stamping authorities recur; None as in `parse`."""
    certificate = parse(der)
    if certificate is None:
        return None
    found: dict[str, Any] = {}
    for extension in certificate.extensions:
        match extension.value:
            case x509.BasicConstraints(ca=ca, path_length=path_length):
                found |= {"ca": ca, "path_length": path_length}
            case x509.KeyUsage(digital_signature=content, key_cert_sign=certificates):
                found |= {"signs_content": content, "signs_certificates": certificates}
            case x509.ExtendedKeyUsage() as usages:
                found["ekus"] = frozenset(usage.dotted_string for usage in usages)
                found["ekus_critical"] = extension.critical
            case x509.NameConstraints():
                found["unjudged"] = True
            case x509.UnrecognizedExtension() if extension.critical:
                found["unjudged"] = True
    key = certificate.public_key()
    return CertificateTerms(
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=key,
        short_key=(isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048)
        or (isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < 256),
        **found,
    )


def extended_key_usages(certificate: x509.Certificate) -> tuple[str, ...]:
    """The object identifiers of its extended key usage, in order; empty where it has none."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(usage.dotted_string for usage in usages)


def is_authority(der: bytes) -> bool:
    """Whether a certificate may have others below it, by its own word or because it is self-signed without saying."""
    certificate = parse(der)
    if certificate is None:
        return False
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return certificate.issuer == certificate.subject


def assurance_level(certificate: x509.Certificate) -> int | None:
    """The conformance programme's assurance level written in the certificate, 1 or 2."""
    content = _unrecognised(certificate, ASSURANCE_LEVEL)
    return next((level for oid, level in _LEVELS.items() if oid in content), None)


def conformance_record(certificate: x509.Certificate) -> str:
    """The identifier of its product's record in the conforming-products list; empty where it names none."""
    found = _RECORD.search(_unrecognised(certificate, CONFORMANCE_RECORD)[:256])
    return found.group().decode("ascii").lower() if found else ""


def _unrecognised(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes:
    try:
        value = certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return b""
    return value.value if isinstance(value, x509.UnrecognizedExtension) else b""


def _first(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    attributes = name.get_attributes_for_oid(oid)
    return str(attributes[0].value)[:256] if attributes else ""


def pem(certificates: tuple[bytes, ...]) -> str:
    """DER certificates as one PEM text."""
    blocks = []
    for der in certificates:
        body = base64.b64encode(der).decode("ascii")
        lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
        blocks.append(f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
    return "".join(blocks)
