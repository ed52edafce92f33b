"""What the signature on a generated picture says, and putting it there.

Rules: what was asked, who answered and what arrived are stated; the prompt only on request, else its salted hash; names of
users never; a manifest that the provider's bytes carry becomes the parent, and nothing is claimed to have
been done to it; a picture that was edited is the parent of its edit; marks go into the pixels before anything is signed.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.provenance.asset import Asset
from assay.provenance.decoding import decode
from assay.provenance.generating.marking import UNMARKABLE, Marker, marked
from assay.provenance.generating.provider import CannotDo, Output, Policy, PromptRefused, Request, Result, Upstream
from assay.provenance.generating.receiving import declares_trained, source_types
from assay.provenance.signing.ingredients import own_sidecar
from assay.provenance.signing.recipe import Component, Prompt, Recipe, Relationship, SoftwareAgent, SourceType
from assay.provenance.signing.signer import Signer, open_signer
from assay.provenance.signing.signing import Signed, sign
from assay.provenance.signing.soft_binding import Fingerprinter, with_soft_binding
from assay.provenance.signing.timestamp import TimestampAuthority

_PRIVATE = frozenset({"user", "safety_identifier", "labels"})  # parameters that name a person, not a picture
_PROMPT = re.compile(r"(negative_)?prompt(_\d+)?")  # parameters that are further prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms pictures are signed. `training_mining` as in `Recipe`; `thumbnail` is a long edge in pixels.

    `marker` hides an identifier in the pixels first, `fingerprinter` gives the soft binding; `kept` is called with whatever
    was signed (to remember it).
    """

    signer: Signer
    disclose_prompt: bool = False
    policy: Policy | None = None
    training_mining: Mapping[str, str] = field(default_factory=dict)
    thumbnail: int = 0
    timestamp: TimestampAuthority | None = None
    marker: Marker | None = None
    fingerprinter: Fingerprinter | None = None
    kept: Callable[[Signed], None] | None = None

    @classmethod
    def of(cls, signer: Signer | str, *, timestamp: TimestampAuthority | str | None = None, **options: Any) -> "Terms":
        """Terms with a signer and a time-stamping authority, or with the URIs of these."""
        if isinstance(timestamp, str):
            options["timestamp"] = TimestampAuthority(timestamp)
        elif timestamp is not None:
            options["timestamp"] = timestamp
        return cls(signer=open_signer(signer) if isinstance(signer, str) else signer, **options)

    def permit(self, request: Request) -> None:
        """Ask the policy. Raises `PromptRefused`."""
        if self.policy is not None and (refusal := self.policy(request)) is not None:
            raise PromptRefused(refusal)

    def sign(
        self, request: Request, result: Result, output: Output, *, into: Path | None = None, complete: bool = True
    ) -> Signed:
        """Sign one output, with `into` also into a new file; without a marker the picture's data stay untouched.

        `complete` states that nothing can have been done to it between its making and now.
        """
        recipe = self.recipe(request, result, output, complete=complete)
        asset, sidecar, warnings = output.asset, output.sidecar, tuple[str, ...]()
        if self.marker is not None:
            if mark := marked(asset, self.marker):
                has_manifest = output.upstream is not Upstream.NONE
                recipe = mark.declared(recipe, asset, has_manifest=has_manifest, sidecar=sidecar)
                asset, sidecar = mark.asset, None
            else:
                warnings = (UNMARKABLE,)
        if self.fingerprinter is not None:
            value = self.fingerprinter.value(decode(asset))
            recipe = with_soft_binding(recipe, self.fingerprinter.algorithm, value)
        signed = sign(asset, recipe, self.signer, into=into, timestamp=self.timestamp, asset_sidecar=sidecar)
        signed = replace(signed, warnings=(*signed.warnings, *warnings))
        if self.kept is not None:
            self.kept(signed)
        return signed

    def recipe(self, request: Request, result: Result, output: Output, *, complete: bool = True) -> Recipe:
        """What the manifest will say."""
        agent = SoftwareAgent(result.model or result.provider, result.provider_version)
        prompt = Prompt(request.prompt, disclosed=self.disclose_prompt) if request.prompt else None
        common: dict[str, Any] = {
            "title": f"{result.provider}{output.media_type.suffix}",
            "parameters": statements(request, result, output, disclose_prompt=self.disclose_prompt),
            "prompt": prompt,
            "complete": complete,
            "when": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        }
        own = source_types(output.asset, sidecar=output.sidecar) if output.upstream is Upstream.INTACT else set[str]()
        unseen = request.unseen or bool(own - {SourceType.TRAINED_ALGORITHMIC_MEDIA})
        source_type = edit_type(output.source_type, *request.inputs, *request.earlier, unseen=unseen)
        if request.inputs and output.upstream is Upstream.NONE:
            parent, *others = request.inputs
            edited = Recipe.edited(
                parent,
                agent=agent,
                source_type=source_type,
                inputs=tuple(map(_reference, (*others, *request.references))),
                **common,
            )
            recipe = replace(edited, parent_sidecar=own_sidecar(parent))
        else:  # with a manifest of the provider's, its own actions say what it did to the inputs
            recipe = Recipe.created(
                source_type, agent, inputs=tuple(map(_reference, (*request.inputs, *request.references))), **common
            )
        return replace(recipe, training_mining=self.training_mining, thumbnail=self.thumbnail)


def carried(signed: Signed) -> bytes:
    """A signed picture that is handed on as bytes alone. Raises `CannotDo` where its manifest stands beside it (BMP)."""
    if signed.sidecar is not None:
        raise CannotDo(
            f"{signed.asset.media_type.name} has no room for a manifest", "ask for PNG, JPEG, WebP, TIFF, GIF or AVIF"
        )
    return signed.asset.content


def statements(request: Request, result: Result, output: Output, *, disclose_prompt: bool = False) -> dict[str, Any]:
    """The action parameters in our namespace. Empty ones are left out, and unless disclosed all that is worded as a prompt."""
    used = {**dict(request.parameters), **dict(result.parameters), **dict(output.parameters)}
    if request.seed is not None:
        used.setdefault("seed", request.seed)
    used = {
        key: value
        for key, value in used.items()
        if key not in _PRIVATE and (disclose_prompt or not _PROMPT.fullmatch(key))
    }
    stated: dict[str, Any] = {
        "provider": result.provider,
        "requestId": output.request_id or result.request_id,
        "modelRequested": result.model_requested,
        "modelReturned": result.model_returned,
        "receivedSha256": output.upstream_sha256,
        "receivedManifest": output.upstream.value,
        "maskSha256": request.mask.sha256 if request.mask else "",
        "parameters": used,
    }
    if output.alt_text:
        stated["altText"] = output.alt_text
    return {key: value for key, value in stated.items() if value not in ("", {})}


def edit_type(source_type: str, *gone_in: Asset, unseen: bool = False) -> str:
    """The type of a picture that was made of others, the type of a new one where there are none.

    What a model made stays so through corrections, and marks what it is set into. One picture that nobody says a model made,
    or that is `unseen`, is enough to make the whole a composite.
    """
    if not gone_in and not unseen:
        return source_type
    synthetic = not unseen and all(map(declares_trained, gone_in))
    match source_type:
        case SourceType.TRAINED_ALGORITHMIC_MEDIA if not synthetic:
            return SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA
        case SourceType.COMPOSITE if synthetic:
            return SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA
        case SourceType.ALGORITHMICALLY_ENHANCED if synthetic:
            return SourceType.TRAINED_ALGORITHMIC_MEDIA
    return source_type


def _reference(asset: Asset) -> Component:
    return Component(asset, Relationship.INPUT_TO, sidecar=own_sidecar(asset), title=f"input{asset.media_type.suffix}")
