"""Certificates for signing: asking an authority for one, and saying in words why a chain would be refused.

Rules: `check` reports everything it finds, the fatal first, before the SDK's "the certificate is invalid" can; a private
key is read, compared and forgotten. Sources: C2PA 2.2 §14.5 (certificate profile); C2PA conformance programme, certificate
policy 0.2 for what is marked as a note.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from assay.provenance.errors import CredentialRefused
from assay.provenance.signing.development import CLAIM_SIGNING, DOCUMENT_SIGNING, SIGNER_NAME
from assay.provenance.signing.signer import algorithm_of, common_name

T = TypeVar("T", bound=x509.ExtensionType)

_ACCEPTED_USAGES = {
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    DOCUMENT_SIGNING: "documentSigning",
    CLAIM_SIGNING: "c2pa-kp-claimSigning",
    x509.ObjectIdentifier("1.3.6.1.4.1.311.76.59.1.9"): "Microsoft C2PA signing",
}
_EXCLUSIVE_USAGES = {ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping", ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning"}
_CURVES: dict[str, tuple[ec.EllipticCurve, hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "P-256": (ec.SECP256R1(), hashes.SHA256()),
    "P-384": (ec.SECP384R1(), hashes.SHA384()),
    "P-521": (ec.SECP521R1(), hashes.SHA512()),
}
_LONGEST_DAYS = 366  # assurance level 1


class Severity(StrEnum):
    """How much a finding matters."""

    REFUSED = "refused"  # nobody will accept a signature of this chain
    NOTE = "note"  # works, but some verifier or the conformance programme will object


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a chain, in words, and what to do about it."""

    severity: Severity
    statement: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A new private key and the PKCS#10 request for its certificate (PEM)."""

    key: ec.EllipticCurvePrivateKey
    request: bytes


def request_certificate(
    *, common_name: str, organisation: str, country: str = "", unit: str = "", curve: str = "P-256"
) -> Request:
    """Make a key and a request with the usages that the conformance programme asks. `curve`: P-256, P-384 or P-521.

    Raises `CredentialRefused` for names that X.509 cannot hold.
    """
    key = ec.generate_private_key(_CURVES[curve][0])
    parts = (
        (NameOID.COUNTRY_NAME, country),
        (NameOID.ORGANIZATION_NAME, organisation),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        (NameOID.COMMON_NAME, common_name),
    )
    try:
        subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])
    except ValueError as error:
        raise CredentialRefused(
            f"this name cannot go into a certificate: {error}", "a country has two letters"
        ) from None
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_digital_signature_only(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([CLAIM_SIGNING, DOCUMENT_SIGNING]), critical=False)
        .sign(key, _CURVES[curve][1])
    )
    return Request(key, request.public_bytes(Encoding.PEM))


def check_chain(chain_pem: bytes, key_pem: bytes | None = None, *, at: datetime | None = None) -> tuple[Finding, ...]:
    """Everything that speaks against signing with this chain (and key) at `at`, the fatal findings first."""
    at = at or datetime.now(UTC)
    try:
        chain = x509.load_pem_x509_certificates(chain_pem)
    except ValueError:
        return (Finding(Severity.REFUSED, "this is no PEM certificate chain", "export the certificates as PEM"),)
    findings = [*_leaf(chain[0]), *_dates(chain, at), *_order(chain), *_above(chain)]
    if b"PRIVATE KEY-----" in chain_pem:
        advice = "assay takes the certificates alone; other programs may write the key into every picture: keep it in a file of its own"
        findings.append(Finding(Severity.NOTE, "a private key stands among the certificates", advice))
    if key_pem is not None:
        findings += _key(chain, key_pem)
    return tuple(sorted(findings, key=lambda finding: finding.severity is not Severity.REFUSED))


def _leaf(leaf: x509.Certificate) -> list[Finding]:
    findings: list[Finding] = []

    def refuse(statement: str, advice: str) -> None:
        findings.append(Finding(Severity.REFUSED, statement, advice))

    def note(statement: str, advice: str = "") -> None:
        findings.append(Finding(Severity.NOTE, statement, advice))

    if leaf.version is not x509.Version.v3:
        refuse("the certificate is not X.509 version 3", "ask for one with extensions")
    try:
        algorithm_of(leaf.public_key())
    except (CredentialRefused, UnsupportedAlgorithm, ValueError):
        refuse(
            "its kind of key cannot sign C2PA claims",
            "use ECDSA on P-256, P-384 or P-521, Ed25519, or RSA from 2048 bits",
        )
    if isinstance(leaf.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        refuse("it was signed with a hash that is broken (SHA-1 or MD5)", "ask for one signed with SHA-256")
    if leaf.issuer == leaf.subject:
        note("the first certificate is self-signed", "no trust list takes those; have an authority issue one")
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        refuse("the first certificate is an authority's (CA:TRUE)", "put the signer's own certificate first")
    if _extension(leaf, x509.AuthorityKeyIdentifier) is None:
        refuse("it has no authority key identifier (AKI)", "ask for a certificate with that extension")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        refuse("its key usage does not include digitalSignature", "ask for a certificate with that key usage")
    elif usage.key_cert_sign:
        refuse("its key usage includes certificate signing", "a signer's certificate must not issue others")
    findings += _usages(leaf)
    if not leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME):
        note("it names no organisation", "most viewers show the organisation as the signer")
    access = _extension(leaf, x509.AuthorityInformationAccess)
    if access is None or all(entry.access_method != AuthorityInformationAccessOID.OCSP for entry in access):
        note("it names no OCSP responder", "the conformance programme demands one; nobody can revoke it otherwise")
    if (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days > _LONGEST_DAYS:
        note(f"it is valid for more than {_LONGEST_DAYS} days", "the conformance programme allows no more")
    if common_name(leaf) == SIGNER_NAME:
        note("it is assay's development certificate", "nobody else trusts it")
    return findings


def _usages(leaf: x509.Certificate) -> list[Finding]:
    extension = _extension(leaf, x509.ExtendedKeyUsage)
    if extension is None:
        return [Finding(Severity.REFUSED, "it has no extended key usage (EKU)", f"ask for {_wanted()}")]
    usages = set(extension)
    findings = []
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages:
        findings.append(Finding(Severity.REFUSED, "it allows any extended key usage", f"ask for {_wanted()} only"))
    for usage in usages & set(_EXCLUSIVE_USAGES):
        statement = f"it is meant for {_EXCLUSIVE_USAGES[usage]}, which excludes signing claims"
        findings.append(Finding(Severity.REFUSED, statement, f"ask for {_wanted()}"))
    if not usages & set(_ACCEPTED_USAGES):
        named = ", ".join(sorted(usage.dotted_string for usage in usages))
        findings.append(
            Finding(
                Severity.REFUSED, f"none of its extended key usages ({named}) allows signing", f"ask for {_wanted()}"
            )
        )
    elif CLAIM_SIGNING not in usages:
        findings.append(
            Finding(Severity.NOTE, "it lacks c2pa-kp-claimSigning", "needed for a place on the C2PA trust list")
        )
    elif not usages & {ExtendedKeyUsageOID.EMAIL_PROTECTION, DOCUMENT_SIGNING}:
        statement = "c2pa-kp-claimSigning stands alone"
        findings.append(
            Finding(Severity.NOTE, statement, "older verifiers want emailProtection or documentSigning too")
        )
    return findings


def _dates(chain: list[x509.Certificate], at: datetime) -> list[Finding]:
    findings = []
    for position, certificate in enumerate(chain):
        who = "the certificate" if position == 0 else f"“{common_name(certificate)}” above it"
        severity = Severity.REFUSED if position == 0 else Severity.NOTE
        if at < certificate.not_valid_before_utc:
            begin = certificate.not_valid_before_utc.date()
            findings.append(Finding(severity, f"{who} is not valid before {begin}", "check this machine's clock"))
        if at > certificate.not_valid_after_utc:
            findings.append(Finding(severity, f"{who} expired on {certificate.not_valid_after_utc.date()}", "renew it"))
    return findings


def _order(chain: list[x509.Certificate]) -> list[Finding]:
    for position, (below, above) in enumerate(pairwise(chain), 1):
        if not _issued(below, above):
            advice = "leaf first, then the one that issued it, and so on"
            if any(_issued(below, other) for other in chain):
                advice = f"the right issuer is there, in another place: {advice}"
            statement = f"certificate {position + 1} (“{common_name(above)}”) did not issue certificate {position} (“{common_name(below)}”)"
            return [Finding(Severity.REFUSED, statement, advice)]
    return []


def _above(chain: list[x509.Certificate]) -> list[Finding]:
    findings = []
    for certificate in chain[1:]:
        constraints = _extension(certificate, x509.BasicConstraints)
        if constraints is None or not constraints.ca:
            statement = f"“{common_name(certificate)}” stands as an issuer and is no authority (CA:FALSE)"
            findings.append(Finding(Severity.REFUSED, statement, "leave out what is not part of the chain"))
    top = chain[-1]
    if top.issuer != top.subject:
        statement = f"the chain ends below “{top.issuer.rfc4514_string()}”"
        findings.append(
            Finding(Severity.NOTE, statement, "verifiers must know that issuer; add it if it is an intermediate")
        )
    return findings


def _key(chain: list[x509.Certificate], key_pem: bytes) -> list[Finding]:
    try:
        key = load_pem_private_key(key_pem, None)
    except TypeError:
        return [Finding(Severity.REFUSED, "the private key is encrypted", "decrypt it into a file with mode 0600")]
    except (ValueError, UnsupportedAlgorithm):
        return [Finding(Severity.REFUSED, "the private key cannot be read", "give a PEM file with a PKCS#8 key")]
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return [
            Finding(Severity.REFUSED, "its kind of private key cannot sign C2PA claims", "use ECDSA, Ed25519 or RSA")
        ]
    matches = [
        position for position, certificate in enumerate(chain, 1) if certificate.public_key() == key.public_key()
    ]
    if matches == [1]:
        return []
    if matches:
        statement = f"the private key belongs to certificate {matches[0]}, not to the first"
        return [Finding(Severity.REFUSED, statement, "put that certificate first")]
    return [
        Finding(Severity.REFUSED, "the private key belongs to no certificate of the chain", "look for the right pair")
    ]


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _wanted() -> str:
    return "c2pa-kp-claimSigning (1.3.6.1.4.1.62558.2.1) with documentSigning or emailProtection"


def _digital_signature_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
