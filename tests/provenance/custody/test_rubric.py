"""The official asset rubric in our words, beside the official rules where they are at hand."""

import json
import re
from pathlib import Path
from typing import Any

import custody_assets as made
import pytest

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.trust import TrustPolicy

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
C2PA = "http://c2pa.org/digitalsourcetype/"
SIGNER = made.leaf(made.authority())
JPEG = made.encoded(made.picture())


def described(*actions: dict[str, Any], complete: bool = True, own: bool = True) -> dict[str, Any]:
    data: dict[str, Any] = {"actions": list(actions)} | ({"allActionsIncluded": True} if complete else {})
    return {
        "claim_generator_info": [{"name": "t"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": data, "created": own}],
    }


def created(kind: str) -> dict[str, Any]:
    return {"action": "c2pa.created", "digitalSourceType": kind}


def edited(kind: str, action: str = "c2pa.edited") -> dict[str, Any]:
    return {"action": action, "digitalSourceType": kind}


OPENED = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["p1"]}}
CASES: dict[str, tuple[dict[str, Any], tuple[_c2pa.IngredientSource, ...], set[str]]] = {
    "generated": (described(created(IPTC + "trainedAlgorithmicMedia")), (), {"fullyGenAIMedia"}),
    "partly": (described(created(IPTC + "compositeWithTrainedAlgorithmicMedia")), (), {"partlyGenAICreation"}),
    "captured": (described(created(IPTC + "digitalCapture")), (), {"capturedMedia"}),
    "computed": (described(created(IPTC + "computationalCapture")), (), {"capturedMedia"}),
    "stitched": (described(created(IPTC + "compositeCapture")), (), {"capturedMediaStitched"}),
    "composite": (described(created(IPTC + "composite")), (), {"compositionMayContainGenAI"}),
    "drawn": (described(created(IPTC + "digitalCreation")), (), {"nonGenAIDigitalCreation"}),
    "screen": (described(created(IPTC + "screenCapture")), (), {"screenCaptureMayContainGenAI"}),
    "blank": (described(created(C2PA + "empty")), (), {"blankCanvas"}),
    "unsigned parent": (described(OPENED), (made.parent(JPEG),), {"mediaUnknownProvenance"}),
    "incomplete": (
        described(created(IPTC + "digitalCapture"), complete=False),
        (),
        {"capturedMedia", "ambiguousActions"},
    ),
    "not the signer's word": (
        described(created(IPTC + "digitalCapture"), own=False),
        (),
        {"capturedMedia", "ambiguousActions"},
    ),
    "own action": (
        described(created(IPTC + "digitalCapture"), {"action": "org.example.sparkle"}),
        (),
        {"capturedMedia", "ambiguousActions"},
    ),
    "published": (
        described(created(IPTC + "digitalCapture"), {"action": "c2pa.published"}),
        (),
        {"capturedMedia", "nonEditorial"},
    ),
    "filled": (
        described(created(IPTC + "digitalCapture"), edited(IPTC + "trainedAlgorithmicMedia")),
        (),
        {"capturedMedia", "perceptibleGenAI"},
    ),
    "painted over": (
        described(created(IPTC + "digitalCapture"), edited(IPTC + "humanEdits")),
        (),
        {"capturedMedia", "perceptibleNonGenAI"},
    ),
    "pasted": (
        described(created(IPTC + "digitalCapture"), edited(IPTC + "composite")),
        (),
        {"capturedMedia", "perceptibleNonGenAI", "perceptiblePossiblyGenAI"},
    ),
}


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    return {
        name: made.sign(JPEG, description, SIGNER, ingredients=parts).content
        for name, (description, parts, _) in CASES.items()
    }


@pytest.mark.parametrize("name", CASES)
def test_signals_hold_by_name(name: str, contents: dict[str, bytes]) -> None:
    custody = verify(Asset.from_bytes(contents[name]), TrustPolicy())
    assert set(custody.links[-1].rubric) == CASES[name][2]


def test_the_official_rules_agree(contents: dict[str, bytes], shared: Path) -> None:
    """The published json-formula rules, run over the SDK's crJSON, give the same signals for every manifest."""
    rules = official(shared)
    files = [Asset.from_bytes(content) for content in contents.values()]
    for path in sorted((shared / "c2pa").rglob("*.jp*g")):
        files.append(Asset.open(path))
    compared = 0
    for asset in files:
        custody = verify(asset, TrustPolicy())
        if not custody.links:
            continue
        try:
            said = json.loads(_c2pa.crjson(asset, _c2pa.context()))
        except AssayError:
            continue
        for manifest in said["manifests"]:
            link = custody.find(manifest["label"])
            if link is None:
                continue
            theirs = {name for name, holds in rules.items() if holds(manifest)}
            assert set(link.rubric) == theirs, (asset.name, manifest["label"])
            compared += 1
    assert compared > 40


def official(shared: Path) -> dict[str, Any]:
    """The rubric's expressions as JMESPath: its own functions expanded, names and literals spelt as JMESPath spells them."""
    import jmespath
    import yaml
    from jmespath import functions

    class Functions(functions.Functions):
        @functions.signature({"types": ["array", "null"]})
        def _func_count(self, value: list[Any] | None) -> int:
            return len(value or [])

        @functions.signature({"types": ["array", "string", "null"]}, {"types": ["string", "null"]})
        def _func_holds(self, value: Any, part: Any) -> bool:
            return value is not None and part is not None and part in value

        @functions.signature({"types": ["string", "null"]}, {"types": ["string"]})
        def _func_begins(self, value: str | None, start: str) -> bool:
            return value is not None and value.startswith(start)

    head, rules = yaml.safe_load_all(
        (shared / "trust" / "asset-rubrics" / "asset-rubric-signals-local.yml").read_text()
    )
    options = jmespath.Options(custom_functions=Functions())

    def expanded(expression: str) -> str:
        for _ in range(4):
            for name, body in head["expressions"].items():
                pattern = r"(?<!\w)" + re.escape(name) + r"\((?:@(?:,\s*(?P<second>[^()]*))?|)\)"
                expression = re.sub(
                    pattern,
                    lambda found, body=body: (
                        "("
                        + body.replace("$args[0]", "@").replace("$args[1]", found.groupdict().get("second") or "''")
                        + ")"
                    ),
                    expression,
                )
        return expression

    def translated(expression: str) -> str:
        text = expanded(expression).replace("@.", "")
        text = re.sub(r"([=>]) (\d+)", r"\1 `\2`", text)
        text = re.sub(r"(^|[.(])'([^']+)'", r"\1<<\2>>", text)  # json-formula quotes names with ', JMESPath with "
        text = re.sub(r'"([^"]*)"', r"'\1'", text).replace("<<", '"').replace(">>", '"')
        for name, value in head["variables"].items():
            text = text.replace(name, f"`{json.dumps([entry.strip() for entry in value])}`")
        text = text.replace("length(", "count(").replace("contains(", "holds(").replace("startsWith(", "begins(")
        return text.replace("null", "`null`").strip()

    def rule(expression: str) -> Any:
        compiled = jmespath.compile(translated(expression))
        return lambda manifest: bool(compiled.search(manifest, options))

    return {entry["id"].rpartition("_")[2]: rule(entry["expression"]) for entry in rules}
