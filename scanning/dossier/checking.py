"""Checking a dossier later, without a network: its seal, and whether the original is still judged as it was.

Rules: what was found then and what holds now are told apart; a difference is no failure, for lists and certificates age.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from assay.provenance.custody.chain import Answer
from assay.provenance.custody.examining import examine
from assay.provenance.errors import AssayError
from assay.provenance.trust import TrustPolicy
from assay.scanning.dossier.extract import SCHEMA
from assay.scanning.dossier.making import EXTRACT, PAGE
from assay.scanning.dossier.seal import Check, check_seal


def check_dossier(folder: Path, policy: TrustPolicy, *, expected: bytes | None = None) -> tuple[Check, ...]:
    """Ask everything. Raises `UnreadableFile` where the folder is no dossier."""
    return (*check_seal(folder, policy, expected=expected), _pages(folder), _original(folder), _custody(folder, policy))


def holds(checks: tuple[Check, ...]) -> bool:
    """Whether nothing speaks against a dossier. What cannot be known is no objection."""
    return all(check.answer is not Answer.NO for check in checks)


def _extract(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / EXTRACT).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else None


def _pages(folder: Path) -> Check:
    question = "Do the pages name this extract?"
    try:
        digest = hashlib.sha256((folder / EXTRACT).read_bytes()).hexdigest()
        named = digest in (folder / PAGE).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return Check(question, Answer.NO, "the extract or the page cannot be read")
    if named:
        return Check(question, Answer.YES, f"the page names the extract by its sha256 {digest[:16]}…")
    return Check(question, Answer.NO, "the page was made from another extract")


def _original(folder: Path) -> Check:
    question = "Is the image the one that was examined?"
    found = _extract(folder)
    try:
        original = found["original"] if found else {}
        name = str(original["file"])
        content = (folder / Path(name).name).read_bytes()
        same = hashlib.sha256(content).hexdigest() == original["sha256"]
        same &= hashlib.sha512(content).hexdigest() == original["sha512"]
    except (OSError, KeyError, TypeError):
        return Check(question, Answer.NO, "the extract or the original cannot be read")
    if same:
        return Check(question, Answer.YES, f"{name} has both hashes that the extract gives")
    return Check(question, Answer.NO, f"{name} has other hashes than the extract gives")


def _custody(folder: Path, policy: TrustPolicy) -> Check:
    question = "Is its chain of custody judged as it was?"
    try:
        found = _extract(folder) or {}
        then = str(found["report"]["custody"].get("bottom_line", "not to be told"))
        name = Path(str(found["original"]["file"])).name
        now = examine(folder / name, policy).custody.bottom_line.value
    except (AssayError, KeyError, TypeError, AttributeError) as error:
        return Check(question, Answer.UNKNOWN, f"it cannot be verified now: {error}")
    if then == now:
        return Check(question, Answer.YES, f"{now}, then and now")
    return Check(question, Answer.UNKNOWN, f"{then} then, {now} now: lists, clocks or assay itself have changed since")
