"""The repository: manifests that were signed or seen here, found again by hash, label or fingerprint. SQLite.

Rules: a record is written in one transaction and never overwritten; several processes may write at once, and one that is
killed leaves nothing half done; what is forgotten is overwritten on disk and leaves every index; nobody else can read it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from assay.provenance.custody.chain import BottomLine
from assay.provenance.errors import AssayError
from assay.provenance.home import home
from assay.provenance.repository.records import MARK, Fingerprint, Keepsake, Record

_VERSION = 1
_WAIT = 30.0  # seconds to wait for another writer
_TABLES = """
CREATE TABLE IF NOT EXISTS record (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kept TEXT NOT NULL, sha256 TEXT NOT NULL, name TEXT NOT NULL,
  media_type TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, manifest TEXT NOT NULL, signer TEXT NOT NULL,
  bottom_line TEXT NOT NULL, thumbnail BLOB NOT NULL, store BLOB NOT NULL, UNIQUE (sha256, manifest)
);
CREATE INDEX IF NOT EXISTS record_manifest ON record (manifest);
CREATE INDEX IF NOT EXISTS record_kept ON record (kept);
CREATE TABLE IF NOT EXISTS fingerprint (
  record INTEGER NOT NULL, algorithm TEXT NOT NULL, region TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (algorithm, region, record)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fingerprint_record ON fingerprint (record);
CREATE INDEX IF NOT EXISTS fingerprint_mark ON fingerprint (value) WHERE region = 'mark';
CREATE TABLE IF NOT EXISTS forgotten (count INTEGER NOT NULL);
INSERT INTO forgotten SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM forgotten);
"""
_FACTS = "id, kept, sha256, name, media_type, width, height, manifest, signer, bottom_line"


class RepositoryRefused(AssayError):
    """The repository cannot be opened or written, or is none of this version."""


def default_path() -> Path:
    """Where this user's repository is: `$ASSAY_REPOSITORY`, else `repository.sqlite` in the state folder. May not exist."""
    if override := os.environ.get("ASSAY_REPOSITORY"):
        return Path(override).expanduser()
    return home() / "repository.sqlite"


class Repository:
    """Keeps manifests and finds them. Used from one thread; safe between processes."""

    def __init__(self, path: Path | None = None, *, reading: bool = False) -> None:
        """Open the repository at `path` (default: this user's), or make it. `reading` changes no file, as a confined process
        must not; what is being written just then may not be seen. Raises `RepositoryRefused`."""
        self.path = path or default_path()
        self.reading = reading
        try:
            if reading:
                self._base = _read_only(self.path)
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, isolation_level=None, timeout=_WAIT)
            self.path.chmod(0o600)  # SQLite gives its side files the same
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.execute("PRAGMA secure_delete = ON")
            found = self._base.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, _VERSION):
                raise RepositoryRefused(f"{self.path}: a repository of another version ({found})")
            if found == 0:
                self._make()
        except (OSError, sqlite3.Error) as error:
            raise RepositoryRefused(
                f"{self.path}: no usable repository: {error}", "name another with --repository"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    @property
    def index_folder(self) -> Path:
        """Where indexes over the fingerprints may be kept; it is emptied whenever something is forgotten."""
        return self.path.with_name(self.path.name + "-index")

    def keep(self, keepsake: Keepsake) -> tuple[Record, bool]:
        """Keep a picture's manifest; what is there already stays as it is. Returns the record, and whether it is new."""
        kept = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._writing():
            added = self._base.execute(
                "INSERT OR IGNORE INTO record (kept, sha256, name, media_type, width, height, manifest, signer, bottom_line,"
                " thumbnail, store) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    kept,
                    keepsake.sha256,
                    _text(keepsake.name),
                    keepsake.media_type,
                    keepsake.width,
                    keepsake.height,
                    _text(keepsake.manifest),
                    _text(keepsake.signer),
                    keepsake.bottom_line.value,
                    keepsake.thumbnail,
                    keepsake.store,
                ),
            )
            new = added.rowcount == 1
            if new:
                self._base.executemany(
                    "INSERT INTO fingerprint VALUES (?, ?, ?, ?)",
                    [(added.lastrowid, one.algorithm, one.region, one.value) for one in keepsake.fingerprints],
                )
            row = self._base.execute(
                f"SELECT {_FACTS} FROM record WHERE sha256 = ? AND manifest = ?",  # noqa: S608
                (keepsake.sha256, _text(keepsake.manifest)),
            ).fetchone()
        return _record(row), new

    def forget(self, sha256: str) -> int:
        """Delete everything kept of the picture with this hash. Returns how many records there were."""
        return self._forget("sha256 = ?", (sha256.lower(),))

    def forget_older(self, age: timedelta) -> int:
        """Delete what was kept longer ago than `age`. Returns how many records there were."""
        before = (datetime.now(UTC) - age).isoformat(timespec="milliseconds")
        return self._forget("kept < ?", (before,))

    def __len__(self) -> int:
        return int(self._one("SELECT count(*) FROM record")[0])

    def records(self) -> Iterator[Record]:
        """All records, oldest first."""
        for row in self._read(f"SELECT {_FACTS} FROM record ORDER BY id"):  # noqa: S608
            yield _record(row)

    def get(self, record_id: int) -> Record | None:
        """The record with this number; None where it was forgotten."""
        row = next(self._read(f"SELECT {_FACTS} FROM record WHERE id = ?", (record_id,)), None)  # noqa: S608
        return _record(row) if row else None

    def by_sha256(self, sha256: str) -> tuple[Record, ...]:
        """What was kept of the very bytes with this hash."""
        rows = self._read(f"SELECT {_FACTS} FROM record WHERE sha256 = ? ORDER BY id", (sha256.lower(),))  # noqa: S608
        return tuple(map(_record, rows))

    def by_manifest(self, label: str) -> tuple[Record, ...]:
        """What was kept under this label of an active manifest."""
        rows = self._read(f"SELECT {_FACTS} FROM record WHERE manifest = ? ORDER BY id", (_text(label),))  # noqa: S608
        return tuple(map(_record, rows))

    def store(self, record: Record) -> bytes:
        """The manifest store of a record. Raises `RepositoryRefused` where it was forgotten meanwhile."""
        return bytes(self._one("SELECT store FROM record WHERE id = ?", (record.id,))[0])

    def thumbnail(self, record: Record) -> bytes:
        """The small JPEG of a record, empty where there is none."""
        return bytes(self._one("SELECT thumbnail FROM record WHERE id = ?", (record.id,))[0])

    def fingerprints(self, record: Record) -> tuple[Fingerprint, ...]:
        """All fingerprints of a record."""
        rows = self._read("SELECT algorithm, region, value FROM fingerprint WHERE record = ?", (record.id,))
        return tuple(Fingerprint(*row) for row in rows)

    def values(self, algorithm: str, region: str, *, after: int = 0) -> Iterator[tuple[int, bytes]]:
        """(record number, value) of every fingerprint of one kind with a number above `after`, in order of number."""
        yield from self._read(
            "SELECT record, value FROM fingerprint WHERE algorithm = ? AND region = ? AND record > ? ORDER BY record",
            (algorithm, region, after),
        )

    def by_mark(self, algorithm: str, payload: bytes) -> tuple[Record, ...]:
        """What was kept of pictures that carry this very payload in their pixels."""
        rows = self._read(
            f"SELECT {_FACTS} FROM record WHERE id IN (SELECT record FROM fingerprint"  # noqa: S608
            f" WHERE region = '{MARK}' AND algorithm = ? AND value = ?) ORDER BY id",
            (algorithm, payload),
        )
        return tuple(map(_record, rows))

    def has_marks(self, algorithm: str) -> bool:
        """Whether any picture is remembered with a mark of this scheme."""
        statement = f"SELECT 1 FROM fingerprint WHERE algorithm = ? AND region = '{MARK}' LIMIT 1"  # noqa: S608
        return next(self._read(statement, (algorithm,)), None) is not None

    @property
    def forgettings(self) -> int:
        """How often something was forgotten: an index made at another count holds what it must not."""
        return int(self._one("SELECT count FROM forgotten")[0])

    def _forget(self, condition: str, values: tuple[Any, ...]) -> int:
        with self._writing():
            ids = [row[0] for row in self._base.execute(f"SELECT id FROM record WHERE {condition}", values)]  # noqa: S608
            for number in ids:
                self._base.execute("DELETE FROM fingerprint WHERE record = ?", (number,))
                self._base.execute("DELETE FROM record WHERE id = ?", (number,))
            if ids:
                self._base.execute("UPDATE forgotten SET count = count + 1")
        if ids:
            self._scrub()
        return len(ids)

    def _scrub(self) -> None:
        """Leave no trace of what was forgotten beside the tables: the write-ahead log and the indexes."""
        try:
            self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            for path in self.index_folder.glob("*"):
                path.unlink(missing_ok=True)
        except (OSError, sqlite3.Error) as error:
            raise RepositoryRefused(f"{self.path}: forgotten, but an index could not be cleaned: {error}") from error

    def _make(self) -> None:
        with self._writing():
            for statement in filter(str.strip, _TABLES.split(";")):
                self._base.execute(statement)
            self._base.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, taken at once so that two writers wait instead of failing."""
        try:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise RepositoryRefused(f"{self.path}: cannot be written: {error}", "check free space") from error

    def _read(self, statement: str, values: tuple[Any, ...] = ()) -> Iterator[Any]:
        try:
            yield from self._base.execute(statement, values)
        except sqlite3.Error as error:
            raise RepositoryRefused(f"{self.path}: cannot be read: {error}") from error

    def _one(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        row = next(self._read(statement, values), None)
        if row is None:
            raise RepositoryRefused(f"{self.path}: the record was forgotten meanwhile")
        return row


def _read_only(path: Path) -> sqlite3.Connection:
    """Without writing: with its log where that can be shared, else as the file stands."""
    base = sqlite3.connect(":memory:")
    for how in ("mode=ro", "mode=ro&immutable=1"):
        base.close()
        base = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, timeout=_WAIT)
        try:
            found = base.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.OperationalError:
            continue
        if found != _VERSION:
            raise RepositoryRefused(f"{path}: a repository of another version ({found})")
        return base
    raise RepositoryRefused(f"{path}: cannot be opened for reading")


def repository_state(path: Path | None = None) -> str:
    """What changes whenever something is kept or forgotten; empty where there is no repository. Raises nothing."""
    path = path or default_path()
    if not path.is_file():
        return ""
    try:
        with Repository(path, reading=True) as repository:
            newest = repository._one("SELECT coalesce(max(id), 0) FROM record")[0]
            return f"{newest}/{repository.forgettings}"
    except AssayError:
        return "unreadable"


def _record(row: tuple[Any, ...]) -> Record:
    names = _FACTS.split(", ")
    facts = dict(zip(names, row, strict=True))
    return Record(**facts | {"bottom_line": BottomLine(facts["bottom_line"])})


def _text(value: str) -> str:
    """Text as SQLite can keep it: file names and labels may hold anything."""
    return value.encode("utf-8", "backslashreplace").decode()
