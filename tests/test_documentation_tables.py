"""The tables of the documentation are those of the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from assay.detectors.signals import REGISTRY

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_tables_are_up_to_date():
    """In a process of its own: click remembers how a command was called before, and its help depends on that."""
    environment = os.environ | {"PYTHONPATH": str(DOCS.parent / ".dev")}
    command = [sys.executable, str(DOCS / "tables.py"), "--check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("entry", REGISTRY, ids=lambda entry: entry.name)
def test_every_signal_has_a_section_with_its_weaknesses(entry):
    text = (DOCS / "signals.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(entry.name)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"docs/signals.md has no section '## {entry.name}'"
    for part in ("Example", "Forging", "False positives"):
        assert f"**{part}" in found[1], f"{entry.name}: no paragraph **{part}**"


def test_every_flaw_of_metadata_is_documented():
    text = (DOCS / "signals.md").read_text("utf-8")
    code = "".join(path.read_text("utf-8") for path in (DOCS.parent / "provenance" / "disclosure").glob("*.py"))
    raised = set(re.findall(r'(?:flaw|_Stop)\(\s*"([a-z-]+)"', code))
    assert len(raised) > 10
    assert raised == set(
        re.findall(r"^\| `([a-z-]+)` \|", text.split("## metadata-structure")[1].split("**False")[0], re.M)
    )


def test_no_page_has_assay_installed_from_an_index():
    """It is on none, and whoever took the name there would be installed."""
    pages = [*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md"), *(DOCS.parent / "benchmarks").glob("*.py")]
    called = re.compile(r"pip install[^`\n]*[ '\"]assay\b(?!/)")
    assert not [f"{page.name}: {found[0]}" for page in pages for found in called.finditer(page.read_text("utf-8"))]


@pytest.mark.parametrize("entry", REGISTRY, ids=lambda entry: entry.name)
def test_a_signal_has_one_name(entry):
    assert entry.make().name == entry.name
    assert entry.section == f"docs/signals.md#{entry.name}"
