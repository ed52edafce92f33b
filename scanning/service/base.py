"""The one SQLite database of a server's state: keys, jobs, uploads in work, decisions.

Rules: what was answered with "accepted" is on disk before the answer goes out; every change is one transaction; the folder is
private; a database of another version is refused and left alone.
"""

import sqlite3
from pathlib import Path

from assay.provenance.errors import AssayError

FILE = "service.sqlite"
_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS key (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL, rate INTEGER NOT NULL,
  made REAL NOT NULL, expires REAL
);
CREATE TABLE IF NOT EXISTS secret (value TEXT PRIMARY KEY, made REAL NOT NULL, expires REAL);
CREATE TABLE IF NOT EXISTS job (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, idempotency TEXT, fingerprint TEXT NOT NULL, options TEXT NOT NULL,
  state TEXT NOT NULL, made REAL NOT NULL, finished REAL, UNIQUE (owner, idempotency)
);
CREATE TABLE IF NOT EXISTS item (
  job TEXT NOT NULL REFERENCES job ON DELETE CASCADE, number INTEGER NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL,
  state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, origin TEXT NOT NULL DEFAULT '', basis TEXT NOT NULL DEFAULT '',
  document BLOB, PRIMARY KEY (job, number)
);
CREATE INDEX IF NOT EXISTS item_waiting ON item (state) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS item_content ON item (sha256);
CREATE TABLE IF NOT EXISTS content (sha256 TEXT PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (
  job TEXT PRIMARY KEY REFERENCES job ON DELETE CASCADE, url TEXT NOT NULL, state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, due REAL, said TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS decision (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, sha256 TEXT NOT NULL, name TEXT NOT NULL, made REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS trail (
  decision TEXT NOT NULL REFERENCES decision ON DELETE CASCADE, number INTEGER NOT NULL, entry TEXT NOT NULL,
  digest TEXT NOT NULL, PRIMARY KEY (decision, number)
);
"""


class StateRefused(AssayError):
    """The state folder or its database cannot be used."""


def connect(folder: Path) -> sqlite3.Connection:
    """Open or make the database in `folder`; usable from one thread at a time. Raises `StateRefused`."""
    path = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        base = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        path.chmod(0o600)
        base.row_factory = sqlite3.Row
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")  # accepted means accepted, though the power fails
        base.execute("PRAGMA foreign_keys = ON")
        base.execute("PRAGMA secure_delete = ON")  # what is deleted is gone from the file too
        found = base.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, _VERSION):
            raise StateRefused(f"{path}: a state of another version ({found})", "name another folder with --state")
        base.executescript(_TABLES)
        base.execute(f"PRAGMA user_version = {_VERSION}")
    except (OSError, sqlite3.Error) as error:
        raise StateRefused(f"{path}: no usable state: {error}", "name another folder with --state") from error
    return base
