"""Which repository is meant: a file (SQLite), or a database of several servers (PostgreSQL).

Rules: an address is never taken for a path, and never printed with its password.
"""

import os
from pathlib import Path

from assay.provenance.errors import AssayError
from assay.provenance.home import home
from assay.provenance.repository.repository import Repository

FILE = "repository.sqlite"
Place = Path | str  # an address is a string


def place(written: str) -> Place:
    """The place that a user wrote: the address of a database, or a file."""
    return written if written.startswith(("postgresql://", "postgres://")) else Path(written).expanduser()


def default_place() -> Place:
    """Where this user's repository is: `$ASSAY_REPOSITORY`, else `repository.sqlite` in the state folder. May not exist."""
    written = os.environ.get("ASSAY_REPOSITORY")
    return place(written) if written else home() / FILE


def is_there(where: Place) -> bool:
    """Whether there is a repository; a database is taken to be there."""
    return isinstance(where, str) or where.is_file()


def open_repository(where: Place | None = None, *, reading: bool = False, indexing: bool = False) -> Repository:
    """Open a repository (default: this user's), or make it. `reading` changes nothing in it; `indexing`: an index may be kept
    beside it even so. Raises `RepositoryRefused`."""
    where = where or default_place()
    if isinstance(where, Path):
        return Repository(where, reading=reading, indexing=indexing)
    from assay.provenance.repository.postgres import PostgresRepository

    return PostgresRepository(where, reading=reading)


def repository_state(where: Place | None = None) -> str:
    """What changes whenever something is kept or forgotten; empty where there is no file, for scans ask no database.
    Raises nothing."""
    where = where or default_place()
    if isinstance(where, str) or not where.is_file():
        return ""
    try:
        with Repository(where, reading=True) as repository:
            return repository.state
    except AssayError:
        return "unreadable"
