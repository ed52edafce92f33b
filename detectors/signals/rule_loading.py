"""Reading rules from TOML: the shipped ones in `rules/*.toml`, further ones in the folder that `ASSAY_RULES` names.

Rules: the format is `rules/schema.json`, explained in docs/signals.md; a broken file is refused with its place and reason,
never skipped.
"""

import hashlib
import os
import re
import tomllib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from assay.detectors.evidence import Origin
from assay.detectors.signals.rule import KINDS, Condition, Draw, JsonTest, Rule
from assay.provenance.errors import AssayError


class RuleRefused(AssayError):
    """A rule file cannot be used: it does not follow the schema."""


_QUOTED = re.compile(r"\{(.*?)\}")
RULED = ("declaration-ai-fields", "declaration-credit", "declaration-app", "generator-metadata")


def rules_for(signal: str) -> tuple[Rule, ...]:
    """The shipped rules of one signal, then those of the folder that `ASSAY_RULES` names. Raises `RuleRefused`."""
    return tuple(rule for rule in all_rules(os.environ.get("ASSAY_RULES", "")) if rule.signal == signal)


@lru_cache(maxsize=4)
def all_rules(extra: str = "") -> tuple[Rule, ...]:
    """Every shipped rule, then those of the folder `extra`. Raises `RuleRefused`, also where an id occurs twice."""
    rules: dict[str, Rule] = {}
    for name, text in _texts(extra):
        for rule in parse_rules(text, name=name):
            if rule.id in rules:
                raise RuleRefused(f"{name}: rule {rule.id} exists already", "give it another id")
            rules[rule.id] = rule
    return tuple(rules.values())


def rules_digest() -> str:
    """A hash of every rule in use, for whoever remembers results. Raises `RuleRefused`."""
    texts = _texts(os.environ.get("ASSAY_RULES", ""))
    return hashlib.sha256("\0".join(text for _, text in texts).encode()).hexdigest()[:12]


def _texts(extra: str) -> list[tuple[str, str]]:
    """Name and text of every rule file, shipped ones first."""
    shipped = files("assay") / "detectors" / "signals" / "rules"
    texts = sorted((item.name, item.read_text("utf-8")) for item in shipped.iterdir() if item.name.endswith(".toml"))
    if not extra:
        return texts
    if not Path(extra).is_dir():
        raise RuleRefused(f"{extra}: is no folder of rules", "let ASSAY_RULES name a folder with TOML files")
    try:
        return texts + [(str(path), path.read_text("utf-8")) for path in sorted(Path(extra).glob("*.toml"))]
    except (OSError, UnicodeDecodeError) as error:
        raise RuleRefused(f"{extra}: a rule file cannot be read: {error}", "write it as UTF-8 text") from error


def parse_rules(text: str, *, name: str) -> tuple[Rule, ...]:
    """The rules of one TOML text. Raises `RuleRefused` with the file, the rule and what is wrong."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleRefused(f"{name}: no TOML: {error}", "see docs/signals.md for the format") from error
    found = []
    for number, table in enumerate(document.get("rule", ()), 1):
        try:
            found.append(_rule(table))
        except (TypeError, KeyError, ValueError, AttributeError, re.error) as error:
            what = table.get("id", number) if isinstance(table, dict) else number
            raise RuleRefused(f"{name}: rule {what}: {error}", "see docs/signals.md for the format") from error
    return tuple(found)


def _rule(table: dict[str, Any]) -> Rule:
    conditions = tuple(_condition(entry) for entry in table.pop("all"))
    if not conditions:
        raise ValueError("a rule without conditions would always hold")
    if table["signal"] not in RULED:
        raise ValueError(f"no signal {table['signal']} takes rules; one of {', '.join(RULED)} does")
    if table["origin"] == Origin.CAPTURED:
        raise ValueError("a rule cannot state a capture")
    draws = tuple(
        Draw(name=entry["name"], pattern=_pattern(entry), json=entry.get("json", ""))
        for entry in table.pop("draws", ())
    )
    if missing := set(_QUOTED.findall(table.get("says", ""))) - {draw.name for draw in draws}:
        raise ValueError(f"says quotes {', '.join(sorted(missing))}, which nothing draws")
    return Rule(all=conditions, draws=draws, origin=Origin(table.pop("origin")), **table)


def _condition(table: dict[str, Any]) -> Condition:
    tests = tuple(
        JsonTest(path=test["path"], type=test.get("type", ""), matches=_pattern(test), unless=test.get("unless"))
        for test in table.pop("json", ())
    )
    for test in tests:
        if test.type and test.type not in KINDS:
            raise ValueError(f"unknown type {test.type}")
    pattern = _pattern(table)
    table.pop("matches", None)
    equals = tuple(value.casefold() for value in table.pop("equals", ()))
    return Condition(fields=tuple(table.pop("fields")), equals=equals, matches=pattern, json=tests, **table)


def _pattern(table: dict[str, Any]) -> re.Pattern[str] | None:
    return re.compile(table["matches"]) if table.get("matches") else None
