"""The lock file holds what pyproject.toml asks for, each with hashes, and names no registry."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


def locked() -> dict[str, tuple[Version, str]]:
    """Name, version and the text of each entry of the lock file."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    entries = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)(.*(?:\n[ \t].*)*)", text, re.MULTILINE)
    return {canonicalize_name(name): (Version(version), rest) for name, version, rest in entries}


def asked_for() -> list[Requirement]:
    """What users, tests and lint need: the extras that the lock file is made for, and those that they name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras, waiting, found = set[str](), ["test", "lint"], list(project["dependencies"])
    while waiting:
        extra = waiting.pop()
        if extra in extras:
            continue
        extras.add(extra)
        for line in project["optional-dependencies"][extra]:
            requirement = Requirement(line)
            if requirement.name == project["name"]:
                waiting += requirement.extras
            else:
                found.append(line)
    return [Requirement(line) for line in found]


def test_every_requirement_is_locked_within_its_bounds() -> None:
    entries = locked()
    wanting = [
        str(requirement)
        for requirement in asked_for()
        if canonicalize_name(requirement.name) not in entries
        or entries[canonicalize_name(requirement.name)][0] not in requirement.specifier
    ]
    assert wanting == [], "run `make lock`"


def test_every_entry_has_hashes() -> None:
    entries = locked()
    assert len(entries) > 100
    assert [name for name, (_, rest) in entries.items() if "--hash=sha256:" not in rest] == []


@pytest.mark.parametrize("word", ["--index-url", "--extra-index-url", "--find-links", "http://", "https://"])
def test_no_registry_is_named(word: str) -> None:
    assert word not in (ROOT / "requirements.lock").read_text("utf-8")
