"""An audit on many machines: Ray Data spreads the items, our ledger stays the truth of what is done. The only importer of ray.

Rules: one warm scanner for each actor, in a child process of its own, so that a hostile file kills neither the actor nor its
neighbours' answers; the function that Ray maps never raises, for an errored block would drop all its rows; items travel by
name and are read where they are examined (members of archives are read here); rows are those of one machine, in the same
order. A content that lies in several places may be examined in each of them. Ray is started for the first item that is not
known yet.
"""

import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from assay.provenance.errors import AssayError, MissingExtra
from assay.scanning.audit.engine import RowMaker
from assay.scanning.audit.examining import Scanning
from assay.scanning.audit.ledger import Ledger
from assay.scanning.audit.reading import read
from assay.scanning.audit.row import Content, Row, failed
from assay.scanning.audit.sources import Item
from assay.scanning.worker import ParserCrashed, Pool, WorkersFailed

_PIECE = 20_000  # items of one pipeline: long enough to make little of its start, few enough to hold their rows
_BLOCK = 16  # items that one actor takes at once


@dataclass(slots=True)
class _Found:
    """What is known of one item of a piece."""

    item: Item
    key: str | None = None
    size: int | None = None
    content: Content | None = None


class ClusterAudit:
    """The same pass over items as `Audit`, on Ray. `actors` None: one for every processor of the cluster."""

    def __init__(
        self,
        items: Iterable[Item],
        *,
        ledger: Ledger,
        scanning: Scanning,
        actors: int | None = None,
        insist: bool = False,
    ) -> None:
        """`insist`: end where a machine of the cluster cannot run the model, instead of going on without it there."""
        self._items, self._ledger = iter(items), ledger
        self._scanning, self._actors, self._insist = scanning, actors, insist
        self._rows_of = RowMaker(ledger)
        self.examined = 0

    def __iter__(self) -> Iterator[Row]:
        ray: Any = None
        try:
            fresh = (item for item in self._items if self._ledger.names_first(item.name))
            while piece := [self._known(item) for item in islice(fresh, _PIECE)]:
                unknown = [found for found in piece if found.content is None]
                if unknown:
                    ray = ray or _started()
                    self._examine(ray, unknown)
                for found in piece:
                    assert found.content is not None
                    yield self._rows_of.row(found.item, found.content, key=found.key, size=found.size)
        finally:
            if ray is not None:
                ray.shutdown()

    def _known(self, item: Item) -> _Found:
        found = _Found(item)
        seen = self._ledger.hash_of(item.name, item.fingerprint)
        if seen is not None:
            found.key, found.size = seen
            found.content = self._ledger.find(found.key)
        return found

    def _examine(self, ray: Any, piece: list[_Found]) -> None:
        actors = self._actors or max(int(ray.cluster_resources().get("CPU", 1)), 1)
        rows = [{"number": number, "item": _portable(found.item)} for number, found in enumerate(piece)]
        blocks = max(len(rows) // _BLOCK, min(actors, len(rows)))
        answers = ray.data.from_items(
            rows, override_num_blocks=blocks
        ).map_batches(
            _Examiner,
            fn_constructor_args=(self._scanning, self._insist),
            batch_size=_BLOCK,
            compute=ray.data.ActorPoolStrategy(size=min(actors, blocks)),
            num_cpus=0.5,  # a whole processor each leaves none for the reading tasks of a small cluster, which then hangs
        )
        for answer in answers.iter_rows():
            self._take(piece[answer["number"]], answer)
        lost = [found.item.name for found in piece if found.content is None]
        if lost:
            raise WorkersFailed(
                f"the cluster lost {len(lost):,} items, {lost[0]} first", "start the audit again: it goes on"
            )

    def _take(self, found: _Found, answer: dict[str, Any]) -> None:
        if answer["broken"]:
            raise WorkersFailed(answer["broken"])
        content = Content.from_json(answer["content"])
        found.content, found.key, found.size = content, answer["key"] or None, answer["size"]
        item = found.item
        if not found.key:
            found.size = None
            return
        if not answer["refused"]:
            self._ledger.note_hash(
                item.name, item.fingerprint, sha256=found.key, size=answer["size"], modified=item.modified
            )
        if answer["keep"]:
            self._ledger.note(found.key, content)
        self.examined += 1


class _Examiner:
    """Lives in an actor; its scanner lives in a child of the actor."""

    def __init__(self, scanning: Scanning, insist: bool) -> None:
        instead = None if insist or scanning.model is None else scanning.instead
        self._pool = Pool(scanning, size=1, instead=instead).__enter__()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        answers = [self._answer(pickle.loads(item)) for item in batch["item"]]  # noqa: S301 - our own driver wrote it
        columns = {name: [answer[name] for answer in answers] for name in answers[0]}
        return {"number": list(batch["number"]), **columns}

    def _answer(self, item: Item) -> dict[str, Any]:
        answer: dict[str, Any] = {"key": "", "size": 0, "content": "", "keep": False, "refused": False, "broken": ""}
        try:
            given = read(item)
            answer |= {"key": given.key, "size": len(given.content), "refused": bool(given.refused)}
            content = Content.from_json(self._pool.submit(given.question()).result())
            answer["keep"] = not given.refused
        except WorkersFailed as error:
            return answer | {"broken": error.message}
        except ParserCrashed as error:
            content = failed(type(error).__name__, error.message)
            answer["keep"] = error.lasting and not answer["refused"]
        except AssayError as error:
            content = failed(type(error).__name__, error.message.removeprefix(f"{item.name}: "))
        except Exception as error:  # nothing may be raised in here
            content = failed(ParserCrashed.__name__, f"crashed the parser: {type(error).__name__}: {error}"[:300])
        return answer | {"content": content.to_json()}


def _portable(item: Item) -> bytes:
    """An item as another machine can read it; what only this one can read is read now."""
    try:
        return pickle.dumps(item)
    except (pickle.PicklingError, AttributeError, TypeError):
        pass
    beside = None if item.beside is None else _now(item.beside)
    return pickle.dumps(replace(item, read=_now(item.read), beside=beside))


def _now(read: Callable[[], Any]) -> Callable[[], Any]:
    """What gives the same again, elsewhere."""
    try:
        return partial(_same, read())
    except AssayError as error:
        return partial(_refuse, error.message, type(error).__name__)


def _same(given: Any) -> Any:
    return given


def _refuse(message: str, kind: str) -> bytes:
    raise type(kind, (AssayError,), {})(message)


def _started() -> Any:
    """Ray, connected to `$RAY_ADDRESS` or started here, without dashboard, reporting or progress bars of its own."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # or its processes starve beside anything else that runs
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtra("auditing on a cluster", "cluster") from error
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = 0
    return ray
