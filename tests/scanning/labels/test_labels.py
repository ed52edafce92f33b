"""Label policies: what the presets say of what, and that a misspelt policy is refused."""

import json
from collections import Counter
from itertools import product
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from outcomes import FAILURE, picture, report

from assay.cli import assay
from assay.detectors.evidence import DEVELOPMENT, RETOUCHING, Basis, Evidence, Finding, Origin, Severity, Silence, Trace
from assay.provenance.custody.chain import BottomLine
from assay.scanning.labels.labelling import labelled
from assay.scanning.labels.policy import PRESETS, Facts, Label, PolicyRefused, read_label_policy
from assay.scanning.report.document import document
from assay.scanning.scan import Failure, Report


def said(signal: str, origin: Origin, basis: Basis, *findings: str, traces: tuple[Trace, ...] = ()) -> Evidence:
    notes = tuple(Finding(code, Severity.NOTE, code) for code in findings)
    llr = 2.0 if basis is Basis.INFERRED else None
    return Evidence(
        signal=signal,
        statement=f"{signal} says so.",
        origin=origin,
        basis=basis,
        findings=notes,
        llr=llr,
        traces=traces,
    )


def silent(*findings: str, traces: tuple[Trace, ...] = ()) -> Evidence:
    notes = tuple(Finding(code, Severity.WARNING, code) for code in findings)
    return Evidence.silent("c2pa-manifest", Silence.INCONCLUSIVE, "nothing", findings=notes, traces=traces)


SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs" / "schema" / "label-1.json").read_text())
TYPE = "XMP Iptc4xmpExt:DigitalSourceType"
GENERATED = said("c2pa-manifest", Origin.SYNTHETIC, Basis.PROVED)
DEVELOPED = said("c2pa-manifest", Origin.SYNTHETIC, Basis.PROVED, DEVELOPMENT)
DECLARED = said("declaration-source-type", Origin.SYNTHETIC, Basis.DECLARED)
MARKED = said("watermark", Origin.SYNTHETIC, Basis.MARKED)
PIXELS = said("pixels", Origin.SYNTHETIC, Basis.INFERRED)
RETOUCHED = said("declaration-credit", Origin.COMPOSITE, Basis.DECLARED, RETOUCHING)
EXTENDED = said("c2pa-manifest", Origin.COMPOSITE, Basis.PROVED)
CAPTURED = said("c2pa-manifest", Origin.CAPTURED, Basis.PROVED)
ENHANCED = silent(traces=(Trace(TYPE, "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"),))

RECOVERED = said("recovered-manifest", Origin.SYNTHETIC, Basis.MARKED)

CASES: list[tuple[str, Report | Failure, dict[str, str]]] = [
    ("trusted generator", report(GENERATED), {"iptc-ai-info": "created", "eu-ai-act-50": "created"}),
    ("declared generator", report(DECLARED), {"iptc-ai-info": "created", "eu-ai-act-50": "created"}),
    ("watermark", report(MARKED), {"iptc-ai-info": "created", "eu-ai-act-50": "created"}),
    ("pixels alone", report(PIXELS), {"iptc-ai-info": "review", "eu-ai-act-50": "review"}),
    ("only retouched", report(RETOUCHED), {"iptc-ai-info": "minor-edit", "eu-ai-act-50": "minor-edit"}),
    ("retouched and extended", report(RETOUCHED, EXTENDED), {"iptc-ai-info": "composite", "eu-ai-act-50": "composite"}),
    ("extended", report(EXTENDED), {"iptc-ai-info": "composite", "eu-ai-act-50": "composite"}),
    ("camera", report(CAPTURED), {"iptc-ai-info": "none", "eu-ai-act-50": "none"}),
    ("camera, yet a mark", report(CAPTURED, MARKED), {"iptc-ai-info": "review", "eu-ai-act-50": "review"}),
    ("nothing", report(), {"iptc-ai-info": "none", "eu-ai-act-50": "none"}),
    ("enhanced", report(ENHANCED), {"iptc-ai-info": "minor-edit", "eu-ai-act-50": "none"}),
    ("marks removed", report(silent("removed-provenance")), {"iptc-ai-info": "none", "eu-ai-act-50": "review"}),
    (
        "looks like a copy of several",
        report(silent("originals-disagree")),
        {"iptc-ai-info": "review", "eu-ai-act-50": "review"},
    ),
    (
        "a camera's, and looks like a copy of others",
        report(said("recovered-manifest", Origin.CAPTURED, Basis.MARKED, "originals-disagree")),
        {"iptc-ai-info": "review", "eu-ai-act-50": "review"},
    ),
    (
        "declared, and looks like a copy of several",
        report(DECLARED, silent("originals-disagree")),
        {"iptc-ai-info": "created", "eu-ai-act-50": "created"},
    ),
    ("looks like a copy", report(RECOVERED), {"iptc-ai-info": "review", "eu-ai-act-50": "review"}),
    (
        "looks like a copy, and the pixels",
        report(RECOVERED, PIXELS),
        {"iptc-ai-info": "review", "eu-ai-act-50": "review"},
    ),
    (
        "looks like a copy, and a mark",
        report(RECOVERED, MARKED),
        {"iptc-ai-info": "created", "eu-ai-act-50": "created"},
    ),
    ("declared and pixels", report(DECLARED, PIXELS), {"iptc-ai-info": "created", "eu-ai-act-50": "created"}),
    (
        "unreadable manifest",
        report(bottom_line=BottomLine.UNREADABLE),
        {"iptc-ai-info": "none", "eu-ai-act-50": "review"},
    ),
    (
        "unreadable manifest, yet declared",
        report(DECLARED, bottom_line=BottomLine.UNREADABLE),
        {"iptc-ai-info": "created", "eu-ai-act-50": "created"},
    ),
    (
        "tampered",
        report(DECLARED, bottom_line=BottomLine.TAMPERED),
        {"iptc-ai-info": "review", "eu-ai-act-50": "review"},
    ),
    ("unreadable", FAILURE, {"iptc-ai-info": "review", "eu-ai-act-50": "review"}),
]


@pytest.mark.parametrize(("outcome", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_label_what_they_should(outcome: Report | Failure, expected: dict[str, str], preset: str) -> None:
    told = document(outcome)
    decision = labelled(told, read_label_policy(preset))
    jsonschema.validate(decision, SCHEMA)
    assert decision["label"] == expected[preset]
    assert decision["reason"]
    assert decision["appeal"]
    assert decision["policy"]["name"] == preset
    assert decision == labelled(json.loads(json.dumps(told)), read_label_policy(preset))
    if decision["label"] in ("created", "composite"):
        assert decision["shown"]
        assert decision["rests_on"]["evidence"]


def owed(preset: str, facts: Facts) -> str:
    """What a platform owes, said once more and in another way than by ordered rules."""
    if not facts.examined or facts.contested or facts.custody in ("tampered", "broken-history"):
        return "review"
    if facts.origin in (Origin.SYNTHETIC, Origin.COMPOSITE) and facts.basis != "none":
        stated = facts.basis != "inferred"
        return {Origin.SYNTHETIC: "created", Origin.COMPOSITE: "composite"}[facts.origin] if stated else "review"
    unread = facts.custody == "unreadable" or "removed-provenance" in facts.findings
    return "review" if preset == "eu-ai-act-50" and unread else "none"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_verdict_gets_the_label_that_it_is_owed(preset: str) -> None:
    """Every origin with every basis, bottom line, contradiction and trace of removal."""
    policy = read_label_policy(preset)
    seen: Counter[str] = Counter()
    for origin, basis, line, contested, removed in product(Origin, Basis, BottomLine, (False, True), (False, True)):
        facts = Facts(
            examined=True,
            origin=origin,
            basis=basis.word,
            grounds=frozenset({"c2pa-manifest"}),
            findings=frozenset({"removed-provenance"} if removed else ()),
            custody=line.value,
            contested=contested,
        )
        rule = policy.rule_for(facts)
        told = origin in (Origin.SYNTHETIC, Origin.COMPOSITE) and basis is Basis.NONE  # no such verdict
        assert told or rule.label.value == owed(preset, facts), (facts, rule.name)
        assert bool(rule.shown) == (rule.label in (Label.CREATED, Label.COMPOSITE)), rule.name
        seen[rule.label.value] += 1
    assert set(seen) == {"created", "composite", "none", "review"}
    assert policy.rule_for(Facts(examined=False)).label is Label.REVIEW


@pytest.mark.parametrize("preset", PRESETS)
def test_every_rule_of_a_preset_is_reached(preset: str) -> None:
    policy = read_label_policy(preset)
    reached = {labelled(document(outcome), policy)["rule"] for _, outcome, _ in CASES}
    assert reached == {rule.name for rule in policy.rules}


GOOD = """
schema = "assay.label-policy/1"
name = "own"
title = "Our own"
version = "7"
appeal = "Write to us."
[[rule]]
name = "ai"
origin = ["synthetic", "composite"]
label = "created"
reason = "It is."
[[rule]]
name = "rest"
label = "none"
reason = "It is not."
"""


def test_an_own_policy_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(GOOD)
    policy = read_label_policy(path)
    assert [rule.label for rule in policy.rules] == [Label.CREATED, Label.NONE]
    assert labelled(document(report(PIXELS)), policy)["label"] == "created"


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("policy/1", "policy/2", "schema"),
        ('origin = ["synthetic"', 'origins = ["synthetic"', "unknown: origins"),
        ('"composite"]', '"fake"]', "unknown: fake"),
        ('label = "created"', 'label = "ai"', "unknown: ai"),
        ('label = "created"', "", "label"),
        ('reason = "It is."', "", "reason"),
        ('name = "rest"', 'name = "rest"\nbasis = "proved"', "last rule has conditions"),
        ('origin = ["synthetic", "composite"]', "", "nothing comes after"),
        ('origin = ["synthetic", "composite"]', 'basis = "certain"', "unknown: certain"),
        ('origin = ["synthetic", "composite"]', 'signals = "crystal-ball"', "unknown: crystal-ball"),
        ('origin = ["synthetic", "composite"]', 'contested = "yes"', "true or false"),
        ("[[rule]]", "[rule", "TOML"),
    ],
)
def test_a_policy_that_says_nonsense_is_refused(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(GOOD.replace(before, after))
    with pytest.raises(PolicyRefused, match=complaint):
        read_label_policy(path)


def test_an_unknown_preset_names_the_known() -> None:
    with pytest.raises(PolicyRefused) as refused:
        read_label_policy("no-such-policy")
    assert all(preset in refused.value.hint for preset in PRESETS)


def test_the_command_prints_labels(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(picture())
    run = CliRunner().invoke(assay, ["scan", str(path), "--no-pixels", "--labels", "eu-ai-act-50", "--format", "json"])
    assert run.exit_code == 0
    assert json.loads(run.output)["label"] == "none"
    text = CliRunner().invoke(assay, ["scan", str(path), "--no-pixels", "--labels", "iptc-ai-info"])
    assert text.output.startswith("none")
    (tmp_path / "notes.jpg").write_text("no image")
    several = CliRunner().invoke(
        assay, ["scan", str(tmp_path), "--no-pixels", "--labels", "iptc-ai-info", "--format", "json"]
    )
    assert {json.loads(line)["label"] for line in several.output.splitlines()} == {"none", "review"}  # in a child
    assert CliRunner().invoke(assay, ["scan", str(path), "--labels", "iptc-ai-info", "--format", "html"]).exit_code == 2


OWN = """
schema = "assay.label-policy/1"
name = "proofs"
title = "Only what is proved"
version = "1"
appeal = "Write to us."

[[rule]]
name = "proved"
basis = "proved"
label = "created"
reason = "It is proved."

[[rule]]
name = "marked"
basis = "marked"
label = "review"
reason = "It is marked."

[[rule]]
name = "rest"
label = "none"
reason = "Nothing calls for a label."
"""


@pytest.mark.parametrize(
    ("grounds", "rule", "basis"),
    [
        ((GENERATED,), "proved", "proved"),
        ((DEVELOPED,), "rest", "declared"),
        ((said("recovered-manifest", Origin.SYNTHETIC, Basis.MARKED, DEVELOPMENT),), "rest", "declared"),
        ((DEVELOPED, MARKED), "marked", "marked"),
        ((DEVELOPED, said("generator-stealth", Origin.SYNTHETIC, Basis.PROVED)), "proved", "proved"),
    ],
    ids=["trusted", "development key", "recovered", "and a watermark", "and a publisher's key"],
)
def test_what_a_development_key_vouches_for_counts_as_a_declaration(
    grounds: tuple[Evidence, ...], rule: str, basis: str, tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text(OWN)
    decision = labelled(document(report(*grounds)), read_label_policy(str(tmp_path / "own.toml")))
    assert (decision["rule"], decision["rests_on"]["basis"]) == (rule, basis)
