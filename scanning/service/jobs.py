"""Jobs: many uploads accepted at once, examined when there is time, remembered until they are fetched or old.

Rules: a job is accepted when it is on disk, whole; an item in work when the server dies is examined again; an item that
kills servers is given up after a few attempts; an upload's bytes are deleted when its last item is done. Synchronous: the
server calls it from one thread of its own.
"""

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.provenance.errors import AssayError
from assay.scanning.service.base import connect
from assay.scanning.service.receiving import Upload

_ATTEMPTS = 3  # of one item, should the server or its worker die over it


class Mismatched(AssayError):
    """The same idempotency key was used for another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked for every file of a job. `webhook`: where to tell that it is finished."""

    deep: bool = False
    prior: float | None = None
    webhook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file to examine now."""

    job: str
    number: int
    name: str
    sha256: str
    options: Options
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A finished job that somebody waits to hear of. `attempts` were made before this one."""

    job: str
    url: str
    attempts: int


class Jobs:
    """The jobs of one state folder. One server at a time."""

    def __init__(self, folder: Path) -> None:
        self._base = connect(folder)
        self._base.execute("UPDATE item SET state = 'waiting' WHERE state = 'running'")

    def close(self) -> None:
        """Let the database go."""
        self._base.close()

    def accept(
        self, owner: str, uploads: Sequence[Upload], options: Options, *, idempotency: str = ""
    ) -> tuple[str, bool]:
        """Put a job on disk; returns its id and whether it is new. Raises `Mismatched`."""
        hashes = [hashlib.sha256(upload.content).hexdigest() for upload in uploads]
        told = json.dumps({"deep": options.deep, "prior": options.prior, "webhook": options.webhook})
        names = json.dumps([[upload.name, sha256] for upload, sha256 in zip(uploads, hashes, strict=True)])
        fingerprint = hashlib.sha256(f"{told}{names}".encode()).hexdigest()
        with self._transaction():
            if idempotency and (known := self._known(owner, idempotency, fingerprint)):
                return known, False
            job = "job_" + secrets.token_urlsafe(18)
            self._base.execute(
                "INSERT INTO job VALUES (?, ?, ?, ?, ?, 'waiting', ?, NULL)",
                (job, owner, idempotency or None, fingerprint, told, time.time()),
            )
            for number, (upload, sha256) in enumerate(zip(uploads, hashes, strict=True)):
                self._base.execute("INSERT OR IGNORE INTO content VALUES (?, ?)", (sha256, upload.content))
                self._base.execute(
                    "INSERT INTO item (job, number, name, sha256, state) VALUES (?, ?, ?, ?, 'waiting')",
                    (job, number, upload.name, sha256),
                )
            if options.webhook:
                self._base.execute(
                    "INSERT INTO delivery (job, url, state) VALUES (?, ?, 'waiting')", (job, options.webhook)
                )
        return job, True

    def _known(self, owner: str, idempotency: str, fingerprint: str) -> str:
        row = self._base.execute(
            "SELECT id, fingerprint FROM job WHERE owner = ? AND idempotency = ?", (owner, idempotency)
        ).fetchone()
        if row is None:
            return ""
        if row["fingerprint"] != fingerprint:
            raise Mismatched("this idempotency key was used for another request", "use a new key for a new request")
        return str(row["id"])

    def claim(self) -> Item | None:
        """The oldest waiting item, now in work. Items that were tried too often are given up on the way."""
        while True:
            with self._transaction():
                row = self._base.execute(
                    "SELECT item.rowid AS place, item.*, job.options, content.bytes FROM item JOIN job ON job.id = item.job "
                    "LEFT JOIN content ON content.sha256 = item.sha256 "
                    "WHERE item.state = 'waiting' ORDER BY item.rowid LIMIT 1"
                ).fetchone()
                if row is None:
                    return None
                if row["attempts"] < _ATTEMPTS and row["bytes"] is not None:
                    self._base.execute(
                        "UPDATE item SET state = 'running', attempts = attempts + 1 WHERE rowid = ?", (row["place"],)
                    )
                    return Item(
                        job=row["job"],
                        number=row["number"],
                        name=row["name"],
                        sha256=row["sha256"],
                        options=Options(**json.loads(row["options"])),
                        content=row["bytes"],
                    )
                why = "its upload was deleted" if row["bytes"] is None else f"given up after {_ATTEMPTS} attempts"
            self.fail(row["job"], row["number"], "GivenUp", why)

    def release(self, item: Item, *, blameless: bool) -> None:
        """Put an item back; where it is not to blame, the attempt does not count."""
        self._base.execute(
            "UPDATE item SET state = 'waiting', attempts = attempts - ? WHERE job = ? AND number = ? AND state = 'running'",
            (blameless, item.job, item.number),
        )

    def finish(self, item: Item, document: bytes, *, origin: str = "", basis: str = "") -> None:
        """Keep what was found, unless it was told to be forgotten meanwhile."""
        self._settle(item.job, item.number, "done", document, origin, basis)

    def fail(self, job: str, number: int, kind: str, message: str) -> None:
        """Keep that an item cannot be examined, and why."""
        document = json.dumps({"error": {"kind": kind, "message": message, "hint": ""}}).encode() + b"\n"
        self._settle(job, number, "failed", document, "", "")

    def _settle(self, job: str, number: int, state: str, document: bytes, origin: str, basis: str) -> None:
        now = time.time()
        with self._transaction():
            self._base.execute(
                "UPDATE item SET state = ?, document = ?, origin = ?, basis = ? WHERE job = ? AND number = ? "
                "AND (state = 'running' OR ? = 'failed' AND state = 'waiting')",
                (state, document, origin, basis, job, number, state),
            )
            self._base.execute(
                "DELETE FROM content WHERE sha256 = (SELECT sha256 FROM item WHERE job = ? AND number = ?) AND NOT EXISTS "
                "(SELECT 1 FROM item WHERE item.sha256 = content.sha256 AND state IN ('waiting', 'running'))",
                (job, number),
            )
            left = self._base.execute(
                "SELECT count(*) FROM item WHERE job = ? AND state IN ('waiting', 'running')", (job,)
            ).fetchone()[0]
            if not left:
                self._base.execute("UPDATE job SET state = 'finished', finished = ? WHERE id = ?", (now, job))
                self._base.execute("UPDATE delivery SET state = 'due', due = ? WHERE job = ?", (now, job))

    def describe(self, job: str, owner: str, *, documents: bool = True) -> dict[str, Any] | None:
        """A job as a document, with what was found of each file; None where the caller has none such."""
        row = self._base.execute("SELECT * FROM job WHERE id = ? AND owner = ?", (job, owner)).fetchone()
        if row is None:
            return None
        told = self._base.execute("SELECT * FROM delivery WHERE job = ?", (job,)).fetchone()
        items = self._base.execute("SELECT * FROM item WHERE job = ? ORDER BY number", (job,)).fetchall()
        return {
            "schema": "assay.job/1",
            "id": job,
            "state": row["state"],
            "made": row["made"],
            "finished": row["finished"],
            "files": [_described(item, documents) for item in items],
            "webhook": None
            if told is None
            else {"url": told["url"], "state": told["state"], "attempts": told["attempts"], "said": told["said"]},
        }

    def owner(self, job: str) -> str:
        """Whose job it is."""
        return str(self._base.execute("SELECT owner FROM job WHERE id = ?", (job,)).fetchone()["owner"])

    def document(self, job: str, number: int, owner: str) -> bytes | None:
        """One file's document, byte for byte."""
        row = self._base.execute(
            "SELECT document FROM item JOIN job ON job.id = item.job WHERE job = ? AND number = ? AND owner = ?",
            (job, number, owner),
        ).fetchone()
        return None if row is None else row["document"]

    def delete(self, job: str, owner: str) -> bool:
        """Forget a job; uploads that nobody else waits for go with it."""
        with self._transaction():
            gone = self._base.execute("DELETE FROM job WHERE id = ? AND owner = ?", (job, owner)).rowcount
            self._sweep()
        return bool(gone)

    def forget(self, sha256: str, owner: str) -> int:
        """Delete an upload's bytes and every document on it; returns in how many places it was."""
        with self._transaction():
            found = self._base.execute(
                "UPDATE item SET document = NULL, origin = '', basis = '', "
                "state = CASE WHEN state IN ('waiting', 'running') THEN 'waiting' ELSE 'forgotten' END "
                "WHERE sha256 = ? AND job IN (SELECT id FROM job WHERE owner = ?)",
                (sha256, owner),
            ).rowcount
            if found:
                self._base.execute("DELETE FROM content WHERE sha256 = ?", (sha256,))
        return found

    def expire(self, retention: float) -> int:
        """Forget finished jobs older than `retention` seconds; returns how many."""
        with self._transaction():
            gone = self._base.execute("DELETE FROM job WHERE finished < ?", (time.time() - retention,)).rowcount
            self._sweep()
        return gone

    def due(self) -> Delivery | None:
        """The delivery that is due longest."""
        row = self._base.execute(
            "SELECT * FROM delivery WHERE state = 'due' AND due <= ? ORDER BY due LIMIT 1", (time.time(),)
        ).fetchone()
        return None if row is None else Delivery(job=row["job"], url=row["url"], attempts=row["attempts"])

    def delivered(self, delivery: Delivery, said: str, *, again: float | None) -> None:
        """Note an attempt: `again` seconds until the next, None where it arrived, infinite where it is given up."""
        state = "delivered" if again is None else "due" if again != float("inf") else "given up"
        self._base.execute(
            "UPDATE delivery SET state = ?, attempts = attempts + 1, due = ?, said = ? WHERE job = ?",
            (state, time.time() + again if state == "due" and again else None, said[:300], delivery.job),
        )

    def counts(self) -> dict[str, int]:
        """Jobs by state."""
        return dict(self._base.execute("SELECT state, count(*) FROM job GROUP BY state").fetchall())

    def _sweep(self) -> None:
        self._base.execute(
            "DELETE FROM content WHERE NOT EXISTS (SELECT 1 FROM item WHERE item.sha256 = content.sha256)"
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")


def _described(item: sqlite3.Row, documents: bool) -> dict[str, Any]:
    said = {name: item[name] for name in ("number", "name", "sha256", "state", "origin", "basis")}
    if documents:
        said["document"] = json.loads(item["document"]) if item["document"] else None
    return said
