"""What a signature is to say: one frozen recipe.

Rules: the first action is `c2pa.created` (with its digital source type) or `c2pa.opened` (with exactly one parent), as
C2PA 2.2 §18.14.2 demands; nothing is claimed that the caller did not state; a prompt is written only on request, else a
salted hash of it; our own keys live in one namespace.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from assay import __version__
from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError

NAMESPACE = "io.readthedocs.assay"  # reverse domain of the project's documentation; prefixes every key of ours
THUMBNAIL_LIMIT = 256  # long edge in pixels

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class SourceType(StrEnum):
    """Digital source types: the IPTC vocabulary and the two terms that C2PA adds (C2PA 2.2 §18.14.4)."""

    TRAINED_ALGORITHMIC_MEDIA = _IPTC + "trainedAlgorithmicMedia"
    COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA = _IPTC + "compositeWithTrainedAlgorithmicMedia"
    COMPOSITE_SYNTHETIC = _IPTC + "compositeSynthetic"
    COMPOSITE_CAPTURE = _IPTC + "compositeCapture"
    COMPOSITE = _IPTC + "composite"
    ALGORITHMIC_MEDIA = _IPTC + "algorithmicMedia"
    ALGORITHMICALLY_ENHANCED = _IPTC + "algorithmicallyEnhanced"
    DIGITAL_CAPTURE = _IPTC + "digitalCapture"
    COMPUTATIONAL_CAPTURE = _IPTC + "computationalCapture"
    DIGITAL_CREATION = _IPTC + "digitalCreation"
    HUMAN_EDITS = _IPTC + "humanEdits"
    SCREEN_CAPTURE = _IPTC + "screenCapture"
    VIRTUAL_RECORDING = _IPTC + "virtualRecording"
    DATA_DRIVEN_MEDIA = _IPTC + "dataDrivenMedia"
    NEGATIVE_FILM = _IPTC + "negativeFilm"
    POSITIVE_FILM = _IPTC + "positiveFilm"
    PRINT = _IPTC + "print"
    EMPTY = "http://c2pa.org/digitalsourcetype/empty"
    TRAINED_ALGORITHMIC_DATA = "http://c2pa.org/digitalsourcetype/trainedAlgorithmicData"


class Relationship(StrEnum):
    """How an ingredient relates to the new asset (C2PA 2.2 §18.15). The parent is `Recipe.parent`."""

    COMPONENT_OF = "componentOf"  # its pixels are part of the picture
    INPUT_TO = "inputTo"  # a computation (a model) looked at it


class RecipeRefused(AssayError):
    """The recipe would say something that the specification forbids, or nothing at all."""


@dataclass(frozen=True, slots=True)
class SoftwareAgent:
    """The program or model that did something."""

    name: str
    version: str = ""


ASSAY = SoftwareAgent("assay", __version__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One entry of the actions assertion. `parameters` are written under our namespace unless they have a dot."""

    label: str
    source_type: str = ""
    agent: SoftwareAgent | None = None
    description: str = ""
    reason: str = ""
    when: str = ""  # RFC 3339
    parameters: Mapping[str, Any] = field(default_factory=dict)
    ingredients: tuple[int, ...] = ()  # indices into Recipe.components
    redacts: str = ""  # JUMBF URI of the ingredient's assertion that was taken out; only with c2pa.redacted


@dataclass(frozen=True, slots=True)
class Component:
    """An ingredient beside the parent."""

    asset: Asset
    relationship: Relationship = Relationship.COMPONENT_OF
    title: str = ""
    sidecar: bytes | None = field(default=None, repr=False)  # its manifest store, where that stands beside the file


@dataclass(frozen=True, slots=True)
class Assertion:
    """A further assertion, written as it stands."""

    label: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt. Unless `disclosed`, the manifest gets HMAC-SHA256(salt, text) only, and the salt stays in the signing log.

    So nobody can guess a short prompt from the file, and its owner can still prove later what it was.
    """

    text: str = field(repr=False)
    disclosed: bool = False
    salt: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)

    def parameters(self) -> dict[str, str]:
        """The action parameters that state it."""
        if self.disclosed:
            return {"prompt": self.text}
        return {"promptHash": hmac.new(self.salt, self.text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that one manifest is to state. Make it with one of the constructors below.

    `training_mining` maps a use (`cawg.ai_training`, `cawg.ai_generative_training`, `cawg.data_mining` …) to `allowed`,
    `notAllowed` or `constrained`. `thumbnail` is the long edge in pixels, 0 for none, at most 256. `complete` states that
    no action is missing from the list (`allActionsIncluded`); say it only where it is so.
    """

    actions: tuple[Action, ...]
    title: str = ""  # empty: the asset's file name
    parent: Asset | None = None
    parent_sidecar: bytes | None = field(
        default=None, repr=False
    )  # its manifest store, where that stands beside the file
    components: tuple[Component, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    training_mining: Mapping[str, str] = field(default_factory=dict)
    thumbnail: int = 0
    parent_thumbnail: bool = True  # whether the parent gets one of that size, too
    prompt: Prompt | None = None
    complete: bool = False
    generator: SoftwareAgent = ASSAY  # the claim generator: who writes the manifest

    def __post_init__(self) -> None:
        first = self.actions[0].label if self.actions else ""
        if first not in ("c2pa.created", "c2pa.opened"):
            raise RecipeRefused(
                f"the first action must be c2pa.created or c2pa.opened, not {first or 'nothing'}",
                "use Recipe.created(…), Recipe.edited(…) or Recipe.published(…)",
            )
        if any(a.label in ("c2pa.created", "c2pa.opened") for a in self.actions[1:]):
            raise RecipeRefused("only the first action may be c2pa.created or c2pa.opened")
        if first == "c2pa.created" and not self.actions[0].source_type:
            raise RecipeRefused("c2pa.created needs a digital source type", "say how the picture came into being")
        if first == "c2pa.created" and self.parent is not None:
            raise RecipeRefused("what has a parent was opened, not created", "use Recipe.edited(parent, …)")
        if not 0 <= self.thumbnail <= THUMBNAIL_LIMIT:
            raise RecipeRefused(f"a thumbnail has at most {THUMBNAIL_LIMIT} pixels on its long edge")

    @classmethod
    def created(
        cls,
        source_type: str,
        agent: SoftwareAgent,
        *,
        title: str = "",
        parameters: Mapping[str, Any] | None = None,
        prompt: Prompt | None = None,
        inputs: tuple[Component, ...] = (),
        description: str = "",
        when: str = "",
        complete: bool = True,
    ) -> "Recipe":
        """The picture came into being now, in `agent`. `inputs` are pictures that the making looked at or used."""
        action = Action(
            label="c2pa.created",
            source_type=source_type,
            agent=agent,
            description=description,
            when=when,
            parameters=parameters or {},
            ingredients=_related(inputs, Relationship.INPUT_TO),
        )
        placed = _placed(inputs)
        return cls(actions=(action, *placed), title=title, components=inputs, prompt=prompt, complete=complete)

    @classmethod
    def generated(cls, model: SoftwareAgent, **details: Any) -> "Recipe":
        """A trained model made the whole picture. `details` as for `created`."""
        return cls.created(SourceType.TRAINED_ALGORITHMIC_MEDIA, model, **details)

    @classmethod
    def edited(
        cls,
        parent: Asset,
        *,
        agent: SoftwareAgent,
        actions: tuple[Action, ...] = (),
        source_type: str = "",
        title: str = "",
        parameters: Mapping[str, Any] | None = None,
        prompt: Prompt | None = None,
        inputs: tuple[Component, ...] = (),
        description: str = "",
        when: str = "",
        complete: bool = False,
    ) -> "Recipe":
        """`parent` was opened and changed by `agent`: by one `c2pa.edited`, which holds what is stated here, and then by
        `actions`. Where these are given and nothing else is stated, they stand alone."""
        edited = Action(
            label="c2pa.edited",
            source_type=source_type,
            agent=agent,
            description=description,
            when=when,
            parameters=parameters or {},
            ingredients=_related(inputs, Relationship.INPUT_TO),
        )
        stated = source_type or description or when or parameters or prompt or edited.ingredients
        changes = (edited, *actions) if stated or not actions else actions
        opened = Action(label="c2pa.opened", agent=agent)
        return cls(
            actions=(opened, *changes, *_placed(inputs)),
            title=title,
            parent=parent,
            components=inputs,
            prompt=prompt,
            complete=complete,
        )

    @classmethod
    def published(cls, *, title: str = "", description: str = "") -> "Recipe":
        """We pass these bytes on unchanged and vouch for nothing but that: opened, then published."""
        return cls(
            actions=(
                Action(label="c2pa.opened", agent=ASSAY),
                Action(label="c2pa.published", agent=ASSAY, description=description),
            ),
            title=title,
            complete=True,
        )

    def upon(self, asset: Asset, *, has_manifest: bool, sidecar: bytes | None = None) -> "Recipe":
        """The recipe for signing `asset` itself: whatever manifest it carries becomes the parent, never lost.

        A `c2pa.created` upon an asset that is signed already becomes `c2pa.opened` with the same statements; a parent that
        is another file then is an input of the first change.
        """
        recipe = self if self.title else replace(self, title=PurePath(asset.name).name)
        first, *rest = recipe.actions
        if recipe.parent is not None and recipe.parent.sha256 != asset.sha256 and has_manifest:
            position = len(recipe.components)
            earlier = Component(recipe.parent, Relationship.INPUT_TO, sidecar=recipe.parent_sidecar)
            change = rest[0] if rest else Action(label="c2pa.edited", agent=first.agent)
            rest[:1] = [replace(change, ingredients=(*change.ingredients, position))]
            return replace(
                recipe,
                parent=asset,
                parent_sidecar=sidecar,
                components=(*recipe.components, earlier),
                actions=(first, *rest),
            )
        if first.label == "c2pa.created" and has_manifest:
            # Only the parent may be named in `c2pa.opened`; the inputs stay in the manifest as ingredients.
            unplaced = tuple(action for action in rest if action.label != "c2pa.placed")
            opened = replace(first, label="c2pa.opened", ingredients=())
            return replace(recipe, parent=asset, parent_sidecar=sidecar, actions=(opened, *unplaced))
        if first.label == "c2pa.opened" and recipe.parent is None:
            return replace(recipe, parent=asset, parent_sidecar=sidecar)
        return recipe


def _related(inputs: tuple[Component, ...], relationship: Relationship) -> tuple[int, ...]:
    """Places of the inputs of one relationship."""
    return tuple(index for index, part in enumerate(inputs) if part.relationship is relationship)


def _placed(inputs: tuple[Component, ...]) -> tuple[Action, ...]:
    components = _related(inputs, Relationship.COMPONENT_OF)
    return (Action(label="c2pa.placed", agent=ASSAY, ingredients=components),) if components else ()
