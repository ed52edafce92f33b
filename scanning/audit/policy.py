"""The policy file `assay.toml`: what must be signed, by whom, what must be labelled, what an audit fails on.

Rules: a rule is told from a row alone, so that it can be applied to finished rows; an unknown key is an error, for a
misspelt rule that silently holds is worse than none; a development key, which only its own machine knows, vouches for nothing
unless a rule says so, for a file must pass everywhere or nowhere; patterns are gitignore's, relative to the policy file's
folder. Where links give a file several places, a rule is asked that names one of them, and an exclusion holds that names
them all.
"""

import fnmatch
import os
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.detectors.evidence import DEVELOPMENT, Origin, Severity
from assay.provenance.custody.chain import BottomLine
from assay.provenance.errors import AssayError
from assay.provenance.trust.development import DEVELOPMENT_TITLE
from assay.scanning.audit.row import Row
from assay.scanning.audit.sources import in_archive
from assay.scanning.gate import CONDITIONS

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_HOLDS = tuple(line.value for line in BottomLine if line.holds)
_SIGNED: dict[str, Callable[[Row], bool]] = {  # what a rule may ask of the signature
    "trusted": lambda row: row.custody == BottomLine.TRUSTED.value,  # as `assay verify --require trusted`
    "vouched": lambda row: row.custody in _HOLDS and bool(row.trust_list),
    "valid": lambda row: row.custody in _HOLDS,  # as `assay verify --require valid`
}
_DEVELOPED: dict[str, Callable[[Row], bool]] = {  # whether that rests on a development key (--no-development)
    "trusted": lambda row: f"{Severity.WARNING}:{DEVELOPMENT}" in row.findings,
    "vouched": lambda row: row.trust_list == DEVELOPMENT_TITLE,
}
_AI = (Origin.SYNTHETIC, Origin.COMPOSITE)


class PolicyRefused(AssayError):
    """A policy file that cannot be read or says something that assay does not understand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What files must be. `files`: which (all where empty). `signed`: trusted (a list vouches for every signer, and nothing
    they worked from is unknown), vouched (a list vouches for who signed last) or valid (intact, by anybody). `development`:
    whether this machine's development authority counts as such a list. `by`: shell patterns of the signer's name or
    organisation. `labelled`: what is held to be generated must say so itself. `origin`: allowed origins."""

    name: str
    files: tuple[str, ...] = ()
    signed: str = ""
    development: bool = False
    by: tuple[str, ...] = ()
    labelled: bool = False
    origin: tuple[str, ...] = ()

    def holds(self, row: Row) -> bool:
        """Whether a row satisfies the rule, its files aside. What cannot be read satisfies no demand for a signature."""
        if self.signed and not _SIGNED[self.signed](row):
            return False
        if self.signed in _DEVELOPED and not self.development and _DEVELOPED[self.signed](row):
            return False
        if self.by and not any(_named(pattern, row) for pattern in self.by):
            return False
        if self.labelled and row.origin in _AI and not row.declared:
            return False
        return not self.origin or row.origin is None or row.origin in self.origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy file's content. `root` is its folder."""

    root: Path
    fail_on: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def prunable(self) -> tuple[str, ...]:
        """The exclusions that mean the same in every folder, so that a walk need not enter what they name."""
        if any(pattern.startswith("!") for pattern in self.exclude):
            return ()
        return tuple(pattern for pattern in self.exclude if "/" not in pattern.rstrip("/"))

    def excludes(self, name: str) -> bool:
        """Whether a file is none of this policy's business, wherever it was named."""
        return bool(self.exclude) and all(map(_spec(self.exclude).match_file, self._places(name)))

    def judged(self, row: Row) -> Row:
        """The row with the names of the rules that it breaks."""
        places = self._places(row.name)
        broken = tuple(
            rule.name
            for rule in self.rules
            if (not rule.files or any(map(_spec(rule.files).match_file, places))) and not rule.holds(row)
        )
        return replace(row, breaches=broken)

    def _places(self, name: str) -> tuple[str, ...]:
        """The row's name as patterns see it: relative to the policy file where it lies below, else whole."""
        file, member = in_archive(name)  # the member's name is the archive's own, and `..` in it leads nowhere
        folder, last = os.path.split(file)
        here = os.getcwd()  # noqa: PTH109 - a million times, Path is slow
        if "://" not in file and (below := _below(os.path.join(here, self.root), os.path.join(here, folder))):  # noqa: PTH118
            return tuple(place + last + member for place in below)
        return (name.partition("://")[2] or name.lstrip("/"),)


def read_policy(path: Path) -> Policy:
    """Read `assay.toml`. Raises `PolicyRefused`."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyRefused(f"{path}: cannot be read: {error}", "see docs/audit.md for a policy file") from error
    try:
        return _policy(found, path.parent)
    except (ValueError, TypeError) as error:
        raise PolicyRefused(f"{path}: {error}", "see docs/audit.md for a policy file") from error


def _policy(found: dict[str, Any], root: Path) -> Policy:
    unknown = found.keys() - {"fail-on", "exclude", "rule"}
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}")
    fail_on = _words(found.get("fail-on", []), "fail-on", tuple(CONDITIONS))
    exclude = _patterns(found.get("exclude", []), "exclude")
    tables = found.get("rule", [])
    if not isinstance(tables, list):
        raise TypeError("rules are written [[rule]]")
    return Policy(root=root, fail_on=fail_on, exclude=exclude, rules=tuple(map(_rule, tables)))


def _rule(table: dict[str, Any]) -> Rule:
    known = {column.name for column in fields(Rule)}
    unknown = table.keys() - known
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r} in a rule; known are {', '.join(sorted(known))}")
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError("every rule needs a name")
    rule = Rule(
        name=name,
        files=_patterns(table.get("files", []), "files"),
        signed=table.get("signed", ""),
        development=table.get("development", False),
        by=_words(table.get("by", []), "by"),
        labelled=table.get("labelled", False),
        origin=_words(table.get("origin", []), "origin", tuple(origin.value for origin in Origin)),
    )
    if rule.signed not in ("", *_SIGNED):
        raise ValueError(f"rule {name!r}: signed is one of {', '.join(_SIGNED)}")
    for key in ("labelled", "development"):
        if type(getattr(rule, key)) is not bool:
            raise ValueError(f"rule {name!r}: {key} is true or false")
    if rule.development and rule.signed not in _DEVELOPED:
        raise ValueError(f"rule {name!r}: `development` needs `signed`, trusted or vouched: no other asks who signed")
    if rule.by and rule.signed not in _DEVELOPED:
        raise ValueError(f"rule {name!r}: `by` needs `signed`, trusted or vouched, for anybody can write a name")
    if not (rule.signed or rule.labelled or rule.origin):
        raise ValueError(f"rule {name!r} demands nothing")
    return rule


def _words(found: object, key: str, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise TypeError(f"{key} is a list of words")
    strange = [word for word in found if allowed and word not in allowed]
    if strange:
        raise ValueError(f"{key}: {strange[0]!r} is none of {', '.join(allowed)}")
    return tuple(found)


def _patterns(found: object, key: str) -> tuple[str, ...]:
    words = _words(found, key)
    try:
        _spec(words)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    return words


def _named(pattern: str, row: Row) -> bool:
    return any(fnmatch.fnmatchcase(name.casefold(), pattern.casefold()) for name in (row.signer, row.organisation))


@lru_cache(maxsize=256)
def _spec(patterns: tuple[str, ...]) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(patterns)


@lru_cache(maxsize=1024)
def _below(root: str, folder: str) -> frozenset[str]:
    """A folder's places below another, as it is named and as it really lies: links may stand in either's name, lead to where
    it lies, or lead out."""
    ways = {os.path.abspath(folder)}  # noqa: PTH100 - as it is written
    with suppress(ValueError):  # no folder can be called that
        ways.add(os.path.realpath(folder))
    return frozenset(
        f"{way[len(above) :]}/".lstrip("/")
        for way in ways
        for above in (way, *map(str, Path(way).parents))
        if _same(above, root)
    )


def _same(folder: str, other: str) -> bool:
    try:
        return os.path.samefile(folder, other)  # noqa: PTH121
    except (OSError, ValueError):  # finished rows may be judged where their files are not
        return folder == os.path.abspath(other)  # noqa: PTH100
