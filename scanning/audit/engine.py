"""The audit itself: items are read ahead, looked up, examined by the pool where they must be, and given back as rows.

Rules: rows come in the order of the items; work in hand is bounded in files and in bytes; what is known is remembered the
moment it is known; one bad file costs one row. Only this module's caller's thread touches the ledger.
"""

import queue
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assay import __version__
from assay.provenance.errors import AssayError
from assay.scanning.audit.ledger import Ledger
from assay.scanning.audit.reading import Given, read
from assay.scanning.audit.row import Content, Row, failed
from assay.scanning.audit.sources import Item
from assay.scanning.worker import ParserCrashed, Pool, WorkersFailed

if TYPE_CHECKING:
    from assay.scanning.audit.near import Neighbours

_READERS = 8  # they wait for disks and networks, and hash
_AHEAD = 4096  # rows that wait for an earlier one, so that one slow file holds nobody up
_BYTES = 192 * 1024 * 1024  # content in memory, beside what the children hold


@dataclass(slots=True)
class _Work:
    """One item on its way to a row."""

    item: Item
    key: str | None = None
    size: int | None = None
    content: Content | None = None
    keep: bool = True  # what is found holds for whoever comes later
    reading: "Future[Given] | None" = None
    examining: "Future[bytes] | None" = None
    held: int = 0  # bytes in memory on its account

    def let_go(self) -> None:
        """Of what the item reads from: it may hold bytes or an open archive, and rows may wait for long."""
        self.item = replace(self.item, read=bytes, beside=None)


class RowMaker:
    """Turns what is known of items into rows, in their order: which file was the first of its kind depends on it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._model = ledger.version.model.rsplit(" ", 1)[0]  # without its hash
        self._neighbours: Neighbours | None = None

    def row(self, item: Item, content: Content, *, key: str | None, size: int | None) -> Row:
        """The next row. `key`: the ledger's, which begins with the file's hash."""
        sha256 = key.partition("+")[0] if key else None
        first = self._ledger.first_met(sha256, item.name) if sha256 else item.name
        copy = first != item.name
        return Row(
            assay=__version__,
            model="" if content.lacks_pixels else self._model,
            name=item.name,
            sha256=sha256,
            bytes=size if size is not None else item.size,
            modified=item.date,
            duplicate_of=first if copy else "",
            near="" if copy else self._first_like(content.perceptual_hash, item.name),
            **content.columns(),
        )

    def _first_like(self, perceptual_hash: str, name: str) -> str:
        if not perceptual_hash:
            return ""
        if self._neighbours is None:
            from assay.scanning.audit.near import Neighbours

            self._neighbours = Neighbours()
        return self._neighbours.first_like(perceptual_hash, name)


class Audit:
    """One pass over items. Iterate it for its rows; leaving the loop early loses nothing that the ledger knows."""

    def __init__(self, items: Iterable[Item], *, ledger: Ledger, pool: Pool) -> None:
        self._items, self._ledger, self._pool = iter(items), ledger, pool
        self._order: deque[_Work] = deque()
        self._events: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        self._twins: dict[str, list[_Work]] = {}  # contents being examined, and everybody who waits for them
        self._held = 0
        self._busy = 0
        self._rows_of = RowMaker(ledger)
        self.examined = 0  # contents that went to the pool

    def __iter__(self) -> Iterator[Row]:
        with ThreadPoolExecutor(_READERS) as self._readers:
            try:
                yield from self._rows()
            finally:
                self._readers.shutdown(wait=False, cancel_futures=True)

    def _rows(self) -> Iterator[Row]:
        for item in self._items:
            if not self._ledger.names_first(item.name):
                continue
            work = _Work(item)
            self._order.append(work)
            self._begin(work)
            yield from self._finished()
            while self._full():
                self._advance()
                yield from self._finished()
        while self._order:
            self._advance()
            yield from self._finished()

    def _full(self) -> bool:
        """Enough is on its way: rows, reads (a few for every child), or bytes."""
        return len(self._order) >= _AHEAD or self._busy >= 4 * (self._pool.size + _READERS) or self._held >= _BYTES

    def _finished(self) -> Iterator[Row]:
        while self._order and self._order[0].content is not None:
            work = self._order.popleft()
            assert work.content is not None
            yield self._rows_of.row(work.item, work.content, key=work.key, size=work.size)

    def _begin(self, work: _Work) -> None:
        item = work.item
        known = self._ledger.hash_of(item.name, item.fingerprint)
        if known is not None:
            work.key, work.size = known
            work.content = self._ledger.find(work.key)
            if work.content is not None:
                work.let_go()
                return
        self._busy += 1
        work.held = item.size or 0
        self._held += work.held
        work.reading = self._readers.submit(read, item)
        work.reading.add_done_callback(lambda _: self._events.put(work))

    def _advance(self) -> None:
        """Wait for one event and take its work a step further."""
        work = self._events.get()
        if work.examining is not None:
            self._take_answer(work, work.examining)
        elif work.reading is not None:
            self._take_bytes(work, work.reading)

    def _take_bytes(self, work: _Work, reading: "Future[Given]") -> None:
        work.reading = None
        work.let_go()
        try:
            given = reading.result()
        except AssayError as error:
            prefix = f"{work.item.name}: "
            self._settle(work, failed(type(error).__name__, error.message.removeprefix(prefix)))
            return
        work.key, work.size = given.key, len(given.content)
        self._held += given.size - work.held
        work.held = given.size
        item = work.item
        if given.refused:  # it may be readable the next time
            work.keep, work.key = False, f"{given.key}+unread {item.name}"
        else:
            self._ledger.note_hash(item.name, item.fingerprint, sha256=work.key, size=work.size, modified=item.modified)
        known = self._ledger.find(work.key)
        if known is not None:
            self._settle(work, known)
        elif work.key in self._twins:
            self._twins[work.key].append(work)
            self._release(work)
        else:
            self._twins[work.key] = []
            self.examined += 1
            work.examining = self._pool.submit(given.question())
            work.examining.add_done_callback(lambda _: self._events.put(work))

    def _take_answer(self, work: _Work, examining: "Future[bytes]") -> None:
        work.examining = None
        assert work.key is not None
        keep = work.keep
        try:
            content = Content.from_json(examining.result())
        except WorkersFailed:
            raise
        except ParserCrashed as error:
            content, keep = failed(type(error).__name__, error.message), keep and error.lasting
        except (ValueError, TypeError) as error:
            content = failed(ParserCrashed.__name__, f"crashed the parser: its answer is malformed: {error}")
        except CancelledError:
            content, keep = failed("Interrupted", "the audit was ended before its turn"), False
        if keep:
            self._ledger.note(work.key, content)
        self._settle(work, content)
        for twin in self._twins.pop(work.key):
            twin.content = content

    def _settle(self, work: _Work, content: Content) -> None:
        work.content = content
        self._release(work)

    def _release(self, work: _Work) -> None:
        self._busy -= 1
        self._held -= work.held
        work.held = 0
