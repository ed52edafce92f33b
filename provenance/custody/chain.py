"""The nouns of custody: a chain of links, the axes each is judged on, and one bottom line.

Rules: claimed and certified facts are different fields; what was recorded at ingest stands beside what holds now; every
answer is yes, no or unknown, with the codes that led to it. Strings in here come from the file: presenters neutralise them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from assay.provenance.jumbf.store import ManifestStore

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


class Standing(StrEnum):
    """What holds for one link by itself, worst first."""

    TAMPERED = "tampered"  # bytes or claim are not those that were signed
    INVALID = "invalid"  # intact, but it breaks a rule, or its certificate was expired or revoked
    UNKNOWN = "unknown"  # nobody recorded, and nothing can tell now
    VALID = "valid"  # intact, signed by somebody no list knows
    TRUSTED = "trusted"  # intact, signed by somebody on a claim-signing list


class BottomLine(StrEnum):
    """The one word for the whole chain: that of its weakest link."""

    NO_MANIFEST = "no-manifest"
    UNREADABLE = "unreadable"  # there is a manifest, and it cannot be parsed
    TAMPERED = "tampered"  # the bytes or the claim are not those that were signed
    BROKEN_HISTORY = "broken-history"  # this link holds; something it was made from was tampered with, or is missing
    INVALID = "invalid"  # intact, but a link breaks a rule of the specification (named in the headline)
    VALID = "valid"  # intact; this link or one before it was signed by somebody no list knows
    INCOMPLETE_HISTORY = "incomplete-history"  # trusted, but made from something of which nothing is known
    TRUSTED = "trusted"  # intact, signed by somebody on a claim-signing list, with a history that holds

    @property
    def holds(self) -> bool:
        """Whether nothing in the chain is known to fail, so that it may be relied on as far as its signers are."""
        return self in (BottomLine.VALID, BottomLine.INCOMPLETE_HISTORY, BottomLine.TRUSTED)


class Requirement(StrEnum):
    """What a gate may ask of a chain."""

    INTACT = "intact"  # no link was tampered with or is missing
    VALID = "valid"  # besides, no link breaks a rule
    TRUSTED = "trusted"  # besides, every link rests on a trust list, and no source is unknown


_MEETS = {
    Requirement.TRUSTED: frozenset({BottomLine.TRUSTED}),
    Requirement.VALID: frozenset(line for line in BottomLine if line.holds),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signed a link: names from the leaf certificate, and the list (if any) that vouches for it."""

    common_name: str = ""
    organisation: str = ""
    issuer: str = ""
    serial: str = ""  # hexadecimal
    sha256: str = ""  # of the certificate
    not_before: datetime | None = None
    not_after: datetime | None = None
    trust_list: str = ""  # title; empty: no list vouches for it
    trust_list_id: str = ""
    trust_list_kind: str = ""  # official, interim, user, development …
    development: bool = False  # signed with assay's throw-away development authority
    assurance_level: int | None = None  # C2PA conformance programme, 1 or 2
    product: str = ""  # from the conforming-products list

    @property
    def who(self) -> str:
        """The name to call them by."""
        return self.organisation or self.common_name or "an unnamed signer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One `c2pa.actions` entry."""

    label: str  # c2pa.created, c2pa.edited …
    digital_source_type: str = ""  # a URI
    software_agent: str = ""
    description: str = ""
    when: str = ""  # untrusted, as written
    reason: str = ""
    attributed: bool = True  # the signer answers for it; not where it is `gathered_assertions` (C2PA 2.2 §18.14.2)


class Status(NamedTuple):
    """One validation status: the specification's code, the JUMBF URL it is about, and whether it is a failure.

    A named tuple, because chains hold hundreds of them and each is hashed.
    """

    code: str
    url: str = ""
    failure: bool = False
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """A named break or silence in the history. A grave one keeps the chain from being believed whole."""

    code: str  # kebab-case, the same in code, documentation and JSON
    statement: str
    grave: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """Something a link was made from. `recorded` is what the signer's tool found when it took the ingredient in."""

    title: str = ""
    relationship: str = ""  # parentOf, componentOf, inputTo
    media_type: str = ""
    manifest: str = ""  # label of its manifest in the store; empty: it had none
    label: str = ""  # of the ingredient assertion: its version, and its instance
    recorded: tuple[Status, ...] | None = None  # None: no record at all
    thumbnail: str = ""  # JUMBF URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A CAWG identity assertion: who says to have made or to own this, beside the claim's signer."""

    names: tuple[str, ...] = ()
    kind: str = ""  # cawg.x509.cose, cawg.identity_claims_aggregation …
    issuer: str = ""
    answer: Answer = Answer.UNKNOWN  # whether its own signature holds and a list vouches for it
    statement: str = ""
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One manifest of the chain. `now` and `recorded` are the two verdicts on it: today's, and that of whoever took it in
    (None for the active manifest, and where nobody wrote it down)."""

    label: str
    kind: str = "standard"  # update, compressed
    title: str = ""
    media_type: str = ""
    claim_generator: str = ""
    signer: Signer = field(default_factory=Signer)
    actions: tuple[Action, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()
    identities: tuple[Identity, ...] = ()
    claimed_time: str = ""
    certified_time: datetime | None = None
    time_authority: str = ""
    revocation: str = ""  # what is known of it, in a sentence
    revocation_state: str = ""  # good, revoked, unknown, unreachable, unusable, not-asked
    axes: Axes
    now: Standing = Standing.UNKNOWN
    recorded: Standing | None = None
    statuses: tuple[Status, ...] = ()
    breaks: tuple[Gap, ...] = ()
    assertions: tuple[str, ...] = ()  # labels
    soft_bindings: tuple[str, ...] = ()  # algorithms
    permissions: tuple[str, ...] = ()  # training and mining, "use: permission"
    rubric: tuple[str, ...] = ()  # signals of the official asset rubric that hold for it
    thumbnail: str = ""  # JUMBF URL

    @property
    def gaps(self) -> tuple[str, ...]:
        """Its breaks and silences in plain words."""
        return tuple(gap.statement for gap in self.breaks)

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
    breaks: tuple[Gap, ...] = ()  # of the store as a whole; each link has its own besides
    residue: tuple[str, ...] = ()  # signs of a removed or hidden manifest
    sdk_state: str = ""
    place: str = ""  # where the store lay: a segment, a box, a sidecar, a remote host
    apart: bool = False  # whether that was not in the file
    remote_url: str = ""
    warnings: tuple[str, ...] = ()  # stale trust list, development authority in use …
    store: "ManifestStore | None" = field(default=None, repr=False, compare=False)  # for thumbnails

    @property
    def active(self) -> Link | None:
        """The manifest that speaks for the file itself."""
        return self.links[-1] if self.links else None

    @property
    def gaps(self) -> tuple[str, ...]:
        """Every break and silence of the whole chain in plain words, grave ones first."""
        found = [*self.breaks, *(gap for link in reversed(self.links) for gap in link.breaks)]
        return tuple(dict.fromkeys(gap.statement for gap in sorted(found, key=lambda gap: not gap.grave)))

    def picture(self, url: str) -> tuple[str, bytes] | None:
        """(media type, bytes) of a thumbnail in the store, by the URL that a link or an ingredient names."""
        return self.store.picture(url) if self.store and url else None

    def find(self, label: str) -> Link | None:
        """The link with this manifest label."""
        return next((link for link in self.links if link.label == label), None)

    def meets(self, requirement: Requirement) -> bool:
        """Whether the chain as a whole is as good as a gate requires."""
        if requirement is not Requirement.INTACT:
            return self.bottom_line in _MEETS[requirement]
        unchanged = all(axis.answer is Answer.YES for axis in self._bytes_axes())
        return bool(self.links) and unchanged and self.bottom_line is not BottomLine.BROKEN_HISTORY

    def _bytes_axes(self) -> tuple[Axis, ...]:
        return (self.links[-1].axes.intact, self.links[-1].axes.authentic) if self.links else ()
