"""Against an earlier audit: which rows are new, changed, the same or gone.

Rules: a file is itself by its name; a change is a change of bytes or of what is held of them, not of wording or of dates;
the earlier rows are kept on disk, however many.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from assay.provenance.errors import AssayError
from assay.scanning.audit.row import Row


class NoRows(AssayError):
    """A file that should hold rows holds something else."""


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a JSONL file, lazily; a last line that was cut off by a kill is left out. Raises `NoRows`."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    yield Row.from_json(line)
                except (ValueError, TypeError) as error:
                    if line.endswith("\n"):
                        raise NoRows(
                            f"{path}: line {number} is no row of an audit: {error}",
                            "name a JSONL file that `assay audit` wrote",
                        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise NoRows(f"{path}: cannot be read: {error}", "name a JSONL file that `assay audit` wrote") from error


class Baseline:
    """An earlier audit's rows, looked up by name."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises `NoRows`."""
        self._base = sqlite3.connect("", isolation_level=None)  # a private file that is gone with the connection
        self._base.execute("CREATE TABLE earlier (name BLOB PRIMARY KEY, row TEXT NOT NULL, met INTEGER DEFAULT 0)")
        self._base.execute("BEGIN")
        self._base.executemany(
            "INSERT OR REPLACE INTO earlier (name, row) VALUES (?, ?)",
            ((row.name.encode("utf-8", "surrogateescape"), row.to_json()) for row in _whole(path)),
        )
        self._base.execute("COMMIT")

    def compared(self, row: Row) -> Row:
        """The row with its `change`."""
        key = row.name.encode("utf-8", "surrogateescape")
        found = self._base.execute("SELECT row FROM earlier WHERE name = ?", (key,)).fetchone()
        if found is None:
            return replace(row, change="new")
        self._base.execute("UPDATE earlier SET met = 1 WHERE name = ?", (key,))
        earlier = Row.from_json(found[0])
        return replace(row, change="same" if _essence(earlier) == _essence(row) else "changed")

    def gone(self) -> Iterator[Row]:
        """The rows of files that this audit has not met; no condition holds for a file that is not there."""
        for (text,) in self._base.execute("SELECT row FROM earlier WHERE met = 0 ORDER BY name"):
            yield replace(Row.from_json(text), change="gone", conditions=(), breaches=())


def _whole(path: Path) -> Iterator[Row]:
    """The rows of an audit of everything. What was written against a baseline lacks whatever was the same, and names what is gone."""
    for row in read_rows(path):
        if row.change:
            raise NoRows(
                f"{path}: holds only what had changed against an earlier baseline",
                "name the rows of an audit that was made without --baseline",
            )
        yield row


def _essence(row: Row) -> tuple[object, ...]:
    said = (row.origin, row.basis, row.custody, row.signer, row.contested)
    return (row.sha256, *said, row.error, row.conditions, row.breaches, row.findings)
