"""Recipes say only what their author said, and refuse what the specification forbids."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from signing_assets import actions, active, picture, read

from assay.provenance.signing import (
    Action,
    Component,
    Prompt,
    Recipe,
    RecipeRefused,
    Relationship,
    Signer,
    SoftwareAgent,
    SourceType,
    sign,
)
from assay.provenance.signing.recipe_file import load_recipe, parse_recipe

AGENT = SoftwareAgent("Example Editor", "3")


@pytest.mark.parametrize(
    "arguments",
    [
        {"actions": ()},
        {"actions": (Action(label="c2pa.edited"),)},
        {"actions": (Action(label="c2pa.created"),)},
        {"actions": (Action(label="c2pa.created", source_type="x"), Action(label="c2pa.opened"))},
        {"actions": (Action(label="c2pa.created", source_type="x"),), "parent": picture()},
        {"actions": (Action(label="c2pa.opened"),), "thumbnail": 257},
    ],
)
def test_what_the_specification_forbids_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(RecipeRefused):
        Recipe(**arguments)


def test_an_edit_opens_its_parent_and_keeps_its_manifest(signer: Signer) -> None:
    parent = sign(picture("PNG", "original"), Recipe.created(SourceType.DIGITAL_CAPTURE, AGENT), signer)
    recipe = Recipe.edited(
        parent.asset,
        agent=AGENT,
        source_type=SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA,
        parameters={"mask": 1},
    )
    reading = read(sign(picture("JPEG", "edited"), recipe, signer).asset)
    assert reading.state == "Trusted"
    opened, edited = actions(reading)
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert edited["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert edited["parameters"] == {"io.readthedocs.assay.mask": 1}
    assert active(reading)["ingredients"][0]["active_manifest"] == parent.manifest_label


def test_an_edit_that_arrives_signed_keeps_both_histories(signer: Signer) -> None:
    """A provider signed its output; the user's original is an input of it, and the provider's file the parent."""
    original = sign(picture("PNG", "original"), Recipe.created(SourceType.DIGITAL_CAPTURE, AGENT), signer)
    output = sign(picture("PNG", "output"), Recipe.generated(SoftwareAgent("Provider")), signer)
    ours = sign(output.asset, Recipe.edited(original.asset, agent=AGENT, prompt=Prompt("more sky")), signer)
    reading = read(ours.asset)
    assert reading.state == "Trusted"
    found = {part["active_manifest"]: part["relationship"] for part in active(reading)["ingredients"]}
    assert found == {output.manifest_label: "parentOf", original.manifest_label: "inputTo"}
    assert "io.readthedocs.assay.promptHash" in actions(reading)[1]["parameters"]


def test_a_publication_vouches_for_nothing_but_itself(signer: Signer) -> None:
    reading = read(sign(picture(), Recipe.published(), signer).asset)
    assert [action["action"] for action in actions(reading)] == ["c2pa.opened", "c2pa.published"]
    assert not any("digitalSourceType" in action for action in actions(reading))


def test_the_same_prompt_gives_another_hash_each_time_and_its_salt_opens_it() -> None:
    first, second = Prompt("a cat"), Prompt("a cat")
    assert first.parameters() != second.parameters()
    assert Prompt("a cat", salt=first.salt).parameters() == first.parameters()
    assert "a cat" not in repr(first)


@pytest.mark.parametrize("relationship", list(Relationship))
def test_an_input_keeps_its_manifest(relationship: Relationship, signer: Signer) -> None:
    part = sign(picture("PNG", "part"), Recipe.generated(AGENT), signer)
    recipe = Recipe.edited(picture(), agent=AGENT, inputs=(Component(part.asset, relationship),))
    reading = read(sign(picture("JPEG"), recipe, signer).asset)
    assert reading.state == "Trusted"
    assert part.manifest_label in reading.report["manifests"]


COMPLETE = """
title = "Harbour at night"
source_type = "trainedAlgorithmicMedia"
agent = { name = "example-model", version = "2" }
prompt = "a harbour at night"
disclose_prompt = true
thumbnail = 64
complete = true

[parameters]
seed = 7

[training_mining]
ai_generative_training = "notAllowed"

[[actions]]
label = "c2pa.color_adjustments"
description = "darker"

[[assertions]]
label = "org.example.rights"
content = { licence = "none" }
"""


def test_a_recipe_file_says_all_of_it(signer: Signer, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(COMPLETE)
    manifest = active(read(sign(picture(), load_recipe(path), signer).asset))
    assert manifest["title"] == "Harbour at night"
    assert manifest["thumbnail"]
    contents = {assertion["label"]: assertion["data"] for assertion in manifest["assertions"]}
    created, adjusted = contents["c2pa.actions.v2"]["actions"]
    assert created["softwareAgent"] == {"name": "example-model", "version": "2"}
    assert created["parameters"] == {
        "io.readthedocs.assay.seed": 7,
        "io.readthedocs.assay.prompt": "a harbour at night",
    }
    assert adjusted["description"] == "darker"
    assert contents["c2pa.actions.v2"]["allActionsIncluded"] is True
    assert contents["cawg.training-mining"]["entries"] == {"cawg.ai_generative_training": {"use": "notAllowed"}}
    assert contents["org.example.rights"] == {"licence": "none"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"sourcetype": "x"}, "unknown keys: sourcetype"),
        ({"kind": "found"}, "kind = 'found'"),
        ({"source_type": "photo", "agent": "a"}, "source_type = 'photo' is unknown"),
        ({"source_type": "digitalCapture"}, "needs source_type and agent"),
        ({"kind": "edited", "agent": "a"}, "needs its parent"),
        ({"title": 3}, "title must be text"),
        ({"thumbnail": "big"}, "number of pixels"),
        ({"thumbnail": 4000}, "at most 256"),
        ({"training_mining": {"ai_training": "no"}}, "is unknown"),
        ({"actions": [{"label": "c2pa.edited"}]}, "was not changed"),
        ({"source_type": "digitalCapture", "agent": "a", "actions": [{}]}, "needs its label"),
        ({"source_type": "digitalCapture", "agent": {"nome": "a"}}, "unknown keys: nome"),
        ({"assertions": [{"label": "x", "data": {}}]}, "unknown keys: data"),
        ({"actions": 3}, "actions must be a list"),
        ({"complete": "yes"}, "complete must be true or false"),
        ({"prompt": "x", "disclose_prompt": 1}, "disclose_prompt must be true or false"),
        ({"agent": "a"}, "was not changed"),
        ({"source_type": "digitalCapture", "agent": "a", "parameters": {"day": date(2026, 1, 1)}}, "dates as texts"),
        ({"source_type": "digitalCapture", "agent": "a", "parameters": {"x": float("nan")}}, "cannot be stated"),
    ],
)
def test_a_mistaken_recipe_is_refused_in_words(content: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeRefused, match=words):
        parse_recipe(content)


def test_an_edit_states_all_of_its_recipe_beside_further_actions(signer: Signer) -> None:
    content = tomllib.loads(COMPLETE) | {"source_type": "compositeWithTrainedAlgorithmicMedia"}
    reading = read(sign(picture("JPEG"), parse_recipe(content, parent=picture("PNG")), signer).asset)
    opened, edited, adjusted = actions(reading)
    assert [opened["action"], edited["action"], adjusted["action"]] == ["c2pa.opened", "c2pa.edited", "c2pa.color_adjustments"]  # fmt: skip
    assert edited["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert edited["softwareAgent"] == {"name": "example-model", "version": "2"}
    assert edited["parameters"] == {
        "io.readthedocs.assay.seed": 7,
        "io.readthedocs.assay.prompt": "a harbour at night",
    }
    with pytest.raises(RecipeRefused, match="has no parent"):
        parse_recipe({"kind": "published"}, parent=picture())


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("title = ")
    with pytest.raises(RecipeRefused, match=r"recipe\.toml: is no TOML"):
        load_recipe(path)


def test_what_the_sdk_refuses_is_said_with_its_reason(signer: Signer) -> None:
    from assay.provenance.errors import SigningFailed

    placed = Recipe(
        actions=(
            Action(label="c2pa.created", source_type=SourceType.DIGITAL_CREATION),
            Action(label="c2pa.placed", ingredients=(0,)),
        ),
        components=(Component(picture("JPEG"), Relationship.INPUT_TO),),
    )
    with pytest.raises(SigningFailed, match=r"assertion\.action\.ingredientMismatch"):
        sign(picture(), placed, signer)


def test_the_recipe_in_the_documentation_signs(signer: Signer) -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "signing.md"
    content = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    signed = sign(picture(), parse_recipe(tomllib.loads(content)), signer)
    assert active(read(signed.asset))["title"] == "Harbour at night"
    assert b"a harbour at night" not in signed.asset.content
