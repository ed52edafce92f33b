"""The repository: manifests that were signed or seen here, found again by hash, label or fingerprint. SQLite.

The same statements serve PostgreSQL, where only the methods at the end of the class differ (`postgres.py`).
Rules: a record is written in one transaction and never overwritten; several processes may write at once, and one that is
killed leaves nothing half done; what is forgotten is overwritten on disk and leaves every index; nobody else can read it;
a database of something else is left as it is.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from assay.provenance.errors import AssayError
from assay.provenance.repository.records import FACTS, MARK, Fingerprint, Keepsake, Record, record_of, storable

VERSION = 1
FIRST = "remember manifests with `assay repository add` first"
_PAGE = 50_000  # rows that are read at once
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


class RepositoryRefused(AssayError):
    """The repository cannot be opened or written, or is none of this version."""


class Repository:
    """Keeps manifests and finds them. Used from one thread, or where it only reads from one at a time; safe between processes."""

    def __init__(self, path: Path, *, reading: bool = False, indexing: bool = False) -> None:
        """Open the repository at `path`, or make it. `reading` changes no file, as a confined process must not; what is being
        written just then may not be seen. `indexing`: an index may be kept beside it even so. Raises `RepositoryRefused`."""
        self.path = path
        self.reading = reading
        self.indexing = indexing
        try:
            if reading:
                self._base = _read_only(self.path)
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, isolation_level=None, timeout=_WAIT)
            found = _version(self._base, self.path)
            self.path.chmod(0o600)  # SQLite gives its side files the same
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.execute("PRAGMA secure_delete = ON")
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
        """Let go of it."""
        self._base.close()

    def keep(self, keepsake: Keepsake) -> tuple[Record, bool]:
        """Keep a picture's manifest; what is there already stays as it is. Returns the record, and whether it is new."""
        kept = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._writing():
            added = self._run(
                "INSERT INTO record (kept, sha256, name, media_type, width, height, manifest, signer, bottom_line,"
                " thumbnail, store) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    kept,
                    keepsake.sha256,
                    storable(keepsake.name),
                    keepsake.media_type,
                    keepsake.width,
                    keepsake.height,
                    storable(keepsake.manifest),
                    storable(keepsake.signer),
                    keepsake.bottom_line.value,
                    keepsake.thumbnail,
                    keepsake.store,
                ),
            )
            new = bool(added.rowcount == 1)
            row = self._run(
                f"SELECT {FACTS} FROM record WHERE sha256 = ? AND manifest = ?",  # noqa: S608
                (keepsake.sha256, storable(keepsake.manifest)),
            ).fetchone()
            for one in keepsake.fingerprints if new else ():
                self._run(
                    "INSERT INTO fingerprint (record, algorithm, region, value) VALUES (?, ?, ?, ?)",
                    (row[0], one.algorithm, one.region, one.value),
                )
        return record_of(row), new

    def forget(self, *sha256: str) -> int:
        """Delete everything kept of the pictures with these hashes. Returns how many records there were.

        Raises `RepositoryRefused` also where they are forgotten but could not be overwritten; the next call does that.
        """
        return self._forget("sha256 = ?", dict.fromkeys(map(str.lower, sha256)))

    def forget_older(self, age: timedelta) -> int:
        """Delete what was kept longer ago than `age`. Returns how many records there were; raises as `forget`."""
        before = (datetime.now(UTC) - age).isoformat(timespec="milliseconds")
        return self._forget("kept < ?", [before])

    def __len__(self) -> int:
        return int(self._one("SELECT count(*) FROM record")[0])

    def records(self) -> Iterator[Record]:
        """All records, oldest first."""
        for row in self._paged(f"SELECT {FACTS} FROM record WHERE id > ? ORDER BY id"):  # noqa: S608
            yield record_of(row)

    def get(self, record_id: int) -> Record | None:
        """The record with this number; None where it was forgotten."""
        row = next(self._read(f"SELECT {FACTS} FROM record WHERE id = ?", (record_id,)), None)  # noqa: S608
        return record_of(row) if row else None

    def by_sha256(self, sha256: str) -> tuple[Record, ...]:
        """What was kept of the very bytes with this hash."""
        rows = self._read(f"SELECT {FACTS} FROM record WHERE sha256 = ? ORDER BY id", (sha256.lower(),))  # noqa: S608
        return tuple(map(record_of, rows))

    def by_manifest(self, label: str) -> tuple[Record, ...]:
        """What was kept under this label of an active manifest."""
        rows = self._read(f"SELECT {FACTS} FROM record WHERE manifest = ? ORDER BY id", (storable(label),))  # noqa: S608
        return tuple(map(record_of, rows))

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
        yield from self._paged(
            "SELECT record, value FROM fingerprint WHERE algorithm = ? AND region = ? AND record > ? ORDER BY record",
            (algorithm, region),
            after=after,
        )

    def by_mark(self, algorithm: str, payload: bytes) -> tuple[Record, ...]:
        """What was kept of pictures that carry this very payload in their pixels."""
        rows = self._read(
            f"SELECT {FACTS} FROM record WHERE id IN (SELECT record FROM fingerprint"  # noqa: S608
            f" WHERE region = '{MARK}' AND algorithm = ? AND value = ?) ORDER BY id",
            (algorithm, payload),
        )
        return tuple(map(record_of, rows))

    def has_marks(self, algorithm: str) -> bool:
        """Whether any picture is remembered with a mark of this scheme."""
        statement = f"SELECT 1 FROM fingerprint WHERE algorithm = ? AND region = '{MARK}' LIMIT 1"  # noqa: S608
        return next(self._read(statement, (algorithm,)), None) is not None

    def nearest(
        self, algorithm: str, region: str, queries: Sequence[bytes], *, within: int, most: int
    ) -> tuple[tuple[int, int, int], ...] | None:
        """(query's position, record number, distance in bits) from an index of the database's own, or None where it has none
        and whoever searches must look at all `values`."""
        return None

    @property
    def forgettings(self) -> int:
        """How often something was forgotten: an index made at another count holds what it must not."""
        return int(self._one("SELECT count FROM forgotten")[0])

    @property
    def state(self) -> str:
        """What changes whenever something is kept or forgotten."""
        newest = self._one("SELECT coalesce(max(id), 0) FROM record")[0]
        return f"{newest}/{self.forgettings}"

    def _paged(self, statement: str, values: tuple[Any, ...] = (), *, after: int = 0) -> Iterator[Any]:
        """Rows of a statement whose last condition and order are by its first column, a page at a time."""
        while True:
            rows = list(self._read(f"{statement} LIMIT {_PAGE}", (*values, after)))
            yield from rows
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    def _one(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        row = next(self._read(statement, values), None)
        if row is None:
            raise RepositoryRefused(f"{self.place}: the record was forgotten meanwhile")
        return row

    def _forget(self, condition: str, values: Iterable[str]) -> int:
        """Delete what meets the condition with any of these values."""
        with self._writing():
            found = (self._run(f"SELECT id FROM record WHERE {condition}", (value,)) for value in values)  # noqa: S608
            ids = [row[0] for rows in found for row in rows]
            for number in ids:
                self._run("DELETE FROM fingerprint WHERE record = ?", (number,))
                self._run("DELETE FROM record WHERE id = ?", (number,))
            if ids:
                self._run("UPDATE forgotten SET count = count + 1")
        self._scrub()  # though there be nothing now: an earlier time may have been kept from it
        return len(ids)

    def _drop_indexes(self) -> None:
        """All of this machine's that were made before something was forgotten."""
        current = f"-{self.forgettings}.npy"
        for path in self.index_folder.glob("*"):
            if not path.name.endswith(current):
                path.unlink(missing_ok=True)

    # What differs between databases.

    @property
    def place(self) -> str:
        """What to call it."""
        return str(self.path)

    @property
    def index_folder(self) -> Path:
        """Where indexes over the fingerprints may be kept; it is emptied whenever something is forgotten."""
        return self.path.with_name(self.path.name + "-index")

    @property
    def may_index(self) -> bool:
        """Whether an index may be written there."""
        return self.indexing or not self.reading

    def _run(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        """Within a transaction: a cursor."""
        return self._base.execute(statement, values)

    def _scrub(self) -> None:
        """Leave no trace of what was forgotten beside the tables: the write-ahead log and the indexes."""
        try:
            self._drop_indexes()
            busy, _, _ = self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except (OSError, sqlite3.Error) as error:
            raise RepositoryRefused(
                f"{self.path}: what was forgotten is not overwritten: {error}", "run it again"
            ) from error
        if busy and self.forgettings:
            raise RepositoryRefused(
                f"{self.path}: what was forgotten is not overwritten yet: another process is reading the file",
                "end that process, which may be a backup, and run the same command again",
            )

    def _make(self) -> None:
        with self._writing():
            for statement in filter(str.strip, _TABLES.split(";")):
                self._base.execute(statement)
            self._base.execute(f"PRAGMA user_version = {VERSION}")

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


def _version(base: sqlite3.Connection, path: Path) -> int:
    """The version of the repository, 0 where there is nothing in the file yet. Raises `RepositoryRefused` where it is none."""
    tables = {row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = int(base.execute("PRAGMA user_version").fetchone()[0])  # read last: whoever makes one writes both at once
    if found not in (0, VERSION):
        raise RepositoryRefused(f"{path}: a repository of another version ({found})")
    if tables and not tables >= {"record", "fingerprint", "forgotten"}:
        raise RepositoryRefused(f"{path}: a database of something else", "name another with --repository")
    return found


def _read_only(path: Path) -> sqlite3.Connection:
    """Without writing: with its log where that can be shared, else as the file stands."""
    base = sqlite3.connect(":memory:")
    for how in ("mode=ro", "mode=ro&immutable=1"):
        base.close()
        base = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}",
            uri=True,
            isolation_level=None,
            timeout=_WAIT,
            check_same_thread=False,  # threads may take turns
        )
        try:
            found = _version(base, path)
        except sqlite3.OperationalError:
            continue
        if found == 0:
            raise RepositoryRefused(f"{path}: an empty file, and no repository yet", FIRST)
        return base
    raise RepositoryRefused(f"{path}: cannot be opened for reading")
