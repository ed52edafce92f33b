"""Signatures over published lists: a detached one beside the list, or a list wrapped in a JSON Web Signature.

Rules: only a key the user pinned counts, never one that came with the download; with a pinned key an unsigned or wrongly
signed list is refused; without one, a wrapped list is refused too, because its signature could not be checked.
"""

import base64
import contextlib
import json

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from assay.provenance.trust.reading import TrustListRefused
from assay.provenance.trust.signatures import signature_holds

_JWS_HASHES: dict[str, hashes.HashAlgorithm | None] = {
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
    "PS256": hashes.SHA256(),
    "PS384": hashes.SHA384(),
    "PS512": hashes.SHA512(),
    "RS256": hashes.SHA256(),
    "EdDSA": None,
}


def public_key(pem_text: str) -> PublicKeyTypes:
    """The key of a PEM public key or certificate. Raises `TrustListRefused`."""
    try:
        if "BEGIN CERTIFICATE" in pem_text:
            return x509.load_pem_x509_certificate(pem_text.encode()).public_key()
        return load_pem_public_key(pem_text.encode())
    except ValueError:
        raise TrustListRefused("the key is neither a public key nor a certificate in PEM") from None


def is_wrapped(content: bytes) -> bool:
    """Whether a list came as a compact JSON Web Signature (RFC 7515 §3.1), as ETSI lists may."""
    return content.lstrip()[:3] == b"eyJ" and content.count(b".") == 2


def unwrapped(name: str, content: bytes, key: str) -> bytes:
    """The list inside a JSON Web Signature, checked with the pinned key. Raises `TrustListRefused`."""
    if not key:
        raise TrustListRefused(f"{name}: it is signed, and no key is pinned to check that", "add the list with --key")
    try:
        header_text, payload_text, signature_text = content.strip().split(b".")
        header, payload = json.loads(_base64url(header_text)), _base64url(payload_text)
        algorithm, signature = header["alg"], _base64url(signature_text)
        accepted = algorithm in _JWS_HASHES and not header.get("crit")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TrustListRefused(f"{name}: its JSON Web Signature is malformed", "get it again") from None
    if not accepted or not _jws_holds(public_key(key), str(algorithm), signature, header_text + b"." + payload_text):
        raise TrustListRefused(f"{name}: its signature does not hold under the pinned key", "do not use this file")
    return payload


def check_detached(name: str, content: bytes, signature: bytes, key: str) -> None:
    """Check a detached signature (raw, or in base64) by the pinned key. Raises `TrustListRefused`.

    ECDSA and RSA (PKCS #1 v1.5) sign SHA-256, as `openssl dgst -sha256 -sign` does; P-384 keys may sign SHA-384.
    """
    pinned = public_key(key)
    forms = [signature]
    with contextlib.suppress(ValueError):
        forms.append(base64.b64decode(signature))
    for form in forms:
        if any(signature_holds(pinned, form, content, algorithm) for algorithm in (hashes.SHA256(), hashes.SHA384())):
            return
    raise TrustListRefused(f"{name}: its signature does not hold under the pinned key", "do not use this file")


def _jws_holds(key: PublicKeyTypes, algorithm: str, signature: bytes, message: bytes) -> bool:
    digest = _JWS_HASHES[algorithm]
    fits = {"ES": ec.EllipticCurvePublicKey, "PS": rsa.RSAPublicKey, "RS": rsa.RSAPublicKey}.get(algorithm[:2])
    if fits is not None and not isinstance(key, fits):
        return False
    if isinstance(key, ec.EllipticCurvePublicKey):
        half = len(signature) // 2
        signature = encode_dss_signature(
            int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        )
    pss = None
    if algorithm.startswith("PS") and digest is not None:
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return signature_holds(key, signature, message, digest, pss=pss)


def _base64url(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
