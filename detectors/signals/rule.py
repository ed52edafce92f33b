"""Rules as data: which field, holding what, names which tool. A newsroom adds one in TOML, without code.

Rules: a rule states structure, not only a key's existence; every condition of a rule must hold; every rule names its
source. Nothing here raises on a file's content.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from assay.detectors.evidence import Origin
from assay.provenance.disclosure.block import Field

_SEARCHED = 65_536  # characters of a value that a pattern sees: a long value must not cost minutes
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_PARSED = 4 * 1024 * 1024
KINDS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "number": (int, float),
    "object": dict,
    "list": list,
    "true": bool,
}


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
            not isinstance(found, KINDS[self.type]) or (self.type == "number" and isinstance(found, bool))
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
    """One rule. `signal` is the signal that it belongs to; `meaning` completes "… says that the image was …".

    `says`, where it is there, stands for all behind the field's name; `{name}` in it is what was drawn under that name, quoted.
    """

    id: str
    signal: str
    tool: str
    origin: Origin
    meaning: str
    says: str = ""
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
    """A JSON object or list; None for anything else. A string that holds JSON is opened once more.

    Halves of surrogate pairs, which JSON can write and text cannot hold, become question marks: a report that carried one would
    be refused by whoever reads it strictly.
    """
    text = text.strip().strip("\0")
    for _ in range(2):
        if text[:1] not in ("{", "[", '"'):
            return None
        try:
            found = json.loads(text)
            if _SURROGATE.search(text):
                found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
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
