"""What a trust list is: certificates that are believed for named purposes, dated, with their source.

Rules: a list never vouches outside its purposes; certificates are kept as DER; a list is immutable and cheap to hash.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

SOON_STALE = timedelta(days=370)  # for lists that state no next update: older than this is stale


class Purpose(StrEnum):
    """What a certificate is believed for. C2PA 2.2 §14.4: separate lists for claim signers and time-stamping authorities."""

    CLAIM_SIGNING = "claim-signing"
    TIME_STAMPING = "time-stamping"
    IDENTITY = "identity"  # CAWG identity assertions, signed with X.509


class ListKind(StrEnum):
    """Who stands behind a list; reports show it beside the signer."""

    OFFICIAL = "official"  # kept by the C2PA conformance programme
    INTERIM = "interim"  # the list of the years before, frozen on 2026-01-01
    IDENTITY = "identity"  # CAWG
    USER = "user"  # added by whoever runs assay
    DEVELOPMENT = "development"  # assay's own throw-away authority on this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustList:
    """One list. `anchors` are DER certificates, `allowed` SHA-256 digests of leaf certificates believed without a path."""

    id: str
    title: str
    kind: ListKind
    purposes: tuple[Purpose, ...]
    anchors: tuple[bytes, ...] = field(repr=False)
    allowed: frozenset[bytes] = field(default=frozenset(), repr=False)
    ekus: tuple[str, ...] = ()  # extended key usages accepted beside the purpose's own
    source: str = ""  # URL or file name
    licence: str = ""
    sha256: str = ""  # of the file as it was published
    issued: datetime | None = None
    next_update: datetime | None = None
    retrieved: datetime | None = None
    frozen: bool = False  # no longer maintained: never stale, and shown as what it is
    shipped: bool = False  # the snapshot inside assay, not a newer file of the user's

    def __hash__(self) -> int:
        return hash((self.id, self.sha256, len(self.anchors), len(self.allowed)))

    def age(self, now: datetime | None = None) -> timedelta | None:
        """How long ago it was issued (or retrieved, where no date of issue is stated)."""
        since = self.issued or self.retrieved
        return None if since is None else (now or datetime.now(UTC)) - since

    def stale(self, now: datetime | None = None) -> bool:
        """Whether a newer edition is due: past its next update, or older than a year and no date is stated."""
        if self.frozen or self.kind is ListKind.DEVELOPMENT:
            return False
        if self.next_update is not None:
            return (now or datetime.now(UTC)) > self.next_update
        age = self.age(now)
        return self.kind is not ListKind.USER and (age is None or age > SOON_STALE)
