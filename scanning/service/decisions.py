"""Label decisions that are kept, and what was said about them since: appeals and reviews, in an order that shows tampering.

Rules: nothing is changed or taken away; each entry carries the digest of all before it; the newest review is the label that
holds. Synchronous: called from the jobs' thread.
"""

import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import Any

from assay.scanning.service.base import connect

_START = "0" * 64


class Decisions:
    """The decisions of one state folder."""

    def __init__(self, folder: Path) -> None:
        self._base = connect(folder)

    def close(self) -> None:
        """Let the database go."""
        self._base.close()

    def keep(self, owner: str, decision: dict[str, Any]) -> str:
        """Keep a decision; returns its id."""
        identity = "dec_" + secrets.token_urlsafe(18)
        asset = decision["asset"]
        self._base.execute("BEGIN IMMEDIATE")
        self._base.execute(
            "INSERT INTO decision VALUES (?, ?, ?, ?, ?)",
            (identity, owner, asset.get("sha256", ""), asset["name"], time.time()),
        )
        self._append(identity, {"kind": "decision", "decision": decision})
        self._base.execute("COMMIT")
        return identity

    def add(self, identity: str, owner: str | None, entry: dict[str, Any]) -> dict[str, Any] | None:
        """Append an appeal or a review; returns the whole trail, None where there is no such decision of the owner's
        (`owner` None: of anybody's)."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            if self.trail(identity, owner) is not None:
                self._append(identity, entry)
        finally:
            self._base.execute("COMMIT")
        return self.trail(identity, owner)

    def trail(self, identity: str, owner: str | None) -> dict[str, Any] | None:
        """A decision, its label now, and everything said about it, oldest first."""
        found = self._base.execute("SELECT * FROM decision WHERE id = ?", (identity,)).fetchone()
        if found is None or owner not in (None, found["owner"]):
            return None
        rows = self._base.execute("SELECT * FROM trail WHERE decision = ? ORDER BY number", (identity,)).fetchall()
        entries = [json.loads(row["entry"]) | {"digest": row["digest"]} for row in rows]
        holding = [entry for entry in entries if entry["kind"] != "appeal"][-1]
        reviewed = holding["kind"] == "review"
        appeals = [number for number, entry in enumerate(entries) if entry["kind"] == "appeal"]
        answered = [number for number, entry in enumerate(entries) if entry["kind"] == "review"]
        return {
            "schema": "assay.label-trail/1",
            "id": identity,
            "label": holding["label"] if reviewed else holding["decision"]["label"],
            "decided_by": holding["by"] if reviewed else "policy",
            "open_appeal": bool(appeals) and (not answered or answered[-1] < appeals[-1]),
            "entries": entries,
        }

    def _append(self, identity: str, entry: dict[str, Any]) -> None:
        last = self._base.execute(
            "SELECT number, digest FROM trail WHERE decision = ? ORDER BY number DESC LIMIT 1", (identity,)
        ).fetchone()
        number, before = (last["number"] + 1, last["digest"]) if last else (0, _START)
        text = json.dumps(entry | {"at": time.time()}, sort_keys=True)
        self._base.execute("INSERT INTO trail VALUES (?, ?, ?, ?)", (identity, number, text, digest(before, text)))


def digest(before: str, entry: str) -> str:
    """The digest of an entry: over the digest before it and the entry's text (JSON with sorted keys, without its digest)."""
    return hashlib.sha256(f"{before}\n{entry}".encode()).hexdigest()
