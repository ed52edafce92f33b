"""The repository in PostgreSQL, for several servers that remember together: the statements of the repository in a file.

Rules: writers take turns, so that records appear in the order of their numbers and an index that follows them misses none; what
is searched by looks is exact unless the database was given an approximate index (pgvector), which then answers for all servers;
no address is printed with its password. Why so: docs/adr/0012.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from assay.provenance.errors import MissingExtra
from assay.provenance.home import home
from assay.provenance.repository.repository import FIRST, VERSION, Repository, RepositoryRefused

if TYPE_CHECKING:
    import psycopg

SCHEMA = "assay_repository"
NEIGHBOURS = 200  # candidates that pgvector weighs for one fingerprint (hnsw.ef_search)
_LOCK = 7_270_012  # the advisory lock of writers
_SECONDS = 5  # to wait for a connection
_INDEXED = (("pdq", "whole"), ("pdq", "core"), ("io.iscc.v0", "whole"))
_TABLES = """
CREATE TABLE IF NOT EXISTS repository (version integer NOT NULL, identity text NOT NULL);
CREATE TABLE IF NOT EXISTS record (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kept text NOT NULL, sha256 text NOT NULL, name text NOT NULL,
  media_type text NOT NULL, width integer NOT NULL, height integer NOT NULL, manifest text NOT NULL, signer text NOT NULL,
  bottom_line text NOT NULL, thumbnail bytea NOT NULL, store bytea NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS record_once ON record (sha256, md5(manifest));
CREATE INDEX IF NOT EXISTS record_manifest ON record USING hash (manifest);
CREATE INDEX IF NOT EXISTS record_kept ON record (kept);
CREATE TABLE IF NOT EXISTS fingerprint (
  record bigint NOT NULL, algorithm text NOT NULL, region text NOT NULL, value bytea NOT NULL,
  bits bit(256) GENERATED ALWAYS AS (CASE octet_length(value) WHEN 32 THEN ('x' || encode(value, 'hex'))::bit(256) END) STORED,
  PRIMARY KEY (algorithm, region, record)
);
CREATE INDEX IF NOT EXISTS fingerprint_record ON fingerprint (record);
CREATE INDEX IF NOT EXISTS fingerprint_mark ON fingerprint (value) WHERE region = 'mark';
CREATE TABLE IF NOT EXISTS forgotten (count bigint NOT NULL);
INSERT INTO forgotten SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM forgotten);
"""

# Where an administrator made the extension in a schema of its own, its operators must be found there.
_SEARCH_PATH = """
SELECT set_config('search_path', concat_ws(', ', %s::text, 'public', (
  SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'
)), false)
"""


class PostgresRepository(Repository):
    """The same repository in a database. Used from one thread; safe between processes and machines."""

    def __init__(self, address: str, *, reading: bool = False) -> None:
        """Connect, and make the tables where there are none. Raises `MissingExtra` or `RepositoryRefused`."""
        self._driver = _driver()
        self._address = address
        self.reading = reading
        try:
            self._base: psycopg.Connection[Any] = self._driver.connect(  # type: ignore[assignment]
                address, autocommit=True, connect_timeout=_SECONDS, prepare_threshold=None, application_name="assay"
            )
            self._base.execute(_SEARCH_PATH, (SCHEMA,))
            self._identity = self._prepared()
        except self._driver.Error as error:
            raise RepositoryRefused(
                f"{self.place}: no usable repository: {_cause(error)}", "name another with --repository"
            ) from error
        self._approximate = self.approximate

    @property
    def approximate(self) -> bool:
        """Whether the database has an approximate index, by which it searches itself."""
        name = f"{SCHEMA}.{_name(*_INDEXED[0])}"
        found = next(self._read("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(?)", (name,)), None)
        return found == (True,)

    def index(self, *, approximate: bool) -> None:
        """Make pgvector's index over all fingerprints (anew), or drop it. Others may remember meanwhile. Needs pgvector 0.7 or
        later. Raises `RepositoryRefused`."""
        try:
            if approximate:
                self._base.execute("CREATE EXTENSION IF NOT EXISTS vector")
            for algorithm, region in reversed(_INDEXED):
                self._base.execute(
                    f"DROP INDEX IF EXISTS {_name(algorithm, region)}"
                )  # an attempt that failed leaves one
                if approximate:
                    self._base.execute(
                        f"CREATE INDEX CONCURRENTLY {_name(algorithm, region)} ON fingerprint"
                        f" USING hnsw (bits bit_hamming_ops) WHERE algorithm = '{algorithm}' AND region = '{region}'"
                    )
        except self._driver.Error as error:
            raise RepositoryRefused(
                f"{self.place}: no approximate index: {_cause(error)}",
                "it needs the extension vector (pgvector 0.7 or later), and somebody who may create it",
            ) from error
        self._approximate = approximate

    def nearest(
        self, algorithm: str, region: str, queries: Sequence[bytes], *, within: int, most: int
    ) -> tuple[tuple[int, int, int], ...] | None:
        """By pgvector's index, where the database has one."""
        if not self._approximate or (algorithm, region) not in _INDEXED:
            return None
        statement = (
            "SELECT (query.number - 1)::integer, near.record, near.distance::integer"  # noqa: S608
            " FROM unnest(?::bit(256)[]) WITH ORDINALITY AS query(bits, number) CROSS JOIN LATERAL ("
            "SELECT record, fingerprint.bits <~> query.bits AS distance FROM fingerprint"
            f" WHERE algorithm = '{algorithm}' AND region = '{region}'"
            f" ORDER BY fingerprint.bits <~> query.bits LIMIT {int(most)}) AS near"
            " WHERE near.distance <= ? ORDER BY near.distance, query.number, near.record"
        )
        found = self._read(
            statement,
            ([f"{int.from_bytes(query):0256b}" for query in queries], within),
            setting=f"SET LOCAL hnsw.ef_search = {min(1000, max(NEIGHBOURS, int(most)))}",
        )
        return tuple(found)

    @property
    def place(self) -> str:
        """The address without its password."""
        parts = urlsplit(self._address)
        return f"postgresql://{parts.hostname or ''}{parts.path}"

    @property
    def index_folder(self) -> Path:
        """This machine's own exact index, in the state folder."""
        return home() / "repository-index" / self._identity

    @property
    def may_index(self) -> bool:
        return True

    def _prepared(self) -> str:
        """The repository's identity, an index over whose records fits no other. Makes the tables where there are none."""
        if self._base.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.repository",)).fetchone() == (None,):
            if self.reading:
                raise RepositoryRefused(f"{self.place}: there is no repository yet", FIRST)
            with self._base.transaction():
                self._base.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                self._base.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
                self._base.execute(_TABLES)
                self._base.execute(
                    "INSERT INTO repository SELECT %s, replace(gen_random_uuid()::text, '-', '')"
                    " WHERE NOT EXISTS (SELECT 1 FROM repository)", (VERSION,),
                )  # fmt: skip
        if self.reading:
            self._base.execute("SET default_transaction_read_only = on")
        found = self._base.execute("SELECT version, identity FROM repository").fetchone()
        if found is None or found[0] != VERSION:
            raise RepositoryRefused(f"{self.place}: a repository of another version ({found and found[0]})")
        return str(found[1])

    def _run(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        return self._base.execute(statement.replace("?", "%s"), values)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._base.transaction():
                self._base.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                yield
        except self._driver.Error as error:
            raise RepositoryRefused(f"{self.place}: cannot be written: {_cause(error)}") from error

    def _read(self, statement: str, values: tuple[Any, ...] = (), *, setting: str = "") -> Iterator[Any]:
        try:
            with self._base.transaction():
                if setting:
                    self._base.execute(setting)
                rows = self._run(statement, values).fetchall()
        except self._driver.Error as error:
            raise RepositoryRefused(f"{self.place}: cannot be read: {_cause(error)}") from error
        yield from rows

    def _scrub(self) -> None:
        """The index of this machine; others drop theirs at their next search."""
        with suppress(OSError):
            self._drop_indexes()


def _driver() -> Any:
    try:
        import psycopg
    except ModuleNotFoundError as error:
        raise MissingExtra("a repository in PostgreSQL", "postgres") from error
    return psycopg


def _name(algorithm: str, region: str) -> str:
    return f"near_{algorithm.replace('.', '_')}_{region}"


def _cause(error: Exception) -> str:
    """Its first line, which names no password."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
