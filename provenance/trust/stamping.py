"""Asking a time-stamping authority for a stamp over some bytes: RFC 3161 §3.4 over HTTP.

Rules: only the hash leaves this machine; an answer that does not stamp exactly these bytes, or not this very question, is a
failure; whether the authority is believed is decided by whoever reads the stamp, by the lists of that day.
"""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from assay.provenance.errors import AssayError
from assay.provenance.fetching import FetchLimits, fetch
from assay.provenance.trust.der import (
    BOOLEAN,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    Malformed,
    encoded,
    encoded_integer,
)
from assay.provenance.trust.policy import TrustPolicy
from assay.provenance.trust.time_stamps import MAX_TOKEN_BYTES, certified_time
from assay.provenance.trust.tokens import SHA256, Refused, read_token


class StampRefused(AssayError):
    """An authority gave no stamp, or not the one that was asked for."""


def request_stamp(message: bytes, url: str) -> bytes:
    """The DER TimeStampToken of the authority at `url` over `message`. Raises `FetchRefused` or `StampRefused`."""
    nonce = encoded_integer(secrets.randbits(63))
    digest = hashlib.sha256(message).digest()
    query = encoded(
        SEQUENCE,
        encoded_integer(1),  # version
        encoded(SEQUENCE, encoded(SEQUENCE, encoded(OBJECT_IDENTIFIER, SHA256)), encoded(OCTET_STRING, digest)),
        nonce,
        encoded(BOOLEAN, b"\xff"),  # with the certificate
    )
    host = urlsplit(url).hostname or ""
    limits = FetchLimits(bytes=MAX_TOKEN_BYTES, private_hosts=frozenset({host}))  # the user named it
    answer = fetch(url, limits, body=query, content_type="application/timestamp-query")
    try:
        token = read_token(answer)
    except Refused as refusal:
        raise StampRefused(f"{url}: the authority refused: {refusal}") from refusal
    except Malformed as error:
        raise StampRefused(f"{url}: its answer is no RFC 3161 time stamp") from error
    echoed = token.information.nonce is not None and hmac.compare_digest(
        encoded(INTEGER, token.information.nonce), nonce
    )
    if not echoed or not certified_time(token.der, message, TrustPolicy()).intact:
        raise StampRefused(f"{url}: its stamp is not over what was asked")
    return token.der
