"""The nouns of custody: a chain of links, the axes each is judged on, and one bottom line.

Rules: claimed and certified facts are different fields; what was recorded at ingest stands beside what holds now; every
answer is yes, no or unknown, with the codes that led to it. Strings in here come from the file: presenters neutralise them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

IPTC_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class Answer(StrEnum):
    """What can be said on one axis."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Axis:
    """One question, its answer, the validation status codes that led there, and a sentence in plain words."""

    answer: Answer
    statement: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Axes:
    """The five questions. intact: the bytes are those that were signed. authentic: the signature is that of the named
    certificate. trusted: a claim-signing list knows that certificate. timely: it was valid when it signed.
    unbroken: the same holds for everything this was made from."""

    intact: Axis
    authentic: Axis
    trusted: Axis
    timely: Axis
    unbroken: Axis


class BottomLine(StrEnum):
    """The one word for the whole chain."""

    NO_MANIFEST = "no-manifest"
    UNREADABLE = "unreadable"  # there is a manifest, and it cannot be parsed
    TAMPERED = "tampered"  # the bytes or the claim are not those that were signed
    INVALID = "invalid"  # intact, but it breaks a rule of the specification (named in the headline)
    BROKEN_HISTORY = "broken-history"  # this link holds; something it was made from does not
    VALID = "valid"  # intact, signed by somebody no list knows
    TRUSTED = "trusted"  # intact, signed by somebody on a claim-signing list, with a history that holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signed a link: names from the leaf certificate, and the list (if any) that vouches for it."""

    common_name: str = ""
    organisation: str = ""
    issuer: str = ""
    serial: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    trust_list: str = ""  # empty: no list vouches for it
    development: bool = False  # signed with assay's throw-away development authority
    assurance_level: int | None = None  # C2PA conformance programme, 1 or 2
    product: str = ""  # from the conforming-products list


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One `c2pa.actions` entry."""

    label: str  # c2pa.created, c2pa.edited …
    digital_source_type: str = ""  # a URI
    software_agent: str = ""
    description: str = ""
    when: str = ""  # untrusted, as written
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """One validation status: the specification's code, the JUMBF URL it is about, and whether it is a failure."""

    code: str
    url: str = ""
    failure: bool = False
    explanation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """Something a link was made from. `recorded` is what the signer's tool found when it took the ingredient in."""

    title: str = ""
    relationship: str = ""  # parentOf, componentOf, inputTo
    media_type: str = ""
    manifest: str = ""  # label of its manifest in the store; empty: it had none
    recorded: tuple[Status, ...] = ()
    thumbnail: str = ""  # resource identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One manifest of the chain."""

    label: str
    title: str = ""
    claim_generator: str = ""
    signer: Signer = field(default_factory=Signer)
    actions: tuple[Action, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()
    claimed_time: str = ""
    certified_time: datetime | None = None
    time_authority: str = ""
    axes: Axes
    statuses: tuple[Status, ...] = ()
    gaps: tuple[str, ...] = ()  # named breaks in the history, in plain words
    thumbnail: str = ""

    @property
    def digital_source_types(self) -> tuple[str, ...]:
        """The distinct digital source types its actions declare, in order."""
        return tuple(dict.fromkeys(a.digital_source_type for a in self.actions if a.digital_source_type))


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """The chain of custody of one asset, oldest link first; `links[-1]` is the active manifest."""

    asset_name: str
    asset_sha256: str
    bottom_line: BottomLine
    headline: str  # one sentence, the first thing anybody reads
    links: tuple[Link, ...] = ()
    gaps: tuple[str, ...] = ()
    residue: tuple[str, ...] = ()  # signs of a removed or hidden manifest
    sdk_state: str = ""
    remote_url: str = ""
    warnings: tuple[str, ...] = ()  # stale trust list, development authority in use …

    @property
    def active(self) -> Link | None:
        """The manifest that speaks for the file itself."""
        return self.links[-1] if self.links else None
