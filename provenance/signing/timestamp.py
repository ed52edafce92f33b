"""RFC 3161 time stamps: which authority certifies when a signature was made, and what happens when it is down.

Rules: no authority is asked unless the user names one; a signature without its stamp is a choice of the user, never silent.
"""

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from assay.provenance.errors import AssayError

TIMESTAMP_VARIABLE = "ASSAY_TIMESTAMP_URL"


class WithoutStamp(StrEnum):
    """What to do when the authority gives no stamp (the SDK waits 30 seconds for it)."""

    FAIL = "fail"
    WARN = "warn"  # sign without, and say so in `Signed.warnings`


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """An RFC 3161 authority over HTTP. Raises `AssayError` for what is no http(s) URL."""

    url: str
    without: WithoutStamp = WithoutStamp.FAIL

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise AssayError(f"{without_secrets(self.url)}: is no time-stamping authority", "give an http or https URL")


def without_secrets(text: str) -> str:
    """`text` without the user names, passwords and queries of the URLs in it: an authority's may hold a customer's key."""
    return re.sub(r"://(?:[^/\s]*@)?([^\s?#()]*)(?:[?#][^\s()]*)?", r"://\1", text)


def configured_authority(without: WithoutStamp = WithoutStamp.FAIL) -> TimestampAuthority | None:
    """The authority named by `$ASSAY_TIMESTAMP_URL`; None where the variable is unset or empty."""
    url = os.environ.get(TIMESTAMP_VARIABLE, "")
    return TimestampAuthority(url, without) if url else None
