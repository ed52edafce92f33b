"""The development authority: a throw-away certificate authority that assay makes on first use, so that signing works at once.

Rules: it lives in this user's state folder and is trusted by nobody else; its names say so in every tool that shows them;
keys are written with mode 0600; two processes that start together end up with the same authority.
"""

import datetime
import os
import shutil
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from assay.provenance.errors import CredentialRefused
from assay.provenance.home import home, private_folder

AUTHORITY_NAME = "assay development CA – not trusted by anybody else"
SIGNER_NAME = "assay development signer – not trusted by anybody else"
WARNING = "signed with assay's development certificate, which nobody else trusts"

CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")  # c2pa-kp-claimSigning, C2PA conformance programme
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336

_AUTHORITY_DAYS = 3650
_SIGNER_DAYS = 365


def development_credential() -> tuple[str, bytes]:
    """The signer's certificate chain (PEM, leaf first) and its private key (PKCS#8 PEM), made where missing or expired.

    Raises `CredentialRefused` or `OutputRefused`.
    """
    folder = home() / "development"
    if not (folder / "authority.pem").exists():
        _make_authority(folder)
    try:
        chain = folder / "chain.pem"
        if not chain.exists() or _expires_within(chain, days=1):
            _issue_signer(folder)
        return chain.read_text(), (folder / "signer.key").read_bytes()
    except (OSError, ValueError) as error:
        raise CredentialRefused(
            f"{folder}: the development authority cannot be read: {type(error).__name__}",
            "remove that folder; assay then makes a new one",
        ) from None


def write_private_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a key as PKCS#8 PEM with mode 0600 from the first moment on. Raises FileExistsError."""
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _make_authority(folder: Path) -> None:
    parent = private_folder()
    draft = Path(tempfile.mkdtemp(prefix=".development-", dir=parent))
    try:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(AUTHORITY_NAME)
        certificate = (
            _certificate(name, name, key.public_key(), days=_AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write_private_key(draft / "authority.key", key)
        (draft / "authority.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        _issue_signer(draft)
        try:
            draft.rename(folder)  # fails where another process was faster: then its authority is the one
        except OSError:
            if not (folder / "authority.pem").exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _issue_signer(folder: Path) -> None:
    authority = x509.load_pem_x509_certificate((folder / "authority.pem").read_bytes())
    authority_key = load_pem_private_key((folder / "authority.key").read_bytes(), None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = (
        _certificate(_name(SIGNER_NAME), authority.subject, key.public_key(), days=_SIGNER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([CLAIM_SIGNING, DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    # Key first, chain last: a chain that is there always finds its key.
    (folder / "signer.key").unlink(missing_ok=True)
    write_private_key(folder / "signer.key", key)
    draft = folder / ".chain.pem"
    draft.write_bytes(leaf.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM))
    draft.replace(folder / "chain.pem")


def _certificate(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "assay development"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _expires_within(path: Path, *, days: int) -> bool:
    leaf = x509.load_pem_x509_certificate(path.read_bytes())
    return leaf.not_valid_after_utc < datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
