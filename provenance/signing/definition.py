"""A recipe in the SDK's words: its manifest definition and its ingredients.

Rules: keys of ours get our namespace; nothing is written that is empty; the parent stands first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from assay.provenance.asset import Asset
from assay.provenance.signing.recipe import NAMESPACE, Action, Recipe, SoftwareAgent

_PARENT = "parent"


@dataclass(frozen=True, slots=True)
class Part:
    """An ingredient with the SDK's definition of it, ready to be taken in."""

    asset: Asset
    sidecar: bytes | None = field(repr=False)
    definition: Mapping[str, Any]


def manifest_definition(recipe: Recipe) -> dict[str, Any]:
    """The SDK's manifest definition, without the ingredients (see `parts`)."""
    actions = [_action(recipe, position, action) for position, action in enumerate(recipe.actions)]
    assertions: list[dict[str, Any]] = [
        {
            "label": "c2pa.actions.v2",
            "created": True,  # by this signer; else the SDK lists it as gathered, attributed to nobody (§18.14)
            "data": {"actions": actions} | ({"allActionsIncluded": True} if recipe.complete else {}),
        }
    ]
    if recipe.training_mining:
        entries = {use: {"use": answer} for use, answer in recipe.training_mining.items()}
        assertions.append({"label": "cawg.training-mining", "data": {"entries": entries}})
    assertions += [{"label": extra.label, "data": dict(extra.content)} for extra in recipe.assertions]
    return {
        "claim_generator_info": [_agent(recipe.generator)],
        "title": recipe.title,
        "assertions": assertions,
    } | ({"redactions": redacted} if (redacted := [a.redacts for a in recipe.actions if a.redacts]) else {})


def parts(recipe: Recipe) -> tuple[Part, ...]:
    """Every ingredient with its SDK definition, the parent first."""
    found: list[Part] = []
    if recipe.parent is not None:
        found.append(Part(recipe.parent, recipe.parent_sidecar, _ingredient(recipe.parent, "parentOf", label=_PARENT)))
    for position, part in enumerate(recipe.components):
        definition = _ingredient(part.asset, part.relationship.value, label=f"component{position}", title=part.title)
        found.append(Part(part.asset, part.sidecar, definition))
    return tuple(found)


def _action(recipe: Recipe, position: int, action: Action) -> dict[str, Any]:
    parameters = {_namespaced(key): value for key, value in action.parameters.items()}
    # The prompt belongs to whatever the model did: the creation, or the first change after opening.
    if recipe.prompt is not None and position == min(len(recipe.actions) - 1, int(recipe.parent is not None)):
        parameters |= {_namespaced(key): value for key, value in recipe.prompt.parameters().items()}
    ids = [f"component{i}" for i in action.ingredients]
    if action.label == "c2pa.opened":
        ids.insert(0, _PARENT)
    if ids:
        parameters["ingredientIds"] = ids
    if action.redacts:
        parameters["redacted"] = action.redacts
    entry: dict[str, Any] = {"action": action.label}
    optional = {
        "digitalSourceType": action.source_type,
        "softwareAgent": _agent(action.agent) if action.agent else None,
        "description": action.description,
        "reason": action.reason,
        "when": action.when,
        "parameters": parameters,
    }
    return entry | {key: value for key, value in optional.items() if value}


def _ingredient(asset: Asset, relationship: str, *, label: str, title: str = "") -> dict[str, Any]:
    return {
        "title": title or PurePath(asset.name).name,
        "format": asset.media_type.value,
        "relationship": relationship,
        "label": label,
    }


def _agent(agent: SoftwareAgent) -> dict[str, str]:
    return {"name": agent.name} | ({"version": agent.version} if agent.version else {})


def _namespaced(key: str) -> str:
    return key if "." in key else f"{NAMESPACE}.{key}"
