"""Jobs: many uploads accepted at once, examined when there is time, remembered until they are fetched or old.

Rules: a job is accepted when it is on disk, whole; an item is claimed for a while and the claim renewed, so that another server
takes it over from one that died; what is found counts once, under the claim that holds; an item that kills servers is given up
after a few attempts; an upload's bytes are deleted when its item is done; what waits is bounded in bytes, of all and of one
caller, and by the disk. Synchronous: called from threads.
"""

import hashlib
import json
import math
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from assay.provenance.errors import AssayError
from assay.scanning.service.admitting import Busy
from assay.scanning.service.base import Base
from assay.scanning.service.receiving import Upload
from assay.scanning.service.tables import delivery, item, now
from assay.scanning.service.tables import job as jobs
from assay.scanning.service.tables import upload as contents

CLAIM_SECONDS = 15.0  # until a claim ends that nobody renews: its server is dead or out of reach
DELIVERY_SECONDS = 60.0  # the same of one attempt to deliver
_ATTEMPTS = 3  # of one item, should the server or its worker die over it
_STRANGE_SECONDS = 3600.0  # after a job was taken in, until what no server understands of it is given up
_OPEN = ("waiting", "running")
_REPORT = 64 * 1024  # bytes that a file may need beside its own: its report, its rows
_RETRY_SECONDS = 30.0
_AT_ONCE = 20  # finished jobs forgotten in one change


class Mismatched(AssayError):
    """The same idempotency key was used for another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked for every file of a job. `webhook`: where to tell that it is finished."""

    thorough: bool = False
    prior: float | None = None
    webhook: str = ""


_OPTIONS = {field.name for field in fields(Options)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file to examine now. `holder`: the token of this claim."""

    job: str
    number: int
    name: str
    sha256: str
    holder: str
    options: Options
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A finished job that somebody waits to hear of. `attempts` were made before this one."""

    job: str
    url: str
    attempts: int


class Jobs:
    """The jobs of one state. `most`: bytes of uploads that may wait; `each`: the same of one caller."""

    def __init__(self, base: Base, *, most: float = math.inf, each: float = math.inf) -> None:
        self._base, self._most, self._each = base, most, each
        if not base.shared:  # nobody else can be at work on what is claimed
            with base.transaction() as change:
                change.execute(update(item).where(item.c.state == "running").values(state="waiting", holder=None))

    def check(self, owner: str, size: int, *, idempotency: str = "") -> None:
        """Raise `Busy` or `NoRoom` where `size` bytes would not be taken in now. A job that is there already needs no room."""
        with self._base.transaction() as reading:
            known = select(jobs.c.id).where(jobs.c.owner == owner, jobs.c.idempotency == idempotency)
            if not reading.execute(known).first():
                self._check(reading, owner, size)

    def _check(self, reading: Connection, owner: str, size: int) -> None:
        own = func.length(contents.c.content) + _REPORT
        files, all_bytes, theirs = reading.execute(
            select(
                func.count(),
                func.coalesce(func.sum(own), 0),
                func.coalesce(func.sum(case((jobs.c.owner == owner, own), else_=0)), 0),
            ).select_from(contents.join(jobs, jobs.c.id == contents.c.job))
        ).one()
        if theirs and theirs + size > self._each:
            raise Busy(
                "too many bytes of yours, or without keys of all callers, wait to be examined already", _RETRY_SECONDS
            )
        if all_bytes and all_bytes + size > self._most:
            raise Busy("too many bytes wait to be examined already", _RETRY_SECONDS)
        self._base.check_room(reading, size + files * _REPORT)

    def accept(
        self, owner: str, uploads: Sequence[Upload], options: Options, *, idempotency: str = ""
    ) -> tuple[str, bool]:
        """Put a job on disk; returns its id and whether it is new. Raises `Mismatched`, `Busy` or `NoRoom`."""
        hashes = [hashlib.sha256(upload.content).hexdigest() for upload in uploads]
        told = json.dumps({"thorough": options.thorough, "prior": options.prior, "webhook": options.webhook})
        names = json.dumps([[upload.name, sha256] for upload, sha256 in zip(uploads, hashes, strict=True)])
        fingerprint = hashlib.sha256(f"{told}{names}".encode()).hexdigest()
        identity = "job_" + secrets.token_urlsafe(18)
        try:
            with self._base.transaction() as change:
                if idempotency and (known := _known(change, owner, idempotency, fingerprint)):
                    return known, False
                self._check(change, owner, sum(len(upload.content) + _REPORT for upload in uploads))
                change.execute(
                    insert(jobs).values(
                        id=identity,
                        owner=owner,
                        idempotency=idempotency or None,
                        fingerprint=fingerprint,
                        options=told,
                        state="waiting",
                        made=now(),
                    )
                )
                for number, (upload, sha256) in enumerate(zip(uploads, hashes, strict=True)):
                    name = json.dumps(upload.name)
                    row = {"job": identity, "number": number}
                    change.execute(insert(item).values(**row, name=name, sha256=sha256, state="waiting"))
                    change.execute(insert(contents).values(**row, content=upload.content))
                if options.webhook:
                    change.execute(insert(delivery).values(job=identity, url=options.webhook, state="waiting"))
        except IntegrityError:  # the same request reached another server at the same moment
            with self._base.transaction() as change:
                if known := _known(change, owner, idempotency, fingerprint):
                    return known, False
            raise
        self._base.empty_log()  # the file grows now that there is room, and not when it is to be deleted from
        return identity, True

    def claim(self) -> Item | None:
        """The oldest item that nobody has in work, now claimed. Items that were tried too often are given up on the way.

        One whose options this version does not know is left, for as long as a claim lasts, to a server of the version that took
        it in; while servers are brought up to date, that is no attempt.
        """
        while True:
            with self._base.transaction() as change:
                lost = (item.c.state == "running") & (item.c.until < now())
                row = change.execute(
                    select(
                        item,
                        jobs.c.options,
                        (jobs.c.made < now() - _STRANGE_SECONDS).label("stale"),
                        contents.c.content,
                    )
                    .join(jobs, jobs.c.id == item.c.job)
                    .outerjoin(contents, (contents.c.job == item.c.job) & (contents.c.number == item.c.number))
                    .where(or_(item.c.state == "waiting", lost))
                    .order_by(item.c.place)
                    .limit(1)
                    .with_for_update(of=item, skip_locked=True)
                ).one_or_none()
                if row is None:
                    return None
                holder = secrets.token_hex(12)
                told = json.loads(row.options)
                strange = ", ".join(sorted(told.keys() - _OPTIONS))
                tried = row.attempts + (not strange)
                change.execute(
                    update(item)
                    .where(item.c.place == row.place)
                    .values(state="running", attempts=tried, holder=holder, until=now() + CLAIM_SECONDS)
                )
            claimed = Item(
                job=row.job,
                number=row.number,
                name=json.loads(row.name),
                sha256=row.sha256,
                holder=holder,
                options=Options(**{name: value for name, value in told.items() if name in _OPTIONS}),
                content=row.content or b"",
            )
            if row.content is None:
                self.fail(claimed, "GivenUp", "its upload was deleted")
            elif row.attempts >= _ATTEMPTS:
                self.fail(claimed, "GivenUp", f"given up after {_ATTEMPTS} attempts")
            elif not strange:
                return claimed
            elif row.stale:
                self.fail(
                    claimed, "GivenUp", f"no server here knows what was asked for ({strange}); ask again without it"
                )

    def renew(self, holders: Collection[str]) -> None:
        """Keep claims alive."""
        with self._base.transaction() as change:
            change.execute(update(item).where(item.c.holder.in_(holders)).values(until=now() + CLAIM_SECONDS))

    def release(self, claimed: Item, *, blameless: bool) -> None:
        """Put an item back; where it is not to blame, the attempt does not count."""
        with self._base.transaction() as change:
            change.execute(
                update(item)
                .where(item.c.holder == claimed.holder)
                .values(state="waiting", attempts=item.c.attempts - int(blameless), holder=None)
            )

    def finish(self, claimed: Item, document: bytes, *, origin: str = "", basis: str = "") -> bool:
        """Keep what was found, unless it was told to be forgotten, or taken over by another server, meanwhile; returns whether."""
        return self._settle(claimed, "done", document, origin, basis)

    def fail(self, claimed: Item, kind: str, message: str) -> None:
        """Keep that an item cannot be examined, and why."""
        document = json.dumps({"error": {"kind": kind, "message": message, "hint": ""}}).encode() + b"\n"
        self._settle(claimed, "failed", document, "", "")

    def _settle(self, claimed: Item, state: str, document: bytes, origin: str, basis: str) -> bool:
        with self._base.transaction(deleting=True) as change:
            # the last two items of a job may end at once: whoever comes second must see the first
            change.execute(select(jobs.c.id).where(jobs.c.id == claimed.job).with_for_update())
            kept = change.execute(
                update(item)
                .where(item.c.holder == claimed.holder)
                .values(state=state, document=document, origin=origin, basis=basis, holder=None, until=None)
            )
            if not kept.rowcount:
                return False
            change.execute(delete(contents).where(contents.c.job == claimed.job, contents.c.number == claimed.number))
            left = select(func.count()).where(item.c.job == claimed.job, item.c.state.in_(_OPEN))
            if not change.execute(left).scalar_one():
                change.execute(update(jobs).where(jobs.c.id == claimed.job).values(state="finished", finished=now()))
                change.execute(update(delivery).where(delivery.c.job == claimed.job).values(state="due", due=now()))
        return True

    def describe(self, job: str, owner: str, *, documents: bool = True) -> dict[str, Any] | None:
        """A job as a document, with what was found of each file; None where the caller has none such."""
        with self._base.transaction() as reading:
            row = reading.execute(select(jobs).where(jobs.c.id == job, jobs.c.owner == owner)).one_or_none()
            if row is None:
                return None
            told = reading.execute(select(delivery).where(delivery.c.job == job)).one_or_none()
            found = reading.execute(select(item).where(item.c.job == job).order_by(item.c.number)).all()
        return {
            "schema": "assay.job/1",
            "id": job,
            "state": row.state,
            "made": row.made,
            "finished": row.finished,
            "files": [_described(each, documents) for each in found],
            "webhook": None
            if told is None
            else {"url": told.url, "state": told.state, "attempts": told.attempts, "said": told.said},
        }

    def owner(self, job: str) -> str | None:
        """Whose job it is; None where it was forgotten."""
        with self._base.transaction() as reading:
            return reading.execute(select(jobs.c.owner).where(jobs.c.id == job)).scalar_one_or_none()

    def document(self, job: str, number: int, owner: str) -> bytes | None:
        """One file's document, byte for byte."""
        with self._base.transaction() as reading:
            return reading.execute(
                select(item.c.document)
                .join(jobs, jobs.c.id == item.c.job)
                .where(item.c.job == job, item.c.number == number, jobs.c.owner == owner)
            ).scalar_one_or_none()

    def delete(self, job: str, owner: str) -> bool:
        """Forget a job and its uploads."""
        self._empty((jobs.c.id == job) & (jobs.c.owner == owner))
        with self._base.transaction(deleting=True) as change:
            return bool(change.execute(delete(jobs).where(jobs.c.id == job, jobs.c.owner == owner)).rowcount)

    def forget(self, sha256: str, owner: str) -> int:
        """Delete an upload's bytes and every document on it; returns in how many places it was."""
        self._empty((item.c.sha256 == sha256) & (jobs.c.owner == owner))
        with self._base.transaction(deleting=True) as change:
            mine = select(jobs.c.id).where(
                jobs.c.owner == owner, jobs.c.id.in_(select(item.c.job).where(item.c.sha256 == sha256))
            )
            held = change.execute(mine.order_by(jobs.c.id).with_for_update()).scalars().all()
            where = (item.c.sha256 == sha256) & item.c.job.in_(held)
            change.execute(
                delete(contents).where(
                    select(item.c.place)
                    .where(where, item.c.job == contents.c.job, item.c.number == contents.c.number)
                    .exists()
                )
            )
            state = case((item.c.state.in_(_OPEN), "waiting"), else_="forgotten")
            gone = {"document": None, "origin": "", "basis": "", "holder": None, "state": state}
            return change.execute(update(item).where(where).values(**gone)).rowcount

    def expire(self, retention: float) -> int:
        """Forget finished jobs older than `retention` seconds, but none that somebody is still to hear of; returns how many."""
        told = ~exists().where(delivery.c.job == jobs.c.id, delivery.c.state == "due")
        gone = 0
        while True:
            with self._base.transaction(deleting=True) as change:
                some = select(jobs.c.id).where(jobs.c.finished < now() - retention, told).limit(_AT_ONCE)
                found = change.execute(delete(jobs).where(jobs.c.id.in_(some))).rowcount
            gone += found
            if found < _AT_ONCE:
                return gone

    def _empty(self, where: ColumnElement[bool]) -> None:
        """Delete uploads from a folder one by one: each goes through the log, and a disk that is nearly full has room for one."""
        if self._base.shared:
            return
        with self._base.transaction() as reading:
            both = (item.c.job == contents.c.job) & (item.c.number == contents.c.number)
            found = reading.execute(
                select(contents.c.job, contents.c.number)
                .join(item, both)
                .join(jobs, jobs.c.id == item.c.job)
                .where(where)
            ).all()
        for row in found:
            with self._base.transaction(deleting=True) as change:
                change.execute(delete(contents).where(contents.c.job == row.job, contents.c.number == row.number))

    def due(self) -> Delivery | None:
        """The delivery that is due longest; nobody else gets it for a while."""
        with self._base.transaction() as change:
            row = change.execute(
                select(delivery)
                .where(delivery.c.state == "due", delivery.c.due <= now())
                .order_by(delivery.c.due)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return None
            change.execute(update(delivery).where(delivery.c.job == row.job).values(due=now() + DELIVERY_SECONDS))
        return Delivery(job=row.job, url=row.url, attempts=row.attempts)

    def delivered(self, told: Delivery, said: str, *, again: float | None) -> None:
        """Note an attempt: `again` seconds until the next, None where it arrived, infinite where it is given up."""
        state = "delivered" if again is None else "due" if again != float("inf") else "given up"
        with self._base.transaction() as change:
            change.execute(
                update(delivery)
                .where(delivery.c.job == told.job, delivery.c.attempts == told.attempts)
                .values(
                    state=state,
                    attempts=told.attempts + 1,
                    due=now() + again if state == "due" and again is not None else None,
                    said=said[:300],
                )
            )

    def counts(self) -> dict[str, int]:
        """Jobs by state."""
        with self._base.transaction() as reading:
            found = reading.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
        return {"waiting": 0, "finished": 0} | {row[0]: row[1] for row in found}


def _known(change: Connection, owner: str, idempotency: str, fingerprint: str) -> str:
    row = change.execute(
        select(jobs.c.id, jobs.c.fingerprint).where(jobs.c.owner == owner, jobs.c.idempotency == idempotency)
    ).one_or_none()
    if row is None:
        return ""
    if row.fingerprint != fingerprint:
        raise Mismatched("this idempotency key was used for another request", "use a new key for a new request")
    return str(row.id)


def _described(row: Row[Any], documents: bool) -> dict[str, Any]:
    said = {
        "number": row.number,
        "name": json.loads(row.name),
        "sha256": row.sha256,
        "state": row.state,
        "origin": row.origin,
        "basis": row.basis,
    }
    if documents:
        said["document"] = json.loads(row.document) if row.document else None
    return said
