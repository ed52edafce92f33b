"""Checking one signature with one public key, whatever its kind.

Rules: the answer is yes or no; an algorithm nobody here knows is no.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

_ECDSA: Final[dict[object, hashes.HashAlgorithm]] = {-7: hashes.SHA256(), -35: hashes.SHA384(), -36: hashes.SHA512()}
_PSS: Final[dict[object, hashes.HashAlgorithm]] = {-37: hashes.SHA256(), -38: hashes.SHA384(), -39: hashes.SHA512()}
_EDDSA: Final = -8


def signature_holds(
    key: PublicKeyTypes,
    signature: bytes,
    message: bytes,
    algorithm: hashes.HashAlgorithm | None,
    *,
    pss: padding.PSS | None = None,
) -> bool:
    """Whether `signature` over `message` is by `key`. `pss` is RSA's padding where it is not PKCS #1 v1.5."""
    try:
        match key:
            case rsa.RSAPublicKey() if algorithm is not None:
                key.verify(signature, message, pss or padding.PKCS1v15(), algorithm)
            case ec.EllipticCurvePublicKey() if algorithm is not None:
                key.verify(signature, message, ec.ECDSA(algorithm))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(signature, message)
            case _:
                return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def cose_signature_holds(key: PublicKeyTypes, algorithm: object, signature: bytes, message: bytes) -> bool:
    """The same for COSE: `algorithm` is its identifier, ECDSA signatures are r and s side by side (RFC 9053 §2.1)."""
    match key:
        case ec.EllipticCurvePublicKey() if algorithm in _ECDSA and len(signature) == 2 * ((key.key_size + 7) // 8):
            r, s = (
                int.from_bytes(half, "big")
                for half in (signature[: len(signature) // 2], signature[len(signature) // 2 :])
            )
            return signature_holds(key, encode_dss_signature(r, s), message, _ECDSA[algorithm])
        case rsa.RSAPublicKey() if algorithm in _PSS:
            digest = _PSS[algorithm]
            pss = padding.PSS(padding.MGF1(digest), padding.PSS.AUTO)
            return signature_holds(key, signature, message, digest, pss=pss)
        case ed25519.Ed25519PublicKey() if algorithm == _EDDSA:
            return signature_holds(key, signature, message, None)
        case _:
            return False
