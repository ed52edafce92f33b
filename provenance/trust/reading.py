"""From a published file to certificates: ETSI lists of trusted entities (JSON) and PEM bundles, checked for shape.

Rules: a list is refused whole when any part of it is broken, so that half a download never becomes a list; entries whose
status is not "trusted" are left out.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from assay.provenance.errors import AssayError
from assay.provenance.trust.certificates import parse

MAX_LIST_BYTES = 4 * 1024 * 1024
MAX_LIST_CERTIFICATES = 2_000


class TrustListRefused(AssayError):
    """A file is no usable trust list; whatever was in place stays in place."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The certificates (DER) of a published list, and the dates it states."""

    certificates: tuple[bytes, ...]
    issued: datetime | None = None
    next_update: datetime | None = None


def read_contents(name: str, content: bytes) -> Contents:
    """Parse a list: a JSON list of trusted entities (ETSI TS 119 602) or PEM certificates. Raises `TrustListRefused`."""
    if len(content) > MAX_LIST_BYTES:
        raise TrustListRefused(f"{name}: {len(content):,} bytes are more than any trust list has")
    try:
        contents = _entities(content) if content.lstrip()[:1] == b"{" else _pem(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TrustListRefused(f"{name}: not a complete trust list: {error}", "get it again") from None
    if not contents.certificates:
        raise TrustListRefused(f"{name}: it holds no certificate", "name a PEM file or a C2PA trust list in JSON")
    if len(contents.certificates) > MAX_LIST_CERTIFICATES:
        raise TrustListRefused(f"{name}: more than {MAX_LIST_CERTIFICATES:,} certificates")
    broken = [number for number, der in enumerate(contents.certificates, 1) if parse(der) is None]
    if broken:
        raise TrustListRefused(f"{name}: certificate {broken[0]} cannot be read", "get the file again")
    return contents


def read_allowed(content: bytes) -> frozenset[bytes]:
    """SHA-256 digests of leaf certificates: one a line in base64, or a PEM bundle of the certificates themselves."""
    lines = [line for line in content.decode("ascii").splitlines() if line and not line.startswith("#")]
    digests = frozenset(base64.b64decode(line, validate=True) for line in lines)
    if any(len(digest) != 32 for digest in digests):
        raise TrustListRefused("a digest of the allowed list has the wrong length")
    return digests


def moment(text: str) -> datetime:
    """A date and time of ISO 8601 in UTC. Raises ValueError."""
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _entities(content: bytes) -> Contents:
    listing: dict[str, Any] = json.loads(content)["LoTE"]
    scheme = listing["ListAndSchemeInformation"]
    certificates: list[bytes] = []
    for entity in listing["TrustedEntitiesList"]:
        for service in entity["TrustedEntityServices"]:
            about = service["ServiceInformation"]
            if str(about["ServiceStatus"]).rsplit("/", 1)[-1] != "trusted":
                continue
            for certificate in about["ServiceDigitalIdentity"]["X509Certificates"]:
                certificates.append(base64.b64decode(certificate["val"], validate=True))
    next_update = scheme.get("NextUpdate")
    return Contents(
        tuple(dict.fromkeys(certificates)),
        moment(scheme["ListIssueDateTime"]),
        moment(next_update) if next_update else None,
    )


def _pem(content: bytes) -> Contents:
    opened = content.count(b"-----BEGIN CERTIFICATE-----")
    if not opened:
        return Contents(())
    certificates = x509.load_pem_x509_certificates(content)
    if len(certificates) != opened:
        raise ValueError(f"{opened} certificates begin, {len(certificates)} can be read")
    return Contents(tuple(dict.fromkeys(c.public_bytes(Encoding.DER) for c in certificates)))
