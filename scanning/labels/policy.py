"""The label policy: ordered rules, the first that holds decides; read from TOML, presets are shipped.

Rules: a rule is told from the report document alone, so that a label can be explained and given again long after; an unknown
key or value is an error, for a misspelt rule that silently never holds is worse than none; the last rule must always hold.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any

from assay.detectors.evidence import Basis, Origin
from assay.detectors.signals import REGISTRY
from assay.detectors.source_types import SOURCE_TYPES
from assay.provenance.custody.chain import BottomLine
from assay.provenance.errors import AssayError

SCHEMA = "assay.label-policy/1"
PRESETS = ("eu-ai-act-50", "iptc-ai-info")
_BASES = tuple(basis.word for basis in Basis)
_SIGNALS = tuple(entry.name for entry in REGISTRY)


class Label(StrEnum):
    """What a platform may do with an image."""

    CREATED = "created"  # shown as generated
    COMPOSITE = "composite"  # shown as in part generated
    MINOR_EDIT = "minor-edit"  # retouched with a tool that uses AI; nothing that deceives
    NONE = "none"
    REVIEW = "review"  # a person decides


class PolicyRefused(AssayError):
    """A label policy that cannot be read, or says something that assay does not understand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; a condition that is empty or None holds for everything.

    `basis` is the weakest that counts; `source_types` are terms of which one must be stated; `findings` are codes of which
    one must be there; `signals` of which one must be among the grounds, `only_signals` all that may be; `custody` are bottom lines. `reason` is what the
    uploader is told, `shown` what stands beside the image.
    """

    name: str
    label: Label
    reason: str
    shown: str = ""
    origin: tuple[Origin, ...] = ()
    basis: str = ""
    source_types: tuple[str, ...] = ()
    without_source_types: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    only_signals: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    custody: tuple[BottomLine, ...] = ()
    contested: bool | None = None
    examined: bool | None = None

    def holds(self, facts: "Facts") -> bool:
        """Whether every condition holds."""
        return (
            (self.examined is None or self.examined is facts.examined)
            and (not self.origin or facts.origin in self.origin)
            and (not self.basis or _BASES.index(facts.basis) >= _BASES.index(self.basis))
            and (not self.source_types or bool(facts.source_types & set(self.source_types)))
            and not facts.source_types & set(self.without_source_types)
            and (not self.signals or bool(facts.grounds & set(self.signals)))
            and (not self.only_signals or (bool(facts.grounds) and facts.grounds <= set(self.only_signals)))
            and (not self.findings or bool(facts.findings & set(self.findings)))
            and (not self.custody or facts.custody in self.custody)
            and (self.contested is None or self.contested is facts.contested)
        )

    @property
    def always(self) -> bool:
        """Whether nothing is asked."""
        return self == Rule(name=self.name, label=self.label, reason=self.reason, shown=self.shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a rule can ask of a report document."""

    examined: bool
    origin: Origin = Origin.UNDETERMINED
    basis: str = "none"
    source_types: frozenset[str] = frozenset()
    grounds: frozenset[str] = frozenset()
    findings: frozenset[str] = frozenset()
    custody: str = ""
    contested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPolicy:
    """A policy file's content. `sha256` is the file's, so that a decision names exactly what decided."""

    name: str
    title: str
    version: str
    appeal: str
    rules: tuple[Rule, ...] = field(repr=False)
    sha256: str

    def rule_for(self, facts: Facts) -> Rule:
        """The first rule that holds; the last one always does."""
        return next(rule for rule in self.rules if rule.holds(facts))


def read_label_policy(name: str | Path) -> LabelPolicy:
    """A preset by its name, or a TOML file. Raises `PolicyRefused`."""
    path = Path(name)
    try:
        if str(name) in PRESETS:
            content = (files("assay") / "scanning" / "labels" / "presets" / f"{name}.toml").read_bytes()
        else:
            content = path.read_bytes()
        told = tomllib.loads(content.decode())
    except OSError as error:
        known = ", ".join(PRESETS)
        raise PolicyRefused(f"{name}: no such label policy: {error.strerror}", f"presets are {known}") from error
    except ValueError as error:
        raise PolicyRefused(f"{name}: is no TOML: {error}", "see docs/labels.md") from error
    return _policy(str(name), told, hashlib.sha256(content).hexdigest())


def _policy(place: str, told: Mapping[str, Any], sha256: str) -> LabelPolicy:
    _known(place, told, {"schema", "name", "title", "version", "appeal", "rule"})
    if told.get("schema") != SCHEMA:
        raise PolicyRefused(f"{place}: its schema is not {SCHEMA}", "see docs/labels.md")
    rules = told.get("rule", [])
    if not isinstance(rules, list) or not rules:
        raise PolicyRefused(f"{place}: it has no rules", "write at least one [[rule]]")
    made = tuple(_rule(place, number, rule) for number, rule in enumerate(rules, 1))
    if not made[-1].always:
        raise PolicyRefused(f"{place}: its last rule has conditions", "end with a rule that always holds")
    for rule in made[:-1]:
        if rule.always:
            raise PolicyRefused(
                f"{place}: nothing comes after rule “{rule.name}”", "only the last rule may always hold"
            )
    texts = {key: _text(place, told, key) for key in ("name", "title", "version", "appeal")}
    return LabelPolicy(**texts, rules=made, sha256=sha256)


def _rule(place: str, number: int, told: Mapping[str, Any]) -> Rule:
    where = f"{place}: rule {number}"
    _known(where, told, set(Rule.__dataclass_fields__))
    texts = {key: _text(where, told, key) for key in ("name", "reason")}
    return Rule(
        **texts,
        label=Label(_among(where, told, "label", [each.value for each in Label], needed=True)[0]),
        shown=_text(where, told, "shown", needed=False),
        origin=tuple(Origin(each) for each in _among(where, told, "origin", [each.value for each in Origin])),
        basis=next(iter(_among(where, told, "basis", _BASES)), ""),
        source_types=_among(where, told, "source_types", SOURCE_TYPES),
        without_source_types=_among(where, told, "without_source_types", SOURCE_TYPES),
        signals=_among(where, told, "signals", _SIGNALS),
        only_signals=_among(where, told, "only_signals", _SIGNALS),
        findings=_among(where, told, "findings", None),
        custody=tuple(BottomLine(each) for each in _among(where, told, "custody", [each.value for each in BottomLine])),
        contested=_flag(where, told, "contested"),
        examined=_flag(where, told, "examined"),
    )


def _known(where: str, told: Mapping[str, Any], keys: set[str]) -> None:
    if not isinstance(told, Mapping) or (unknown := sorted(set(told) - keys)):
        said = ", ".join(unknown) if isinstance(told, Mapping) else "no table"
        raise PolicyRefused(f"{where}: unknown: {said}", f"there are {', '.join(sorted(keys))}")


def _text(where: str, told: Mapping[str, Any], key: str, *, needed: bool = True) -> str:
    value = told.get(key, "")
    if not isinstance(value, str) or (needed and not value):
        raise PolicyRefused(f"{where}: {key} must be text", "see docs/labels.md")
    return value


def _among(where: str, told: Mapping[str, Any], key: str, known: Any, *, needed: bool = False) -> tuple[str, ...]:
    """A word or a list of words, each of them known; None knows all."""
    value = told.get(key, [])
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or (needed and not words):
        raise PolicyRefused(f"{where}: {key} must be a word or a list of words", "see docs/labels.md")
    if known is not None and (unknown := [word for word in words if word not in known]):
        raise PolicyRefused(f"{where}: {key}: unknown: {', '.join(unknown)}", f"there are {', '.join(known)}")
    return tuple(words)


def _flag(where: str, told: Mapping[str, Any], key: str) -> bool | None:
    value = told.get(key)
    if value is not None and not isinstance(value, bool):
        raise PolicyRefused(f"{where}: {key} must be true or false", "see docs/labels.md")
    return value
