"""API keys: who may call what, how often; kept as hashes, changed by command while the server runs.

Rules: a key is shown once, when it is made; only its SHA-256 is kept (256 random bits need no slow hash); rotation leaves the
old key valid for a while; where there is any key, every examination needs one.
"""

import hashlib
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from assay.provenance.errors import AssayError
from assay.scanning.service.base import connect

SCOPES = ("scan", "jobs", "review", "metrics")
_FRESH_SECONDS = 1.0  # how long a change by command may take to be noticed
_PREFIX = "assay_"


class KeyRefused(AssayError):
    """A key cannot be made or changed as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key without its secret. `rate`: requests a minute, 0 for the server's own limit. Times in seconds since 1970."""

    id: str
    name: str
    scopes: tuple[str, ...]
    rate: int
    made: float
    expires: float | None


class Keys:
    """The keys of one state folder."""

    def __init__(self, folder: Path) -> None:
        self._base = connect(folder)
        self._read_at = 0.0
        self._by_hash: dict[str, Key] = {}

    def close(self) -> None:
        """Let the database go."""
        self._base.close()

    def all(self) -> tuple[Key, ...]:
        """Every key that still counts, oldest first."""
        rows = self._base.execute(
            "SELECT * FROM key WHERE expires IS NULL OR expires > ? ORDER BY made", (time.time(),)
        )
        return tuple(
            Key(
                id=row["id"],
                name=row["name"],
                scopes=tuple(row["scopes"].split()),
                rate=row["rate"],
                made=row["made"],
                expires=row["expires"],
            )
            for row in rows
        )

    def any(self) -> bool:
        """Whether callers need a key; false only where none was ever made, so that a last revocation opens nothing."""
        return bool(self._base.execute("SELECT EXISTS (SELECT 1 FROM key)").fetchone()[0])

    def find(self, secret: str) -> Key | None:
        """The key with this secret, if it counts."""
        now = time.monotonic()
        if now - self._read_at > _FRESH_SECONDS:
            hashes = dict(self._base.execute("SELECT id, hash FROM key").fetchall())
            self._by_hash = {hashes[key.id]: key for key in self.all()}
            self._read_at = now
        return self._by_hash.get(_hash(secret))

    def add(self, name: str, scopes: tuple[str, ...], *, rate: int = 0) -> str:
        """Make a key; returns its secret, which is nowhere kept. Raises `KeyRefused`."""
        if unknown := set(scopes) - set(SCOPES):
            raise KeyRefused(f"no such scope: {', '.join(sorted(unknown))}", f"there are {', '.join(SCOPES)}")
        if any(key.name == name and key.expires is None for key in self.all()):
            raise KeyRefused(f"there is a key named {name} already", "rotate or revoke it")
        secret = _PREFIX + secrets.token_urlsafe(32)
        self._base.execute(
            "INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, NULL)",
            (secrets.token_hex(6), name, _hash(secret), " ".join(scopes), rate, time.time()),
        )
        return secret

    def rotate(self, name: str, *, overlap: float) -> str:
        """Make a new secret for a name; the old one counts for `overlap` seconds more. Raises `KeyRefused`."""
        old = self._current(name)
        self._base.execute("UPDATE key SET expires = ? WHERE id = ?", (time.time() + overlap, old.id))
        return self.add(name, old.scopes, rate=old.rate)

    def revoke(self, name: str) -> None:
        """End every key of a name at once. Raises `KeyRefused`."""
        if not any(key.name == name for key in self.all()):
            raise KeyRefused(f"there is no key named {name}", "see `assay serve keys list`")
        self._base.execute("UPDATE key SET expires = ? WHERE name = ?", (time.time(), name))

    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that webhooks are signed with, newest first; made on first use."""
        now = time.time()
        rows = self._base.execute(
            "SELECT value FROM secret WHERE expires IS NULL OR expires > ? ORDER BY made DESC", (now,)
        ).fetchall()
        return tuple(row["value"] for row in rows) or (self.rotate_webhook_secret(overlap=0),)

    def rotate_webhook_secret(self, *, overlap: float) -> str:
        """A new secret; webhooks are signed with the old one too for `overlap` seconds."""
        import base64

        value = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        with self._base:
            self._base.execute("UPDATE secret SET expires = ? WHERE expires IS NULL", (time.time() + overlap,))
            self._base.execute("INSERT INTO secret VALUES (?, ?, NULL)", (value, time.time()))
        return value

    def _current(self, name: str) -> Key:
        found = [key for key in self.all() if key.name == name and key.expires is None]
        if not found:
            raise KeyRefused(f"there is no key named {name}", "see `assay serve keys list`")
        return found[-1]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
