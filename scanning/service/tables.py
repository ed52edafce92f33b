"""The tables of a server's state, and the database's clock; one description for SQLite and PostgreSQL.

Rules: times are seconds since 1970 by `now()`; what callers send is kept as bytes, as JSON or as a hash, for a text of
PostgreSQL holds no NUL; a change here raises `VERSION`, and `CHANGES` says how a state of the version before is brought up to
date, in a way with which servers of that version that are at work on it go on.
"""

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Double,
    Executable,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

VERSION = 3
ALL = MetaData()
_COUNTED = Integer().with_variant(BigInteger(), "postgresql")

version = Table("version", ALL, Column("version", Integer, nullable=False))
key = Table(
    "key",
    ALL,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("rate", Integer, nullable=False),
    # of its jobs and decisions: rotation keeps it, a key made anew under an old name gets another
    Column("owner", Text),
    Column("made", Double, nullable=False),
    Column("expires", Double),
)
secret = Table(
    "secret",
    ALL,
    Column("value", Text, primary_key=True),
    Column("made", Double, nullable=False),
    Column("expires", Double),
)
job = Table(
    "job",
    ALL,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("idempotency", Text),
    Column("fingerprint", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("made", Double, nullable=False),
    Column("finished", Double),
    UniqueConstraint("owner", "idempotency"),
)
item = Table(  # `holder`: a token of the claim that it is in work under; `until`: when that claim ends unless renewed
    "item",
    ALL,
    Column("place", _COUNTED, primary_key=True, autoincrement=True),
    Column("job", ForeignKey(job.c.id, ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", Text, nullable=False),  # as JSON
    Column("sha256", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("holder", Text),
    Column("until", Double),
    Column("origin", Text, nullable=False, default=""),
    Column("basis", Text, nullable=False, default=""),
    Column("document", LargeBinary),
    UniqueConstraint("job", "number"),
)
_OPEN = item.c.state.in_(("waiting", "running"))
Index("item_open", item.c.place, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("item_content", item.c.sha256)
upload = Table(  # apart from its item, so that the item's changes write no bytes again
    "upload",
    ALL,
    Column("job", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    ForeignKeyConstraint(("job", "number"), (item.c.job, item.c.number), ondelete="CASCADE"),
)
delivery = Table(
    "delivery",
    ALL,
    Column("job", ForeignKey(job.c.id, ondelete="CASCADE"), primary_key=True),
    Column("url", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due", Double),
    Column("said", Text, nullable=False, default=""),
)
decision = Table(
    "decision",
    ALL,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("made", Double, nullable=False),
)
trail = Table(
    "trail",
    ALL,
    Column("decision", ForeignKey(decision.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("entry", Text, nullable=False),
    Column("digest", Text, nullable=False),
)


CHANGES: dict[int, tuple[Executable, ...]] = {  # by the version that they bring up to date
    2: (
        DDL("ALTER TABLE %(fullname)s ADD COLUMN owner TEXT").against(key),  # type: ignore[no-untyped-call]
        update(key).values(owner="key " + key.c.name),
    ),
}


class now(FunctionElement[float]):
    """The database's clock."""

    type = Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _in_sqlite(element: now, compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _in_postgresql(element: now, compiler: Any, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"
