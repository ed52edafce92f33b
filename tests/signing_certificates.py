"""Certificate chains with one defect each, made at test time."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.UTC)
CLAIM_SIGNING = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")


@dataclass
class Recipe:
    """What the leaf is like; the defaults are fine."""

    days: tuple[int, int] = (-1, 300)
    ca: bool | None = False
    aki: bool = True
    digital_signature: bool = True
    usages: tuple[x509.ObjectIdentifier, ...] | None = (CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION)
    self_signed: bool = False
    organisation: str = "Example News Ltd"
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))


@dataclass
class Made:
    leaf: x509.Certificate
    root: x509.Certificate
    key: Any

    @property
    def chain(self) -> bytes:
        return pem(self.leaf, self.root)

    @property
    def key_pem(self) -> bytes:
        return private(self.key)


def make(**changes: Any) -> Made:
    recipe = Recipe(**changes)
    root_key = ec.generate_private_key(ec.SECP256R1())
    root_name, leaf_name = name("Example Root"), name("Example News", recipe.organisation)
    root = (
        builder(root_name, root_name, root_key.public_key(), (-10, 3000))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage(certificates=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    issuer_name = leaf_name if recipe.self_signed else root_name
    issuer_key = recipe.key if recipe.self_signed else root_key
    leaf = builder(leaf_name, issuer_name, recipe.key.public_key(), recipe.days)
    if recipe.ca is not None:
        leaf = leaf.add_extension(x509.BasicConstraints(ca=recipe.ca, path_length=None), critical=True)
    if recipe.digital_signature:
        leaf = leaf.add_extension(usage(certificates=False), critical=True)
    if recipe.usages is not None:
        leaf = leaf.add_extension(x509.ExtendedKeyUsage(recipe.usages), critical=False)
    if recipe.aki:
        leaf = leaf.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    digest = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Made(leaf.sign(issuer_key, digest), root, recipe.key)


def name(common_name: str, organisation: str = "Example") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def builder(subject: x509.Name, issuer: x509.Name, public_key: Any, days: tuple[int, int]) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=days[0]))
        .not_valid_after(NOW + datetime.timedelta(days=days[1]))
    )


def usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(not certificates, False, False, False, False, certificates, certificates, False, False)


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def private(key: Any) -> bytes:
    content: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return content


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)
