"""From the SDK's report to what a manifest says: actions, ingredients, identities, in our nouns.

Rules: every field is the signer's to write, so each is checked for its type and absent ones are empty; nothing is judged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.provenance.custody.chain import Action, Ingredient
from assay.provenance.custody.statuses import recorded_statuses

Node = dict[str, Any]
Assertions = Mapping[str, Sequence[Node]]


def text(value: object) -> str:
    """A string, or nothing."""
    return value if isinstance(value, str) else ""


def mapping(value: object) -> Node:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """An array, or an empty one."""
    return value if isinstance(value, list) else []


def assertions(manifest: Node, *, attributed: bool | None = None) -> Assertions:
    """The contents of its assertions by label, whatever their instance numbers; with `attributed`, only those that its signer
    does or does not answer for. Claims of version 1 answer for all."""
    found: dict[str, list[Node]] = {}
    sorts = manifest.get("claim_version") == 2
    for assertion in map(mapping, sequence(manifest.get("assertions"))):
        if attributed is not None and attributed is not (assertion.get("created") is True or not sorts):
            continue
        label = text(assertion.get("label")).partition("__")[0]
        found.setdefault(label, []).append(mapping(assertion.get("data")))
    return found


def actions(manifest: Node) -> tuple[Action, ...]:
    """Its actions in order, those that its signer answers for first (the SDK reports version 1 under the name of version 2)."""
    found = []
    for attributed in (True, False):
        stated = assertions(manifest, attributed=attributed)
        for label in ("c2pa.actions", "c2pa.actions.v2"):
            for content in stated.get(label, ()):
                agents = sequence(content.get("softwareAgents"))
                entries = map(mapping, sequence(content.get("actions")))
                found += [_action(entry, agents, attributed=attributed) for entry in entries]
    return tuple(found)


def all_actions_included(stated: Assertions) -> bool:
    """Whether an actions assertion says that it is complete (C2PA 2.2 §18.14)."""
    return any(content.get("allActionsIncluded") is True for content in stated.get("c2pa.actions.v2", ()))


def ingredients(manifest: Node) -> tuple[Ingredient, ...]:
    """What it was made from, in order."""
    found = []
    for entry in map(mapping, sequence(manifest.get("ingredients"))):
        found.append(
            Ingredient(
                title=text(entry.get("title")),
                relationship=text(entry.get("relationship")),
                media_type=text(entry.get("format")),
                manifest=text(entry.get("active_manifest")),
                label=text(entry.get("label")),
                recorded=recorded_statuses(entry),
                thumbnail=text(mapping(entry.get("thumbnail")).get("identifier")),
            )
        )
    return tuple(found)


def claim_generator(manifest: Node) -> str:
    """The tool that wrote the claim, as it calls itself."""
    for entry in map(mapping, sequence(manifest.get("claim_generator_info"))):
        if name := text(entry.get("name")):
            return f"{name} {text(entry.get('version'))}".strip()
    return text(manifest.get("claim_generator"))


def claimed_time(actions: tuple[Action, ...]) -> str:
    """When the first action that says so says to have happened; nobody vouches for it."""
    return next((action.when for action in actions if action.when), "")


def permissions(stated: Assertions) -> tuple[str, ...]:
    """What training-and-mining assertions allow, `use: permission` each."""
    found: dict[str, None] = {}
    for label in ("c2pa.training-mining", "cawg.training-mining"):
        for content in stated.get(label, ()):
            for use, entry in mapping(content.get("entries")).items():
                permission = text(mapping(entry).get("use"))
                found[f"{use.removeprefix('c2pa.').removeprefix('cawg.')}: {permission}"] = None
    return tuple(found)


def soft_bindings(stated: Assertions) -> tuple[str, ...]:
    """The algorithms of its soft bindings; their values are not checked here."""
    named = (text(content.get("alg")) for content in stated.get("c2pa.soft-binding", ()))
    return tuple(dict.fromkeys(name for name in named if name))


def _action(entry: Node, agents: list[Any], *, attributed: bool) -> Action:
    agent = entry.get("softwareAgent")
    index = entry.get("softwareAgentIndex")
    if agent is None and isinstance(index, int) and 0 <= index < len(agents):
        agent = agents[index]
    fields = mapping(agent)
    name = f"{text(fields.get('name'))} {text(fields.get('version'))}".strip() if fields else text(agent)
    parameters = mapping(entry.get("parameters"))
    return Action(
        label=text(entry.get("action")),
        digital_source_type=text(entry.get("digitalSourceType")),
        software_agent=name,
        description=text(entry.get("description")) or text(parameters.get("description")),
        when=text(entry.get("when")),
        reason=text(entry.get("reason")),
        attributed=attributed,
    )
