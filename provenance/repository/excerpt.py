"""A few records of a repository as one in memory: what a confined process is given that reaches no database.

Rules: records keep their numbers and everything that is kept with them; nothing is ever written back.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from assay.provenance.repository.records import FACTS
from assay.provenance.repository.repository import Repository


class Excerpt(Repository):
    """The same repository, smaller. Used from one thread at a time."""

    def __init__(self, content: bytes = b"") -> None:
        """An empty one, or what `packed` made of one."""
        self.path = Path("excerpt")
        self.reading = True
        self._base = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if content:
            self._base.deserialize(content)
        else:
            self._make()

    @classmethod
    def of(cls, repository: Repository, numbers: Iterable[int]) -> Self:
        """The records with these numbers; those that were forgotten meanwhile are left out."""
        made = cls()
        for number in sorted(set(numbers)):
            record = repository.get(number)
            if record is None:
                continue
            facts = [getattr(record, name) for name in FACTS.split(", ")]
            made._run(
                f"INSERT INTO record ({FACTS}, thumbnail, store) VALUES ({', '.join('?' * (len(facts) + 2))})",  # noqa: S608
                (*facts, repository.thumbnail(record), repository.store(record)),
            )
            for one in repository.fingerprints(record):
                made._run(
                    "INSERT INTO fingerprint (record, algorithm, region, value) VALUES (?, ?, ?, ?)",
                    (number, one.algorithm, one.region, one.value),
                )
        return made

    def packed(self) -> bytes:
        """All of it."""
        return self._base.serialize()

    @property
    def may_index(self) -> bool:
        return False
