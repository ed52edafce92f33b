"""Signing with a key in Google Cloud KMS (extra `gcp`): `gcp-kms:projects/…/cryptoKeyVersions/N?chain=CHAIN.pem`.

Rules: the only module that imports google.cloud.kms; only the hash of the claim leaves this machine; both directions are
checked by CRC32C, as Google asks of its clients.
"""

from typing import Any

from assay.provenance.errors import CredentialRefused, MissingExtra, SigningFailed
from assay.provenance.signing.remote import KeyAddress, digest, hash_name
from assay.provenance.signing.signer import CallbackSigner, algorithm_of, leaf_certificate

USAGE = "gcp-kms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N?chain=CHAIN.pem"


def open_gcp_kms(rest: str) -> CallbackSigner:
    """The signer that `gcp-kms:` + `rest` names. Raises `CredentialRefused` or `MissingExtra`."""
    address = KeyAddress.parse(rest, usage=USAGE)
    chain = address.chain(USAGE)
    try:
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import kms
    except ImportError as error:
        raise MissingExtra("signing with Google Cloud KMS", "gcp") from error
    try:
        client = kms.KeyManagementServiceClient(transport="rest")
    except GoogleAuthError as error:
        raise CredentialRefused(f"Google Cloud KMS cannot be reached: {error}") from error
    return gcp_kms_signer(client, address.path, chain)


def gcp_kms_signer(client: Any, key: str, chain: str) -> CallbackSigner:
    """A signer over a `KeyManagementServiceClient` of your own. Raises `CredentialRefused` or `MissingExtra`."""
    try:
        from google_crc32c import value as crc32c
    except ImportError as error:
        raise MissingExtra("signing with Google Cloud KMS", "gcp") from error
    algorithm = algorithm_of(leaf_certificate(chain).public_key())
    name = hash_name(algorithm)

    def sign(message: bytes) -> bytes:
        hashed = digest(algorithm, message)
        answer = client.asymmetric_sign(
            request={"name": key, "digest": {name: hashed}, "digest_crc32c": crc32c(hashed)}
        )
        if not answer.verified_digest_crc32c or answer.signature_crc32c != crc32c(answer.signature):
            raise SigningFailed("Google Cloud KMS: the request or its answer was damaged on the way", "try again")
        return bytes(answer.signature)

    return CallbackSigner.of(chain, sign, algorithm=algorithm)
