"""Indexes over 256-bit fingerprints: an exact one, where every distance is counted, and that of a database.

Rules: the exact one is kept packed in a file that is mapped into memory, so that many processes share it; what was added since
is read from the repository at each search; a file made before something was forgotten is never used, and is removed.
"""

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from assay.provenance.repository import Repository

WORDS = 4  # of 64 bits
_CHUNK = 32_768  # rows compared at once: they fit into a processor's cache
_LOOSE = 4_096  # fingerprints that may wait outside the file before it is written anew


@dataclass(frozen=True, slots=True)
class Hit:
    """One fingerprint near a query: the query's position, the record's number, the distance in bits."""

    query: int
    record: int
    distance: int


class Index(Protocol):
    """Fingerprints of one kind in a repository, searched by distance."""

    def nearest(self, queries: list[bytes], *, within: int, most: int) -> tuple[Hit, ...]:
        """The nearest hits at most `within` bits away, at most `most` of them for each query, nearest first."""
        ...


def index_of(repository: "Repository", algorithm: str, region: str) -> Index:
    """The index of one kind: the database's own where it has one (approximate), else an exact one on this machine."""
    asked = repository.nearest(algorithm, region, [], within=0, most=1)
    return (
        HammingIndex(repository, algorithm, region) if asked is None else DatabaseIndex(repository, algorithm, region)
    )


class DatabaseIndex:
    """What the repository's database finds by an index of its own. Neighbours may be missed, distances are exact."""

    def __init__(self, repository: "Repository", algorithm: str, region: str) -> None:
        self._repository = repository
        self._algorithm, self._region = algorithm, region

    def nearest(self, queries: list[bytes], *, within: int, most: int) -> tuple[Hit, ...]:
        """As `Index` says."""
        found = self._repository.nearest(self._algorithm, self._region, queries, within=within, most=most)
        return tuple(Hit(*row) for row in found or ())


class HammingIndex:
    """All fingerprints of one kind in a repository, every one of them compared."""

    def __init__(self, repository: "Repository", algorithm: str, region: str) -> None:
        self._repository = repository
        self._algorithm, self._region = algorithm, region
        self._packed = _empty()
        self._forgettings = -1

    def __len__(self) -> int:
        return int(self._packed.shape[1])

    def nearest(self, queries: list[bytes], *, within: int, most: int) -> tuple[Hit, ...]:
        """The nearest hits at most `within` bits away, at most `most` of them for each query, nearest first."""
        self._refresh()
        asked = np.frombuffer(b"".join(queries), np.uint64).reshape(len(queries), WORDS)
        found: list[Hit] = []
        for position, query in enumerate(asked):
            rows, distances = self._scan(query, within)
            order = np.argsort(distances, kind="stable")[:most]
            found += [Hit(position, int(self._packed[WORDS, rows[i]]), int(distances[i])) for i in order]
        return tuple(sorted(found, key=lambda hit: hit.distance))

    def _scan(self, query: NDArray[np.uint64], within: int) -> tuple[NDArray[np.intp], NDArray[np.uint16]]:
        rows, distances = [], []
        for start in range(0, len(self), _CHUNK):
            part = self._packed[:WORDS, start : start + _CHUNK]
            distance = np.bitwise_count(part[0] ^ query[0]).astype(np.uint16)
            for word in range(1, WORDS):
                distance += np.bitwise_count(part[word] ^ query[word])
            near = np.flatnonzero(distance <= within)
            rows.append(near + start)
            distances.append(distance[near])
        if not rows:
            return np.empty(0, np.intp), np.empty(0, np.uint16)
        return np.concatenate(rows), np.concatenate(distances)

    def _refresh(self) -> None:
        """Take in what was added, and let go of everything when something was forgotten."""
        forgettings = self._repository.forgettings
        if forgettings != self._forgettings:
            self._packed = self._mapped(forgettings)
            self._forgettings = forgettings
        last = int(self._packed[WORDS, -1]) if len(self) else 0
        added = list(self._repository.values(self._algorithm, self._region, after=last))
        if not added:
            return
        fresh = np.empty((WORDS + 1, len(added)), np.uint64)
        fresh[:WORDS] = np.frombuffer(b"".join(value for _, value in added), np.uint64).reshape(-1, WORDS).T
        fresh[WORDS] = [record for record, _ in added]
        self._packed = np.concatenate([self._packed, fresh], axis=1)
        if self._repository.may_index and len(added) > max(_LOOSE, len(self) // 32):
            with suppress(OSError):  # an index is only for speed
                self._write()

    @property
    def _folder(self) -> Path:
        return self._repository.index_folder

    def _file(self, forgettings: int) -> Path:
        return self._folder / f"{self._algorithm}-{self._region}-{forgettings}.npy"

    def _mapped(self, forgettings: int) -> NDArray[np.uint64]:
        current = self._file(forgettings)
        for stale in self._folder.glob(f"{self._algorithm}-{self._region}-*.npy"):
            if stale != current:
                with suppress(OSError):
                    stale.unlink(missing_ok=True)
        try:
            packed = np.load(current, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return _empty()
        whole = packed.dtype == np.uint64 and packed.ndim == 2 and packed.shape[0] == WORDS + 1
        return packed if whole else _empty()

    def _write(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                np.save(file, self._packed)
            target = self._file(self._forgettings)
            Path(name).replace(target)
            if self._repository.forgettings != self._forgettings:  # something was forgotten while we wrote
                target.unlink(missing_ok=True)
        finally:
            Path(name).unlink(missing_ok=True)
        self._packed = self._mapped(self._forgettings)


def distance(one: bytes, other: bytes) -> int:
    """In how many bits two fingerprints of one length differ."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def _empty() -> NDArray[np.uint64]:
    return np.empty((WORDS + 1, 0), np.uint64)
