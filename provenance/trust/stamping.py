"""Asking a time-stamping authority for a stamp over some bytes: RFC 3161 §3.4 over HTTP.

Rules: only the hash leaves this machine; an answer that does not stamp exactly these bytes, or not this very question, is a
failure; whether the authority is believed is decided by whoever reads the stamp, by the lists of that day.
"""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from asn1crypto import algos, tsp

from assay.provenance.errors import AssayError
from assay.provenance.fetching import FetchLimits, fetch
from assay.provenance.trust.policy import TrustPolicy
from assay.provenance.trust.time_stamps import MAX_TOKEN_BYTES, certified_time


class StampRefused(AssayError):
    """An authority gave no stamp, or not the one that was asked for."""


def request_stamp(message: bytes, url: str) -> bytes:
    """The DER TimeStampToken of the authority at `url` over `message`. Raises `FetchRefused` or `StampRefused`."""
    nonce = secrets.randbits(63)
    digest = hashlib.sha256(message).digest()
    query = tsp.TimeStampReq(
        {
            "version": "v1",
            "message_imprint": tsp.MessageImprint(
                {"hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}), "hashed_message": digest}
            ),
            "nonce": nonce,
            "cert_req": True,
        }
    )
    host = urlsplit(url).hostname or ""
    limits = FetchLimits(bytes=MAX_TOKEN_BYTES, private_hosts=frozenset({host}))  # the user named it
    answer = fetch(url, limits, body=query.dump(), content_type="application/timestamp-query")
    try:
        response = tsp.TimeStampResp.load(answer, strict=True)
        status = response["status"]["status"].native
        token = response["time_stamp_token"]
        stamped = token["content"]["encap_content_info"]["content"].parsed if status.startswith("granted") else None
        echoed = stamped is not None and hmac.compare_digest(str(stamped["nonce"].native), str(nonce))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StampRefused(f"{url}: its answer is no RFC 3161 time stamp") from error
    if stamped is None:
        raise StampRefused(f"{url}: the authority refused: {status}")
    der = bytes(token.dump())
    if not echoed or not certified_time(der, message, TrustPolicy()).intact:
        raise StampRefused(f"{url}: its stamp is not over what was asked")
    return der
