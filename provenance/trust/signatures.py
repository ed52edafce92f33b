"""Checking one signature with one public key, whatever its kind.

Rules: the answer is yes or no; an algorithm nobody here knows is no.
"""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


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
