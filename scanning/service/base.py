"""The database of a server's state: SQLite in a folder for one server, PostgreSQL for several that share their work.

Rules: what was answered with "accepted" is on disk before the answer goes out; every change is one transaction; every time is
told by the database's clock, for servers' clocks differ; what is deleted in a folder is in none of its files any more, and some
room stays free on its disk, for deleting takes room too; a database of an older version is brought up to date, one of a version
that is not known is refused and left alone; one that is away is `StateUnavailable`, never a lost change. Tables: `tables`; why
this library: docs/adr/0010.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, make_url, select, text, update
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from assay.provenance.errors import AssayError, MissingExtra
from assay.scanning.service import tables

FILE = "service.sqlite"
SCHEMA = "assay"  # of the tables in PostgreSQL
_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 10
_SETTING_UP = 7_270_001  # the advisory lock of servers that start at once


class StateRefused(AssayError):
    """The state folder or the database cannot be used."""


class StateUnavailable(AssayError):
    """The database does not answer now; it may soon."""


class NoRoom(AssayError):
    """The disk of a state folder is nearly full."""


class Base:
    """One database. `folder`: where it is, None in PostgreSQL; `spare`: bytes that stay free on that folder's disk."""

    def __init__(self, engine: Engine, *, folder: Path | None, spare: int) -> None:
        self._engine, self._folder, self._spare = engine, folder, spare

    @property
    def shared(self) -> bool:
        """Whether other servers may be at work on it."""
        return self._folder is None

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()

    @contextmanager
    def transaction(self, *, deleting: bool = False) -> Iterator[Connection]:
        """A transaction: all of it or nothing. `deleting`: afterwards what it deleted is in no log either.

        Raises `StateUnavailable`.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError, InternalError, PoolTimeout) as error:
            raise StateUnavailable(
                f"the state cannot be read or written now: {cause(error)}",
                "try again; a request with the same Idempotency-Key is never taken twice",
            ) from error
        if deleting:
            self.empty_log()

    def empty_log(self) -> None:
        """Move SQLite's log into its file: it holds what was deleted for as long as nothing else is written over it.

        Where it cannot be done now, the next deletion or sweep does it.
        """
        if self.shared:
            return
        with suppress(sqlite3.Error, SQLAlchemyError), closing(self._engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def check_room(self, reading: Connection, size: int) -> None:
        """Raise `NoRoom` unless `size` more bytes leave the spare ones free. How full PostgreSQL's disk is nobody sees from here."""
        if self._folder is None:
            return
        empty, page = (
            reading.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("freelist_count", "page_size")
        )
        # in the log, and then in the file, as far as no page there is empty
        needed = size + max(0, size - empty * page)
        if shutil.disk_usage(self._folder).free - needed < self._spare:
            raise NoRoom(
                "the disk of this server's state is nearly full",
                "send less, try again when jobs are finished, or tell whoever runs the server",
            )


def connect(place: Path | str, *, spare: int = 0) -> Base:
    """Open or make the state: in a folder (SQLite), or at a URL (`postgresql://…`). Raises `StateRefused`."""
    if isinstance(place, Path):
        engine = _in_folder(place)
        base = Base(engine, folder=place, spare=spare)
        base.empty_log()  # a killed server left it, and may have filled the disk with it
        _prepare(engine, place / FILE, other="name another folder with --state")
        return base
    engine = _at(place)
    _prepare(engine, engine.url.render_as_string(), other="name another with --database")
    return Base(engine, folder=None, spare=0)


def _prepare(engine: Engine, name: object, *, other: str) -> None:
    """Make the tables where there are none, and bring older ones up to date. Raises `StateRefused`."""
    try:
        with engine.begin() as connection:
            found = _version(connection)
            if found is None:
                tables.ALL.create_all(connection)
                connection.execute(insert(tables.version).values(version=tables.VERSION))
                return
            while found in tables.CHANGES:
                for change in tables.CHANGES[found]:
                    connection.execute(change)
                found += 1
                connection.execute(update(tables.version).values(version=found))
            if found == tables.VERSION:
                return
    except (OSError, SQLAlchemyError) as error:
        raise StateRefused(f"{name}: no usable state: {cause(error)}", other) from error
    raise StateRefused(f"{name}: a state of another version", other)


def _version(connection: Connection) -> int | None:
    """The version of what is there; None where nothing is. 0 where it does not say."""
    schema = None
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:one)"), {"one": _SETTING_UP})
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        schema = SCHEMA
    there = inspect(connection).get_table_names(schema)
    if tables.version.name in there:
        return int(connection.execute(select(tables.version.c.version)).scalar_one())
    return 0 if there else None


def _in_folder(folder: Path) -> Engine:
    path = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise StateRefused(f"{path}: no usable state: {error}", "name another folder with --state") from error
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _STATEMENT_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # accepted means accepted, though the power fails
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is gone from the file too

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _at(address: str) -> Engine:
    try:
        url = make_url(address)
    except ArgumentError:
        raise StateRefused(
            "--database is no URL", "write postgresql://user@host/name; a password also comes from PGPASSWORD"
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise StateRefused(f"{url.get_backend_name()}: no database that assay shares", "name a postgresql:// URL")
    try:
        import psycopg  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra("PostgreSQL", "postgres") from error
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,  # a server that was restarted costs no request
        pool_timeout=_STATEMENT_SECONDS,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "tcp_user_timeout": _STATEMENT_SECONDS * 1000,
            "application_name": "assay",
            "options": f"-c statement_timeout={_STATEMENT_SECONDS * 1000}",
        },
        execution_options={"schema_translate_map": {None: SCHEMA}},
    )


def cause(error: BaseException) -> str:
    """The driver's words without the statement and its parameters, which may hold what callers sent."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(original).split())[:300] or type(original).__name__
