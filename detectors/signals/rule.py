"""Rules as data: which field, holding what, names which tool. A newsroom adds one in TOML, without code.

Rules: a rule states structure, not only a key's existence; every condition of a rule must hold; every rule names its
source; a broken rule file is an error that says where. Shipped rules lie in `rules/*.toml`, further ones in the folder
that `ASSAY_RULES` names; the format is `rules/schema.json`, explained in docs/signals.md.
"""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from assay.detectors.evidence import Origin
from assay.provenance.disclosure.block import Field
from assay.provenance.errors import AssayError

_SEARCHED = 65_536  # characters of a value that a pattern sees: a long value must not cost minutes
_PARSED = 4 * 1024 * 1024
_KINDS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "number": (int, float),
    "object": dict,
    "list": list,
    "true": bool,
}


class RuleRefused(AssayError):
    """A rule file cannot be used: it does not follow the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonTest:
    """A path into a JSON value ("*.class_type"; * is any key or index) and what must lie there."""

    path: str
    type: str = ""
    matches: re.Pattern[str] | None = None
    unless: Any = None  # a value that must not lie there

    def holds(self, value: Any) -> bool:
        """Whether anything at the path passes."""
        return any(self._passes(found) for found in walk(value, self.path.split(".")))

    def _passes(self, found: Any) -> bool:
        if self.type and (
            not isinstance(found, _KINDS[self.type]) or (self.type == "number" and isinstance(found, bool))
        ):
            return False
        if self.type == "true" and found is not True:
            return False
        if self.matches and not (isinstance(found, str | int | float) and self.matches.search(str(found)[:_SEARCHED])):
            return False
        return self.unless is None or found != self.unless


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What one field must hold. `fields` are full names ("PNG parameters", "EXIF Software"), * stands for anything."""

    fields: tuple[str, ...]
    equals: tuple[str, ...] = ()
    matches: re.Pattern[str] | None = None
    after: str = ""  # the value must begin so; JSON is read behind it
    json: tuple[JsonTest, ...] = ()

    def find(self, fields: "FieldTable", parsed: "JsonCache") -> Field | None:
        """The first field that satisfies this condition."""
        for name in self.fields:
            for field in fields.named(name):
                if self._holds(field, parsed):
                    return field
        return None

    def _holds(self, field: Field, parsed: "JsonCache") -> bool:
        value = field.value.strip()
        if self.after and not value.startswith(self.after):
            return False
        if self.equals and value.casefold() not in self.equals:
            return False
        if self.matches and not self.matches.search(value[:_SEARCHED]):
            return False
        if not self.json:
            return True
        document = parsed.get(value[len(self.after) :])
        return document is not None and all(test.holds(document) for test in self.json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Something drawn out of the first condition's value: by a pattern's first group, or by a JSON path."""

    name: str
    pattern: re.Pattern[str] | None = None
    json: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `signal` is the signal that it belongs to; `meaning` completes "… says that the image was …"."""

    id: str
    signal: str
    tool: str
    origin: Origin
    meaning: str
    source: str
    all: tuple[Condition, ...]
    draws: tuple[Draw, ...] = ()
    note: str = ""
    retouching: bool = False  # fills in places of a photograph; the answer then uses narrower words


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that holds, the fields that satisfied it, and what was drawn out."""

    rule: Rule
    fields: tuple[Field, ...]
    drawn: tuple[tuple[str, str], ...] = ()


class FieldTable:
    """The fields that describe the picture itself, by their full names."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self._named: dict[str, list[Field]] = {}
        for field in fields:
            if field.primary:
                self._named.setdefault(field.path, []).append(field)
        self._matched: dict[str, list[Field]] = {}

    def named(self, name: str) -> list[Field]:
        """The fields of a name, in file order; `*` stands for anything."""
        if "*" not in name:
            return self._named.get(name, [])
        if name not in self._matched:
            paths = (path for path in self._named if fnmatchcase(path, name))
            self._matched[name] = [field for path in paths for field in self._named[path]]
        return self._matched[name]


class JsonCache:
    """Values parsed as JSON, each once, up to `_PARSED` characters in all: parsed JSON takes many times its text's memory.

    Nothing that is no object or list counts; nesting is bounded by the parser.
    """

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}
        self._room = _PARSED

    def get(self, text: str) -> Any:
        """The document, or None."""
        if text not in self._known:
            begins = text.lstrip()[:1] in ("{", "[", '"')
            self._room -= len(text) if begins else 0
            self._known[text] = parse_json(text) if begins and self._room >= 0 else None
        return self._known[text]


def parse_json(text: str) -> Any:
    """A JSON object or list; None for anything else. A string that holds JSON is opened once more."""
    text = text.strip().strip("\0")
    for _ in range(2):
        if text[:1] not in ("{", "[", '"'):
            return None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, str):
            return found
        text = found.strip()
    return None


def walk(value: Any, path: list[str]) -> Iterable[Any]:
    """Everything at a path; `*` goes into every value of an object or list."""
    if not path:
        yield value
        return
    head, rest = path[0], path[1:]
    match value:
        case dict() if head == "*":
            for child in value.values():
                yield from walk(child, rest)
        case list() if head == "*":
            for child in value:
                yield from walk(child, rest)
        case dict() if head in value:
            yield from walk(value[head], rest)


def apply(rule: Rule, fields: FieldTable, parsed: JsonCache) -> Hit | None:
    """Ask one rule; None where any condition fails."""
    found = []
    for condition in rule.all:
        field = condition.find(fields, parsed)
        if field is None:
            return None
        found.append(field)
    drawn = [(draw.name, value) for draw in rule.draws for value in _drawn(draw, rule.all[0], found[0], parsed)]
    return Hit(rule, tuple(dict.fromkeys(found)), tuple(dict.fromkeys(drawn)))


def _drawn(draw: Draw, condition: Condition, field: Field, parsed: JsonCache) -> list[str]:
    value = field.value.strip()
    if draw.pattern:
        return [found.group(1).strip() for found in [draw.pattern.search(value[:_SEARCHED])] if found]
    document = parsed.get(value[len(condition.after) :])
    found = (item for item in walk(document, draw.json.split(".")) if isinstance(item, (str, int, float)))
    return list(dict.fromkeys(str(item)[:200] for item in found))[:16]


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
    return Rule(all=conditions, draws=draws, origin=Origin(table.pop("origin")), **table)


def _condition(table: dict[str, Any]) -> Condition:
    tests = tuple(
        JsonTest(path=test["path"], type=test.get("type", ""), matches=_pattern(test), unless=test.get("unless"))
        for test in table.pop("json", ())
    )
    for test in tests:
        if test.type and test.type not in _KINDS:
            raise ValueError(f"unknown type {test.type}")
    pattern = _pattern(table)
    table.pop("matches", None)
    equals = tuple(value.casefold() for value in table.pop("equals", ()))
    return Condition(fields=tuple(table.pop("fields")), equals=equals, matches=pattern, json=tests, **table)


def _pattern(table: dict[str, Any]) -> re.Pattern[str] | None:
    return re.compile(table["matches"]) if table.get("matches") else None
