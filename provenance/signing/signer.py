"""Who signs: the `Signer` protocol, and the URIs by which users name one.

    dev:                              assay's own throw-away authority (the default)
    pem:CHAIN.pem,KEY.pem             files; the chain has the leaf first
    pkcs11:…                          a token or HSM (extra `pkcs11`)
    aws-kms:… gcp-kms:… azure-kms:…   a cloud key (extras `aws`, `gcp`, `azure`)

Rules: a private key is never logged, shown or put into an exception; of a chain's file the certificates alone are kept, for
whatever else stands in it (a private key, often) would go into every picture; a signer that cannot sign says why, in words.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from assay.provenance.errors import CredentialRefused
from assay.provenance.signing import development

_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "es256": hashes.SHA256(),
    "es384": hashes.SHA384(),
    "es512": hashes.SHA512(),
    "ps256": hashes.SHA256(),
    "ps384": hashes.SHA384(),
    "ps512": hashes.SHA512(),
}


class Signer(Protocol):
    """A private key somewhere, and the certificates that speak for it."""

    @property
    def name(self) -> str:
        """The leaf certificate's common name (else organisation): who will be shown as the signer."""

    @property
    def chain(self) -> str:
        """The certificates as PEM and nothing else, leaf first, without the root where a trust list holds it."""

    @property
    def algorithm(self) -> str:
        """The COSE algorithm: es256, es384, es512, ps256, ps384, ps512 or ed25519."""

    @property
    def development(self) -> bool:
        """Whether this is the throw-away authority, so that every output can say so."""

    def sign(self, message: bytes) -> bytes:
        """Sign `message` (not its hash). ECDSA: raw r||s or DER. Any exception is told to the user as the cause."""


@dataclass(frozen=True, slots=True)
class CallbackSigner:
    """A signer around any function that signs bytes: a key in a token, a cloud, a service of your own."""

    chain: str = field(repr=False)
    algorithm: str
    sign: Callable[[bytes], bytes] = field(repr=False)
    name: str = ""
    development: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "chain", certificates_alone(self.chain))

    @classmethod
    def of(
        cls, chain: str, sign: Callable[[bytes], bytes], *, algorithm: str = "", development: bool = False
    ) -> "CallbackSigner":
        """Take algorithm and name from the leaf certificate. Raises `CredentialRefused`."""
        leaf = leaf_certificate(chain)
        return cls(chain, algorithm or algorithm_of(leaf.public_key()), sign, common_name(leaf), development)


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A signer whose private key is in memory. The SDK signs with it directly, which saves 10 KB of padding per image."""

    chain: str = field(repr=False)
    algorithm: str
    key: PrivateKeyTypes = field(repr=False)
    name: str = ""
    development: bool = False
    key_pem: bytes = field(default=b"", init=False, repr=False, compare=False)  # as the SDK takes it; never log it

    def __post_init__(self) -> None:
        object.__setattr__(self, "chain", certificates_alone(self.chain))
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        object.__setattr__(self, "key_pem", pem)

    def sign(self, message: bytes) -> bytes:
        """Sign `message` as the algorithm demands (C2PA 2.2 §13.2)."""
        match self.key:
            case ec.EllipticCurvePrivateKey():
                return self.key.sign(message, ec.ECDSA(_HASHES[self.algorithm]))
            case rsa.RSAPrivateKey():
                digest = _HASHES[self.algorithm]
                return self.key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
            case ed25519.Ed25519PrivateKey():
                return self.key.sign(message)
        raise CredentialRefused("this kind of key cannot sign C2PA claims")


def open_signer(uri: str = "dev:") -> Signer:
    """Open the signer that `uri` names. Raises `CredentialRefused` or `MissingExtra`."""
    scheme, separator, rest = uri.partition(":")
    if not separator:
        raise CredentialRefused(f"{uri}: is no signer", _SCHEMES_HINT)
    match scheme:
        case "dev":
            chain, key = development.development_credential()
            return key_signer(chain, key, development=True)
        case "pem":
            return _open_pem(rest)
        case "pkcs11":
            from assay.provenance.signing.pkcs11_token import open_pkcs11

            return open_pkcs11(rest)
        case "aws-kms":
            from assay.provenance.signing.aws_kms import open_aws_kms

            return open_aws_kms(rest)
        case "gcp-kms":
            from assay.provenance.signing.gcp_kms import open_gcp_kms

            return open_gcp_kms(rest)
        case "azure-kms":
            from assay.provenance.signing.azure_kms import open_azure_kms

            return open_azure_kms(rest)
        case _:
            raise CredentialRefused(f"{scheme}: is no kind of signer", _SCHEMES_HINT)


_SCHEMES_HINT = "use dev:, pem:CHAIN.pem,KEY.pem, pkcs11:…, aws-kms:…, gcp-kms:… or azure-kms:…"


def key_signer(chain: str, key_pem: bytes, *, password: bytes | None = None, development: bool = False) -> Signer:
    """A signer over a private key in memory (PEM, PKCS#8 or traditional). Raises `CredentialRefused`."""
    try:
        key = load_pem_private_key(key_pem, password)
    except TypeError:
        raise CredentialRefused(
            "the private key is encrypted, or a password was given for one that is not", "decrypt the key file first"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CredentialRefused("the private key cannot be read", "give a PEM file with a PKCS#8 key") from None
    leaf = leaf_certificate(chain)
    if key.public_key() != leaf.public_key():
        raise CredentialRefused(
            "the private key does not belong to the first certificate of the chain",
            "the leaf comes first; `assay keys check` looks closer",
        )
    return KeySigner(chain, algorithm_of(leaf.public_key()), key, common_name(leaf), development)


def leaf_certificate(chain: str) -> x509.Certificate:
    """The first certificate of a PEM chain. Raises `CredentialRefused`."""
    return _certificates(chain)[0]


def certificates_alone(chain: str) -> str:
    """A PEM chain without all that is no certificate in it: the SDK writes every block as one. Raises `CredentialRefused`."""
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in _certificates(chain))


def _certificates(chain: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(chain.encode())
    except ValueError:
        raise CredentialRefused("the certificate chain cannot be read", "give PEM certificates, leaf first") from None


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name, else its organisation, else the whole subject."""
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in certificate.subject.get_attributes_for_oid(oid):
            return str(attribute.value)
    return certificate.subject.rfc4514_string()


def algorithm_of(key: PublicKeyTypes) -> str:
    """The COSE algorithm that goes with a public key (C2PA 2.2 §13.2). Raises `CredentialRefused`."""
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return _CURVES[key.curve.name]
        case rsa.RSAPublicKey() if key.key_size >= 2048:
            return "ps256"
        case ed25519.Ed25519PublicKey():
            return "ed25519"
    raise CredentialRefused(
        "this kind of key cannot sign C2PA claims",
        "use ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2048 bits up",
    )


def _open_pem(rest: str) -> Signer:
    chain, separator, key = rest.partition(",")
    if not separator:
        raise CredentialRefused("pem: needs two files", "pem:CHAIN.pem,KEY.pem")
    try:
        return key_signer(Path(chain).expanduser().read_text(), Path(key).expanduser().read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        name = error.filename if isinstance(error, OSError) else chain
        raise CredentialRefused(f"{name}: {reason}", "pem:CHAIN.pem,KEY.pem") from None
