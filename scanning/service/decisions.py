"""Label decisions that are kept, and what was said about them since: appeals and reviews, in an order that shows tampering.

Rules: nothing is changed or taken away; each entry carries the digest of all before it; the newest review is the label that
holds. Synchronous: called from threads.
"""

import hashlib
import json
import secrets
import time
from typing import Any

from sqlalchemy import Connection, insert, select

from assay.scanning.service import tables
from assay.scanning.service.base import Base
from assay.scanning.service.tables import decision as decisions
from assay.scanning.service.tables import now

_START = "0" * 64


class Decisions:
    """The decisions of one state."""

    def __init__(self, base: Base) -> None:
        self._base = base

    def keep(self, owner: str, decision: dict[str, Any]) -> str:
        """Keep a decision; returns its id. Raises `NoRoom`."""
        identity = "dec_" + secrets.token_urlsafe(18)
        sha256 = decision["asset"].get("sha256", "")
        with self._base.transaction() as change:
            self._base.check_room(change, 0)
            change.execute(insert(decisions).values(id=identity, owner=owner, sha256=sha256, made=now()))
            _append(change, identity, {"kind": "decision", "decision": decision})
        return identity

    def add(self, identity: str, owner: str | None, entry: dict[str, Any]) -> dict[str, Any] | None:
        """Append an appeal or a review; returns the whole trail, None where there is no such decision of the owner's
        (`owner` None: of anybody's). Raises `NoRoom`."""
        with self._base.transaction() as change:
            change.execute(select(decisions.c.id).where(decisions.c.id == identity).with_for_update())
            if not _is(change, identity, owner):
                return None
            self._base.check_room(change, 0)
            _append(change, identity, entry)
            return _trail(change, identity)

    def trail(self, identity: str, owner: str | None) -> dict[str, Any] | None:
        """A decision, its label now, and everything said about it, oldest first."""
        with self._base.transaction() as reading:
            return _trail(reading, identity) if _is(reading, identity, owner) else None


def _is(reading: Connection, identity: str, owner: str | None) -> bool:
    found = reading.execute(select(decisions.c.owner).where(decisions.c.id == identity)).scalar_one_or_none()
    return found is not None and owner in (None, found)


def _trail(reading: Connection, identity: str) -> dict[str, Any]:
    trail = tables.trail
    rows = reading.execute(select(trail).where(trail.c.decision == identity).order_by(trail.c.number)).all()
    entries = [json.loads(row.entry) | {"digest": row.digest} for row in rows]
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


def _append(change: Connection, identity: str, entry: dict[str, Any]) -> None:
    trail = tables.trail
    last = change.execute(
        select(trail.c.number, trail.c.digest)
        .where(trail.c.decision == identity)
        .order_by(trail.c.number.desc())
        .limit(1)
    ).one_or_none()
    number, before = (last.number + 1, last.digest) if last else (0, _START)
    told = json.dumps(entry | {"at": time.time()}, sort_keys=True)
    change.execute(insert(trail).values(decision=identity, number=number, entry=told, digest=digest(before, told)))


def digest(before: str, entry: str) -> str:
    """The digest of an entry: over the digest before it and the entry's text (JSON with sorted keys, without its digest)."""
    return hashlib.sha256(f"{before}\n{entry}".encode()).hexdigest()
