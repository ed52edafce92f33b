"""What an audit has already found out, kept in SQLite: the reason why nothing is lost and nothing is done twice.

Rules: a result is keyed by the content's hash (`sha256` here; a sidecar's follows it where one lies beside the file) and by
everything else that could change it (engine, model, trust); it is written in one transaction the moment it is known, so that
a kill at any point loses only work in hand; a ledger that cannot be written is left alone and the audit goes on; the ledger
is never the output.
"""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from assay.provenance.errors import AssayError
from assay.scanning.audit.row import Content

_VERSION = 1
_NOT_RUN = ", not run"
_RACY_SECONDS = 2.0  # a file changed this shortly before it was read may change again within the clock's grain
_TABLES = """
CREATE TABLE IF NOT EXISTS seen (
  name BLOB PRIMARY KEY, fingerprint TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS result (
  sha256 TEXT NOT NULL, engine TEXT NOT NULL, model TEXT NOT NULL, trust TEXT NOT NULL, content TEXT NOT NULL,
  PRIMARY KEY (sha256, engine, model, trust)
) WITHOUT ROWID;
CREATE TEMP TABLE met (sha256 TEXT PRIMARY KEY, name BLOB NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE named (name BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE noted (sha256 TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Version:
    """Everything beside the bytes that a result depends on. `engine`: assay's version and the signals in use; `model`:
    the pixel model, its hash last; `trust`: the lists believed."""

    engine: str
    model: str
    trust: str


class LedgerRefused(AssayError):
    """The ledger cannot be opened, or is no ledger of this version."""


class Ledger:
    """Remembers contents by hash, and hashes by name and fingerprint. Used from one thread; safe between processes."""

    def __init__(self, path: Path | None, version: Version, *, fresh: bool = False) -> None:
        """Open or make the ledger at `path`; None keeps it in memory for this audit only. `fresh` believes nothing of what it
        holds, and replaces it by what is found now. Raises `LedgerRefused`."""
        self.version = version
        self._fresh = fresh
        self._lacking = False  # something was noted that this machine could not examine with the model
        self.warning = ""
        try:
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._base = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=30)
            self._refuse_what_is_no_ledger(path)
            if path is not None:
                path.chmod(0o600)
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
            self._base.execute("PRAGMA temp_store = FILE")  # a hundred million names do not fit into memory
            self._base.executescript(_TABLES)
            self._base.execute(f"PRAGMA user_version = {_VERSION}")
        except (OSError, sqlite3.Error) as error:
            raise LedgerRefused(f"{path}: no usable ledger: {error}", "name another with --ledger") from error

    def _refuse_what_is_no_ledger(self, path: Path | None) -> None:
        """Nothing of a file is touched, not even its permissions, before it is known to be a ledger, or empty."""
        found = self._base.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, _VERSION):
            raise LedgerRefused(f"{path}: a ledger of another version ({found})", "name another with --ledger")
        tables = {name for (name,) in self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables <= {"seen", "result"}:
            raise LedgerRefused(f"{path}: a database, but no ledger", "name another with --ledger")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()

    def hash_of(self, name: str, fingerprint: str) -> tuple[str, int] | None:
        """The sha256 and size of a file that has not changed since it was read."""
        if not fingerprint or self._fresh:
            return None
        for sha256, size in self._read(
            "SELECT sha256, bytes FROM seen WHERE name = ? AND fingerprint = ?", (_key(name), fingerprint)
        ):
            if isinstance(sha256, str) and isinstance(size, int):
                return sha256, size
        return None

    def note_hash(self, name: str, fingerprint: str, *, sha256: str, size: int, modified: float | None) -> None:
        """Remember a file's hash, unless it was changed so recently that its fingerprint proves nothing yet."""
        if fingerprint and (modified is None or modified < time.time() - _RACY_SECONDS):
            self._write("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", (_key(name), fingerprint, sha256, size))

    def find(self, sha256: str) -> Content | None:
        """What is known of a content under this version, or under one whose difference cannot matter for it.

        Trust lists say nothing of a file without a manifest, and no model says anything of one that was never decoded. What was
        found where the model could not run is believed only by an audit that met the same.
        """
        version = self.version
        if self._fresh and not self._read("SELECT 1 FROM noted WHERE sha256 = ?", (sha256,)):
            return None
        rows = self._read(
            "SELECT model, trust, content FROM result WHERE sha256 = ? AND engine = ?", (sha256, version.engine)
        )
        spare: Content | None = None
        for model, trust, text in rows:
            try:
                content = Content.from_json(text)
            except (ValueError, TypeError):  # a damaged page; the file is examined again
                continue
            if (model, trust) == (version.model, version.trust):
                return content
            same_trust = trust == version.trust or content.custody == "no-manifest" or bool(content.error)
            lacking = self._lacking and model == version.model + _NOT_RUN
            same_model = model == version.model or content.width is None or lacking
            if same_trust and same_model:
                spare = content
        return spare

    def note(self, sha256: str, content: Content) -> None:
        """Remember what was found."""
        version, model = self.version, self.version.model
        if content.lacks_pixels:
            self._lacking, model = True, model + _NOT_RUN
        self._write(
            "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?)",
            (sha256, version.engine, model, version.trust, content.to_json()),
        )
        if self._fresh:
            self._write("INSERT OR IGNORE INTO noted VALUES (?)", (sha256,))

    def first_met(self, sha256: str, name: str) -> str:
        """The name under which this audit first met a content: the given one, or an earlier one's."""
        if self._base.execute("INSERT OR IGNORE INTO met VALUES (?, ?)", (sha256, _key(name))).rowcount == 1:
            return name
        found = self._base.execute("SELECT name FROM met WHERE sha256 = ?", (sha256,)).fetchone()
        return bytes(found[0]).decode("utf-8", "surrogateescape")

    def names_first(self, name: str) -> bool:
        """Whether this audit meets a name for the first time; targets may overlap."""
        return self._base.execute("INSERT OR IGNORE INTO named VALUES (?)", (_key(name),)).rowcount == 1

    def _read(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """What is remembered; nothing where the ledger is damaged, for then everything can be found out again."""
        try:
            return self._base.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            self.warning = f"the ledger is damaged ({error}); delete it: this run examined again what it held"
            return []

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        if self.warning:
            return
        try:
            self._base.execute(statement, values)
        except sqlite3.Error as error:  # a full disk must not end the audit: what is found still reaches its outputs
            self.warning = f"the ledger cannot be written any more ({error}); a later run will repeat this work"


def _key(name: str) -> bytes:
    """A name as SQLite can keep it: file names need not be text."""
    return name.encode("utf-8", "surrogateescape")
