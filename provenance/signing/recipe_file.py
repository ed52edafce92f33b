"""Recipes written by users, in TOML.

Rules: an unknown or misspelt key is refused, never ignored; what the file does not say is not claimed.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.provenance.asset import Asset
from assay.provenance.errors import UnreadableFile
from assay.provenance.signing.recipe import (
    Action,
    Assertion,
    Prompt,
    Recipe,
    RecipeRefused,
    SoftwareAgent,
    SourceType,
)

_KINDS = ("created", "edited", "published")
_KEYS = {
    *("kind", "title", "source_type", "agent", "description", "when", "parameters", "prompt", "disclose_prompt"),
    *("training_mining", "thumbnail", "complete", "actions", "assertions"),
}
_ACTION_KEYS = {"label", "source_type", "agent", "description", "reason", "when", "parameters"}
_USES = ("allowed", "notAllowed", "constrained")


def load_recipe(path: Path, *, parent: Asset | None = None) -> Recipe:
    """Read a recipe. `parent` is the picture that was edited, for `kind = "edited"`.

    Raises `UnreadableFile` or `RecipeRefused`.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableFile.from_os_error(path, error) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeRefused(f"{path}: is no TOML: {error}") from error
    try:
        return parse_recipe(content, parent=parent)
    except RecipeRefused as error:
        raise RecipeRefused(f"{path}: {error.message}", error.hint) from error


def parse_recipe(content: Mapping[str, Any], *, parent: Asset | None = None) -> Recipe:
    """Turn the content of a recipe file into a recipe. Raises `RecipeRefused`."""
    _known(content, _KEYS, "the recipe")
    kind = content.get("kind", "edited" if parent else "created" if "source_type" in content else "published")
    if kind not in _KINDS:
        raise RecipeRefused(f"kind = {kind!r} is unknown", f"use {', '.join(_KINDS)}")
    if parent is not None and kind != "edited":
        raise RecipeRefused(f"what is {kind} has no parent", "leave out --parent, or kind")
    actions = tuple(_action(entry) for entry in _list(content, "actions"))
    prompt = _text(content, "prompt")
    title, description = _text(content, "title"), _text(content, "description")
    common: dict[str, Any] = {
        "title": title,
        "description": description,
        "when": _text(content, "when"),
        "parameters": _table(content, "parameters"),
        "prompt": Prompt(prompt, disclosed=_flag(content, "disclose_prompt", False)) if prompt else None,
    }
    match kind:
        case "created":
            if "source_type" not in content or "agent" not in content:
                raise RecipeRefused("a created picture needs source_type and agent", 'agent = { name = "…" }')
            recipe = Recipe.created(_source_type(content), _agent(content["agent"]), **common, complete=False)
            recipe = replace(recipe, actions=(*recipe.actions, *actions))
        case "edited":
            if parent is None:
                raise RecipeRefused("an edited picture needs its parent", "name it with --parent")
            if "agent" not in content:
                raise RecipeRefused("an edited picture needs its agent", 'agent = { name = "…" }')
            source_type = _source_type(content) if "source_type" in content else ""
            recipe = Recipe.edited(
                parent, agent=_agent(content["agent"]), source_type=source_type, actions=actions, **common
            )
        case _:
            if actions or prompt or common["parameters"] or {"source_type", "agent", "when"} & content.keys():
                raise RecipeRefused(
                    "a published picture was not changed: it takes no actions, prompt, parameters, source_type, agent or when"
                )
            recipe = Recipe.published(title=title, description=description)
    return replace(
        recipe,
        training_mining=_training_mining(content),
        thumbnail=_thumbnail(content),
        assertions=tuple(_assertion(entry) for entry in _list(content, "assertions")),
        complete=_flag(content, "complete", recipe.complete),
    )


def _action(entry: Any) -> Action:
    _known(entry, _ACTION_KEYS, "an action")
    if not _text(entry, "label"):
        raise RecipeRefused("an action needs its label", 'such as label = "c2pa.color_adjustments"')
    return Action(
        label=entry["label"],
        source_type=_source_type(entry) if "source_type" in entry else "",
        agent=_agent(entry["agent"]) if "agent" in entry else None,
        description=_text(entry, "description"),
        reason=_text(entry, "reason"),
        when=_text(entry, "when"),
        parameters=_table(entry, "parameters"),
    )


def _assertion(entry: Any) -> Assertion:
    _known(entry, {"label", "content"}, "an assertion")
    if not _text(entry, "label"):
        raise RecipeRefused("an assertion needs its label")
    return Assertion(entry["label"], _table(entry, "content"))


def _source_type(content: Mapping[str, Any]) -> str:
    """Accept the vocabulary's short term, or any URI as it stands."""
    given = _text(content, "source_type")
    for known in SourceType:
        if given in (known.value, known.value.rpartition("/")[2]):
            return known.value
    if given.startswith(("http://", "https://")):
        return given
    terms = ", ".join(known.value.rpartition("/")[2] for known in SourceType)
    raise RecipeRefused(f"source_type = {given!r} is unknown", f"use one of {terms}")


def _agent(entry: Any) -> SoftwareAgent:
    if isinstance(entry, str) and entry:
        return SoftwareAgent(entry)
    _known(entry, {"name", "version"}, "an agent")
    if not _text(entry, "name"):
        raise RecipeRefused("an agent needs its name")
    return SoftwareAgent(entry["name"], _text(entry, "version"))


def _training_mining(content: Mapping[str, Any]) -> dict[str, str]:
    table = _table(content, "training_mining")
    for use, answer in table.items():
        if answer not in _USES:
            raise RecipeRefused(f"training_mining: {use} = {answer!r} is unknown", f"use {', '.join(_USES)}")
    return {use if "." in use else f"cawg.{use}": answer for use, answer in table.items()}


def _thumbnail(content: Mapping[str, Any]) -> int:
    edge = content.get("thumbnail", 0)
    if not isinstance(edge, int) or isinstance(edge, bool):
        raise RecipeRefused("thumbnail must be a number of pixels")
    return edge


def _known(content: Any, keys: set[str], what: str) -> None:
    if not isinstance(content, dict):
        raise RecipeRefused(f"{what} must be a table")
    if unknown := sorted(set(content) - keys):
        raise RecipeRefused(f"{what} has unknown keys: {', '.join(unknown)}", f"known: {', '.join(sorted(keys))}")


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key, "")
    if not isinstance(value, str):
        raise RecipeRefused(f"{key} must be text")
    return value


def _table(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key, {})
    if not isinstance(value, dict):
        raise RecipeRefused(f"{key} must be a table")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RecipeRefused(f"{key} holds what cannot be stated: {error}", "write dates as texts") from error
    return value


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    value = content.get(key, [])
    if not isinstance(value, list):
        raise RecipeRefused(f"{key} must be a list", f"write [[{key}]] above each")
    return value


def _flag(content: Mapping[str, Any], key: str, default: bool) -> bool:
    value = content.get(key, default)
    if not isinstance(value, bool):
        raise RecipeRefused(f"{key} must be true or false")
    return value
