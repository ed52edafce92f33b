"""Rows as SARIF 2.1.0, the format in which code hosts show what a scanner found.

Rules: only what deserves attention is a result; results stream, the rules that they name follow them; a message is plain
text in which nothing of a file can become a link; a rule explains itself, and names no address. Source: OASIS SARIF 2.1.0, sections 3.13 to 3.28.
"""

import json
import os
from collections.abc import Iterator
from typing import Any, TextIO
from urllib.parse import quote

from assay import __version__
from assay.provenance.text import plain
from assay.scanning.audit.row import Row, code_of, severity_of
from assay.scanning.audit.sources import STORE_SCHEMES
from assay.scanning.gate import CONDITIONS
from assay.scanning.words import CHANGE_UNDETERMINED, SURE_UNDETERMINED

_LEVELS = {"tampered": "error", "synthetic": "note"}  # of conditions; the others are warnings
_SEVERITIES = {"alarm": "error", "warning": "warning", "note": "note"}
_STATES = {"new": "new", "changed": "updated", "same": "unchanged", "gone": "absent"}


class SarifRows:
    """Writes one run; the file is whole only when finished."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rules: dict[str, dict[str, Any]] = {}
        stream.write(
            '{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"results":['
        )
        self._lead = "\n"

    def write(self, row: Row) -> None:
        """Write the results of one row; most have none."""
        for rule, level, message in _results(row):
            self._rules.setdefault(rule, _rule(rule, level))
            self._stream.write(self._lead + json.dumps(_result(row, rule, level, message), separators=(",", ":")))
            self._lead = ",\n"

    def finish(self, *, complete: bool) -> None:
        """Write the tool, its rules, and whether the run came to its end."""
        driver = {
            "name": "assay",
            "version": __version__,
            "rules": list(self._rules.values()),
        }
        rest = {
            "columnKind": "unicodeCodePoints",
            "tool": {"driver": driver},
            "invocations": [{"executionSuccessful": complete}],
        }
        self._stream.write("\n]," + json.dumps(rest, indent=1)[1:] + "]}\n")


def _results(row: Row) -> Iterator[tuple[str, str, str]]:
    said = row.headline if row.origin is not None else f"cannot be examined: {row.headline}"
    for name in row.conditions:
        message = {"tampered": row.custody_headline, "unreadable": row.undecoded}.get(name) or said
        yield name, _LEVELS.get(name, "warning"), message
    for finding in row.findings:
        code, level = code_of(finding), _SEVERITIES[severity_of(finding)]
        if level != "note" and code not in row.conditions:
            yield code, level, code.replace("-", " ")
    for name in row.breaches:
        yield f"policy/{name}", "error", f"breaks the policy's rule: {name}"


def _rule(rule: str, level: str) -> dict[str, Any]:
    if rule.startswith("policy/"):
        words = f"A rule of the policy file: {rule.removeprefix('policy/')}"
        told = "The policy file of the audit (assay.toml) says what such files must be."
    else:
        words = CONDITIONS[rule][0] if rule in CONDITIONS else rule.replace("-", " ")
        told = "`assay scan FILE` tells what was found, how sure it is and what would change it."
    hindrance = "broken-history" if rule == "tampered" else rule  # the condition holds for a broken history, too
    if hindrance in SURE_UNDETERMINED:
        sure, change = SURE_UNDETERMINED[hindrance], CHANGE_UNDETERMINED[hindrance]
        told = f"How sure: {sure} What would change it: {change} {told}"
    return {
        "id": rule,
        "shortDescription": {"text": _message(words)},
        "help": {"text": _message(told)},
        "defaultConfiguration": {"level": level},
    }


def _result(row: Row, rule: str, level: str, message: str) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": _uri(row.name)}, "region": {"startLine": 1}}
    result: dict[str, Any] = {
        "ruleId": rule,
        "level": level,
        "message": {"text": _message(message)},
        "locations": [{"physicalLocation": place}],
    }
    if row.sha256:
        result["partialFingerprints"] = {"imageSha256/v1": row.sha256}
    if row.change:
        result["baselineState"] = _STATES[row.change]
    return result


def _message(text: str) -> str:
    """Plain text: brackets would make a link (section 3.11.6)."""
    shown = plain(text, limit=1000) or "no message"
    return shown.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _uri(name: str) -> str:
    scheme = next((scheme for scheme in STORE_SCHEMES if name.startswith(scheme)), "")
    path = scheme + quote(os.fsencode(name.removeprefix(scheme)))
    return f"file://{path}" if name.startswith("/") else path
