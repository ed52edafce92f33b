"""Signing with a key in AWS KMS (extra `aws`): `aws-kms:KEY?chain=CHAIN.pem`, KEY being an id, alias/… or ARN.

Rules: the only module that imports boto3; only the hash of the claim leaves this machine; region, endpoint and identity come
from the usual AWS configuration.
"""

from typing import Any

from assay.provenance.errors import CredentialRefused, MissingExtra
from assay.provenance.signing.remote import KeyAddress, digest, hash_name
from assay.provenance.signing.signer import CallbackSigner, algorithm_of, leaf_certificate

USAGE = "aws-kms:KEY?chain=CHAIN.pem"


def open_aws_kms(rest: str) -> CallbackSigner:
    """The signer that `aws-kms:` + `rest` names. Raises `CredentialRefused` or `MissingExtra`."""
    address = KeyAddress.parse(rest, usage=USAGE)
    chain = address.chain(USAGE)
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise MissingExtra("signing with AWS KMS", "aws") from error
    arn = address.path.split(":")
    try:
        client = boto3.client("kms", region_name=arn[3] if len(arn) > 5 and arn[3] else None)
    except (BotoCoreError, ValueError) as error:
        raise CredentialRefused(f"AWS KMS cannot be reached: {error}", "set AWS_REGION") from error
    return aws_kms_signer(client, address.path, chain)


def aws_kms_signer(client: Any, key: str, chain: str) -> CallbackSigner:
    """A signer over a boto3 KMS client of your own. Raises `CredentialRefused`."""
    algorithm = algorithm_of(leaf_certificate(chain).public_key())
    family = "ECDSA" if algorithm.startswith("es") else "RSASSA_PSS"
    name = f"{family}_SHA_{hash_name(algorithm)[3:]}"

    def sign(message: bytes) -> bytes:
        answer = client.sign(KeyId=key, Message=digest(algorithm, message), MessageType="DIGEST", SigningAlgorithm=name)
        return bytes(answer["Signature"])

    return CallbackSigner.of(chain, sign, algorithm=algorithm)
