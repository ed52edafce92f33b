"""API keys: who may call what, how often; kept as hashes, changed by command while the servers run.

Rules: a key is shown once, when it is made; only its SHA-256 is kept (256 random bits need no slow hash); rotation leaves the
old key valid for a while, and jobs and decisions with the new one; a key made anew under a revoked name gets none of them;
where there ever was a key, every examination needs one; requests are judged by what `refresh` read last, and by nothing once
that is too old.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Table, func, insert, or_, select, update

from assay.provenance.errors import AssayError
from assay.scanning.service import tables
from assay.scanning.service.base import Base, StateUnavailable, connect
from assay.scanning.service.tables import now

SCOPES = ("scan", "jobs", "review", "metrics")
REFRESH_SECONDS = 0.5  # between two readings of a server
_STALE_SECONDS = 60.0  # a database that is away must not keep a revoked key alive for longer
_PREFIX = "assay_"


class KeyRefused(AssayError):
    """A key cannot be made or changed as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key without its secret. `owner`: of its jobs and decisions; `rate`: requests a minute, 0 for the server's own limit.

    Times in seconds since 1970.
    """

    id: str
    name: str
    owner: str
    scopes: tuple[str, ...]
    rate: int
    made: float
    expires: float | None


class Keys:
    """The keys of one state."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._by_hash: dict[str, Key] = {}
        self._ever = False
        self._read_at = 0.0
        self.refresh()

    def refresh(self) -> None:
        """Read what counts now. Raises `StateUnavailable`."""
        with self._base.transaction() as reading:
            ever = bool(reading.execute(select(func.count()).select_from(tables.key)).scalar_one())
            rows = reading.execute(select(tables.key.c.id, tables.key.c.hash)).all()
            hashes = {row.id: row.hash for row in rows}
            self._by_hash = {hashes[key.id]: key for key in _all(reading)}
        self._ever, self._read_at = ever, time.monotonic()

    @property
    def fresh(self) -> bool:
        """Whether what was read last may still be gone by."""
        return time.monotonic() - self._read_at < _STALE_SECONDS

    def any(self) -> bool:
        """Whether callers need a key; false only where none was ever made, so that a last revocation opens nothing.

        Raises `StateUnavailable`.
        """
        if not self.fresh:
            raise StateUnavailable("the keys of this server could not be read for a while", "try again")
        return self._ever

    def find(self, secret: str) -> Key | None:
        """The key with this secret, if it counts."""
        return self._by_hash.get(_hash(secret))

    def all(self) -> tuple[Key, ...]:
        """Every key that still counts, oldest first."""
        with self._base.transaction() as reading:
            return _all(reading)

    def add(self, name: str, scopes: tuple[str, ...], *, rate: int = 0) -> str:
        """Make a key; returns its secret, which is nowhere kept. Raises `KeyRefused`."""
        if unknown := set(scopes) - set(SCOPES):
            raise KeyRefused(f"no such scope: {', '.join(sorted(unknown))}", f"there are {', '.join(SCOPES)}")
        with self._changing() as change:
            if any(key.name == name and key.expires is None for key in _all(change)):
                raise KeyRefused(f"there is a key named {name} already", "rotate or revoke it")
            return _made(change, name, scopes, rate, owner=f"key:{secrets.token_hex(12)}")

    def rotate(self, name: str, *, overlap: float) -> str:
        """Make a new secret for a name; the old one counts for `overlap` seconds more. Raises `KeyRefused`."""
        with self._changing() as change:
            found = [key for key in _all(change) if key.name == name and key.expires is None]
            if not found:
                raise KeyRefused(f"there is no key named {name}", "see `assay serve keys list`")
            old = found[-1]
            change.execute(update(tables.key).where(tables.key.c.id == old.id).values(expires=now() + overlap))
            return _made(change, name, old.scopes, old.rate, owner=old.owner)

    def revoke(self, name: str) -> None:
        """End every key of a name at once. Raises `KeyRefused`."""
        with self._changing() as change:
            if not any(key.name == name for key in _all(change)):
                raise KeyRefused(f"there is no key named {name}", "see `assay serve keys list`")
            change.execute(update(tables.key).where(tables.key.c.name == name).values(expires=now()))

    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that webhooks are signed with, newest first; made on first use."""
        table = tables.secret
        with self._changing() as change:
            rows = change.execute(select(table.c.value).where(_counts(table)).order_by(table.c.made.desc()))
            return tuple(rows.scalars()) or (_new_secret(change),)

    def rotate_webhook_secret(self, *, overlap: float) -> str:
        """A new secret; webhooks are signed with the old one too for `overlap` seconds."""
        table = tables.secret
        with self._changing() as change:
            change.execute(update(table).where(table.c.expires.is_(None)).values(expires=now() + overlap))
            return _new_secret(change)

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A transaction that no other change of keys or secrets overlaps."""
        with self._base.transaction() as change:
            change.execute(select(tables.version).with_for_update())
            yield change


@contextmanager
def opened(place: Path | str) -> Iterator[Keys]:
    """The keys at a place, for a command."""
    base = connect(place)
    try:
        yield Keys(base)
    finally:
        base.close()


def _counts(table: Table) -> ColumnElement[bool]:
    return or_(table.c.expires.is_(None), table.c.expires > now())


def _all(reading: Connection) -> tuple[Key, ...]:
    rows = reading.execute(select(tables.key).where(_counts(tables.key)).order_by(tables.key.c.made))
    return tuple(
        Key(
            id=row.id,
            name=row.name,
            owner=row.owner,
            scopes=tuple(row.scopes.split()),
            rate=row.rate,
            made=row.made,
            expires=row.expires,
        )
        for row in rows
    )


def _made(change: Connection, name: str, scopes: tuple[str, ...], rate: int, *, owner: str) -> str:
    secret = _PREFIX + secrets.token_urlsafe(32)
    row = {"id": secrets.token_hex(6), "name": name, "hash": _hash(secret), "scopes": " ".join(scopes), "rate": rate}
    change.execute(insert(tables.key).values(**row, owner=owner, made=now()))
    return secret


def _new_secret(change: Connection) -> str:
    value = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    change.execute(insert(tables.secret).values(value=value, made=now()))
    return value


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
