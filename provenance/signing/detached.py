"""Detached signatures over a file, and their checking: for what is not an image, such as a dossier's seal.

Rules: signatures are in the form that openssl takes (ECDSA as DER), so that a seal can be checked without assay; the key is
the one the user signs images with; SHA-256, SHA-384 or SHA-512 as the algorithm's name says.
"""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from assay.provenance.errors import SigningFailed
from assay.provenance.signing.signer import Signer, algorithm_of, leaf_certificate
from assay.provenance.trust.signatures import signature_holds

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def sign_detached(message: bytes, signer: Signer) -> bytes:
    """Sign, and check at once against the signer's own certificate. Raises `SigningFailed` with the cause."""
    try:
        signature = signer.sign(message)
    except Exception as error:  # a token's or a cloud's own kinds of failure
        raise SigningFailed(f"the signer failed: {error}") from error
    if signer.algorithm.startswith("es"):
        signature = _der(signature, signer.chain)
    if not holds(message, signature, signer.chain):
        raise SigningFailed("the signature does not fit the signer's certificate", "`assay keys check` looks closer")
    return signature


def holds(message: bytes, signature: bytes, chain: str) -> bool:
    """Whether a signature over `message` is by the first certificate of a PEM chain. Raises `CredentialRefused`."""
    key = leaf_certificate(chain).public_key()
    algorithm = algorithm_of(key)
    digest = _HASHES.get(algorithm[2:])
    pss = None
    if algorithm.startswith("ps") and digest is not None:
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return signature_holds(key, signature, message, digest, pss=pss)


def _der(signature: bytes, chain: str) -> bytes:
    """COSE has r and s side by side, everybody else a DER sequence."""
    key = leaf_certificate(chain).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    size = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * size:
        return signature
    return encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))
