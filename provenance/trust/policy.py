"""Whom one run of assay believes: a frozen choice of lists, usages and time, for our own check and for the SDK's context.

Rules: the policy is a value (hashable, picklable, the same in every worker); reading it never touches a network.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from assay.provenance.trust.certificates import pem
from assay.provenance.trust.path import named_anchors
from assay.provenance.trust.products import Product
from assay.provenance.trust.trust_list import ListKind, Purpose, TrustList

if TYPE_CHECKING:
    from assay.provenance._c2pa import Anchors

_SDK_KINDS = {Purpose.CLAIM_SIGNING: "manifest", Purpose.TIME_STAMPING: "tsa", Purpose.IDENTITY: "cawg"}
_ORDER = list(ListKind)
NO_IDENTITY_LIST = (
    "no trust list for identities (CAWG) is in use, and none ships with assay: nobody vouches for the names in identity "
    "assertions; add one with `assay trust add LIST FILE --purpose identity`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """`lists` in order of precedence. `ekus` are extended key usages accepted beside the usual ones, for every list.

    `now` fixes the clock (tests, reproducible reports). With `online_revocation`, OCSP responders named by certificates that
    a list vouches for are asked; nothing else is ever fetched on account of a policy. `private_hosts` are responders that
    may be asked though their address is private (a company's own, or a test's).
    """

    lists: tuple[TrustList, ...] = ()
    ekus: tuple[str, ...] = ()
    now: datetime | None = None
    online_revocation: bool = False
    private_hosts: frozenset[str] = frozenset()
    products: tuple[Product, ...] = field(default=(), hash=False, repr=False)

    def lists_for(self, purpose: Purpose) -> tuple[TrustList, ...]:
        """The lists kept for a purpose, most official first."""
        return tuple(sorted((x for x in self.lists if purpose in x.purposes), key=lambda x: _ORDER.index(x.kind)))

    def find(self, list_id: str | None) -> TrustList | None:
        """The list of that id."""
        return next((x for x in self.lists if x.id == list_id), None)

    def product(self, record: str) -> Product | None:
        """The conforming product of a record identifier."""
        return next((x for x in self.products if x.record == record), None) if record else None

    def without(self, *list_ids: str) -> "TrustPolicy":
        """The same policy without some lists."""
        return replace(self, lists=tuple(x for x in self.lists if x.id not in list_ids))

    def anchors(self, presented: frozenset[bytes] | None = None) -> "tuple[Anchors, ...]":
        """The lists as the SDK's context takes them; the SDK does not keep purposes apart, `judge` does.

        `presented` are all certificates (DER) of a manifest store: then anchors that none of them names are left out, for the
        SDK parses every anchor again for every file.
        """
        return _anchors(self.lists, presented)

    def warnings(self) -> tuple[str, ...]:
        """What every report must say of the lists themselves: stale ones, and the absence of any."""
        now = self.now or datetime.now(UTC)
        stale = tuple(_stale(x, now) for x in self.lists if x.stale(now))
        if not any(Purpose.CLAIM_SIGNING in x.purposes for x in self.lists):
            return (*stale, "no trust list for signers of content is in use: nobody can be trusted")
        return stale


def default_policy(
    *, development: bool = True, now: datetime | None = None, online_revocation: bool = False
) -> TrustPolicy:
    """The lists of this machine (the user's editions over the shipped snapshots) and, unless told otherwise, the
    development anchor where there is one. Raises `TrustListRefused` where a stored list is broken."""
    from assay.provenance.trust.store import development_list, load_lists, load_products

    own = development_list() if development else None
    lists = load_lists() + ((own,) if own else ())
    return TrustPolicy(lists=lists, now=now, online_revocation=online_revocation, products=load_products())


@lru_cache(maxsize=256)
def _anchors(lists: tuple[TrustList, ...], presented: frozenset[bytes] | None) -> "tuple[Anchors, ...]":
    from assay.provenance._c2pa import Anchors

    found = []
    for x in lists:
        named = pem(x.anchors if presented is None else named_anchors(presented, x))
        for purpose in x.purposes:
            allowed = _allowed(x) if purpose is Purpose.CLAIM_SIGNING else ""
            if named or allowed:
                found.append(Anchors(_SDK_KINDS[purpose], x.id, named, allowed))
    return tuple(found)


def _allowed(trust_list: TrustList) -> str:
    """The SDK takes digests in base64, one a line, in place of certificates."""
    from base64 import b64encode

    return "".join(b64encode(digest).decode("ascii") + "\n" for digest in sorted(trust_list.allowed))


def _stale(trust_list: TrustList, now: datetime) -> str:
    age = trust_list.age(now)
    days = f"{age.days} days old" if age is not None else "of unknown age"
    due = f", its successor was due on {trust_list.next_update:%Y-%m-%d}" if trust_list.next_update else ""
    return f"the {trust_list.title} is {days}{due}: run `assay trust update {trust_list.id}`"
