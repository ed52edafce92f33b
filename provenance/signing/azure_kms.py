"""Signing with a key in Azure Key Vault (extra `azure`): `azure-kms:https://VAULT.vault.azure.net/keys/NAME/VERSION?chain=CHAIN.pem`.

Rules: the only module that imports azure; only the hash of the claim leaves this machine; the identity is the machine's
`DefaultAzureCredential`.
"""

from typing import Any

from assay.provenance.errors import CredentialRefused, MissingExtra
from assay.provenance.signing.remote import KeyAddress, digest, hash_name
from assay.provenance.signing.signer import CallbackSigner, algorithm_of, leaf_certificate

USAGE = "azure-kms:https://VAULT.vault.azure.net/keys/NAME/VERSION?chain=CHAIN.pem"


def open_azure_kms(rest: str) -> CallbackSigner:
    """The signer that `azure-kms:` + `rest` names. Raises `CredentialRefused` or `MissingExtra`."""
    address = KeyAddress.parse(rest, usage=USAGE)
    chain = address.chain(USAGE)
    try:
        from azure.identity import DefaultAzureCredential
        from azure.keyvault.keys.crypto import CryptographyClient
    except ImportError as error:
        raise MissingExtra("signing with Azure Key Vault", "azure") from error
    try:
        client = CryptographyClient(address.path, DefaultAzureCredential())
    except ValueError as error:
        raise CredentialRefused(f"{address.path}: {error}", USAGE) from error
    return azure_kms_signer(client, chain)


def azure_kms_signer(client: Any, chain: str) -> CallbackSigner:
    """A signer over a `CryptographyClient` of your own. Raises `CredentialRefused`."""
    algorithm = algorithm_of(leaf_certificate(chain).public_key())
    hash_name(algorithm)  # refuses what Key Vault cannot do, before the first signature

    def sign(message: bytes) -> bytes:
        return bytes(client.sign(algorithm.upper(), digest(algorithm, message)).signature)

    return CallbackSigner.of(chain, sign, algorithm=algorithm)
