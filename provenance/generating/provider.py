"""What every image generator is asked and what it answers, whoever runs it.

Rules: model names are configuration and never stand in code; the bytes are those that the provider sent, untouched, with
their hash and what their own manifest is worth; a refused prompt is an answer, not an exception; failures of the service
(time-out, rate limit, rubbish) are exceptions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError
from assay.provenance.media_type import MediaType

Scalar = str | int | float | bool
Pairs = tuple[tuple[str, Scalar], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for. `size` is (width, height) in pixels; `parameters` go to the provider as they are."""

    prompt: str
    model: str = ""  # empty: the provider's own default, or none
    count: int = 1
    size: tuple[int, int] | None = None
    seed: int | None = None
    output_format: MediaType | None = None
    inputs: tuple[Asset, ...] = ()  # an edit changes the first; the others are looked at
    references: tuple[Asset, ...] = ()  # looked at, none of them changed
    earlier: tuple[Asset, ...] = ()  # said before, and may have gone in too; told of the whole, but not ingredients
    unseen: bool = False  # one not at hand may have gone in: behind a link, a file at the provider's, a tensor
    mask: Asset | None = None  # as the provider understands it
    parameters: Pairs = ()


class Stage(StrEnum):
    """Where a safety system spoke."""

    POLICY = "policy"  # the user's own hook, before any call
    PROMPT = "prompt"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyEvent:
    """One statement of a safety system, in the provider's own words. `score` as the provider scales it."""

    stage: Stage
    code: str
    reason: str = ""
    category: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was generated because somebody said no. `code` and `reason` are theirs, verbatim."""

    by: str  # the provider's name, or "policy"
    code: str
    reason: str = ""

    def __str__(self) -> str:
        return f"refused by {self.by}: {self.reason or self.code}" + (f" [{self.code}]" if self.reason else "")


class Upstream(StrEnum):
    """What the bytes said of themselves when they arrived."""

    NONE = "none"  # no manifest
    INTACT = "intact"  # bytes and signature hold (whoever signed)
    INVALID = "invalid"  # bytes and signature hold, a rule of the specification does not
    BROKEN = "broken"  # bytes or claim are not those that were signed
    UNREADABLE = "unreadable"  # there is a manifest that cannot be parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One picture as it arrived. `upstream` is the state of the C2PA manifest that it brought along, in it or beside it.

    `source_type` is the digital source type that is honest for it, a URI of the IPTC vocabulary.
    """

    asset: Asset
    source_type: str
    sidecar: bytes | None = field(default=None, repr=False)  # the manifest store that stood beside it
    upstream: Upstream = Upstream.NONE
    revised_prompt: str = ""
    request_id: str = ""  # where a provider makes one picture per call; else the result's
    parameters: Pairs = ()  # what holds for this picture alone: its seed, its revised size …
    alt_text: str = ""  # only where the generator knows what it drew

    @property
    def content(self) -> bytes:
        """The provider's bytes, untouched."""
        return self.asset.content

    @property
    def media_type(self) -> MediaType:
        """The format by content, whatever the provider called it."""
        return self.asset.media_type

    @property
    def upstream_sha256(self) -> str:
        """SHA-256 of the provider's bytes, lower-case hexadecimal."""
        return self.asset.sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The whole answer to one request: pictures, or a refusal; both where some pictures were filtered out."""

    provider: str
    model_requested: str = ""
    model_returned: str = ""
    provider_version: str = ""
    request_id: str = ""
    outputs: tuple[Output, ...] = ()
    refusal: Refusal | None = None
    safety: tuple[SafetyEvent, ...] = ()
    usage: Pairs = ()
    parameters: Pairs = field(default=())  # what was really used, where the provider says so

    @property
    def model(self) -> str:
        """The model that answered, as exactly as anybody said."""
        return self.model_returned or self.model_requested


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A picture in words. `alt_text` says what is to be seen, for those who cannot; `caption` is for publication."""

    alt_text: str
    caption: str
    provider: str
    model: str = ""
    request_id: str = ""
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach a service. Keys come from the environment only, never from here. `timeout` in seconds."""

    endpoint: str = ""  # empty: the provider's own
    api_version: str = ""
    timeout: float = 180.0
    retries: int = 2
    model: str = ""  # for providers that load a model instead of naming it in each call


class Provider(Protocol):
    """An image generator. Each call raises `ProviderFailed`, or `CannotDo` where the provider has no such thing."""

    @property
    def name(self) -> str:
        """The provider's name as the signature and the command line give it."""

    def generate(self, request: Request) -> Result:
        """Make pictures from a prompt."""

    def edit(self, request: Request) -> Result:
        """Change `request.inputs[0]` as the prompt says."""

    def describe(self, asset: Asset, *, model: str = "") -> Description:
        """Say in words what a picture shows."""


Policy = Callable[[Request], Refusal | None]
"""A hook that sees each request before any call and may refuse it; None lets it through."""


def joined(results: list[Result]) -> Result:
    """Several calls as one answer: the pictures that came, what the safety systems said, and the first refusal if none came."""
    first = results[0]
    outputs = tuple(output for result in results for output in result.outputs)
    totals: dict[str, int | float] = {}
    for name, count in (pair for result in results for pair in result.usage):
        if isinstance(count, int | float):
            totals[name] = totals.get(name, 0) + count
    refusals = [result.refusal for result in results if result.refusal]
    return replace(
        first,
        model_returned=next((r.model_returned for r in results if r.model_returned), ""),
        outputs=outputs,
        refusal=refusals[0] if refusals else None,
        safety=tuple(event for result in results for event in result.safety),
        usage=tuple(totals.items()),
    )


class ProviderFailed(AssayError):
    """The service did not answer, or what it answered is of no use."""


class CannotDo(AssayError):
    """This provider, or this kind of client, has no such thing."""


class PromptRefused(AssayError):
    """A policy hook refused a call through a wrapped client, before it was made."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal), "nothing was sent")
        self.refusal = refusal
