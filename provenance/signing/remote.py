"""What the signers have in common whose key stays elsewhere: their URIs, chain files and digests.

Rules: `SCHEME:KEY?chain=FILE`, the rest of the query is the scheme's own; an unknown option is refused, never ignored.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from assay.provenance.errors import CredentialRefused

_HASHES = {
    "es256": "sha256",
    "es384": "sha384",
    "es512": "sha512",
    "ps256": "sha256",
    "ps384": "sha384",
    "ps512": "sha512",
}


@dataclass(frozen=True, slots=True)
class KeyAddress:
    """Where a key is: the scheme's path, percent-decoded, and its options."""

    path: str
    options: dict[str, str]

    @classmethod
    def parse(cls, rest: str, *, known: tuple[str, ...] = (), usage: str) -> "KeyAddress":
        """Parse what follows the scheme. Raises `CredentialRefused`."""
        path, _, query = rest.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
        if unknown := set(options) - {"chain", *known}:
            raise CredentialRefused(f"unknown options: {', '.join(sorted(unknown))}", usage)
        if not path:
            raise CredentialRefused("the signer names no key", usage)
        return cls(unquote(path), options)

    def chain(self, usage: str) -> str:
        """The certificate chain as PEM. Raises `CredentialRefused`."""
        if not self.options.get("chain"):
            raise CredentialRefused("the signer names no certificate chain", usage)
        path = Path(self.options["chain"]).expanduser()
        try:
            return path.read_text()
        except OSError as error:
            raise CredentialRefused(f"{path}: {error.strerror}", usage) from None
        except UnicodeDecodeError:
            raise CredentialRefused(f"{path}: is no PEM file", usage) from None


def hash_name(algorithm: str) -> str:
    """The hash that goes with a COSE algorithm: sha256, sha384 or sha512. Raises `CredentialRefused`."""
    if algorithm not in _HASHES:
        raise CredentialRefused(f"{algorithm} is not possible with this kind of signer", "use an ECDSA or RSA key")
    return _HASHES[algorithm]


def digest(algorithm: str, message: bytes) -> bytes:
    """Hash a message as a COSE algorithm demands."""
    return hashlib.new(hash_name(algorithm), message).digest()
