"""The loops behind jobs: examining what waits, telling who wants to hear, forgetting what is old.

Rules: a database that is away costs time and nothing else: what was found waits for it, and the loops go on; whatever else goes
wrong is logged, without what callers sent to the database, and ends no loop either; each worker has at most one item of jobs in
its queue, so that who waits for an answer is not kept; a webhook is tried again for a day.
"""

import asyncio
import contextlib
import json
import logging
import math
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from assay.provenance.text import plain
from assay.scanning.service.admitting import Examiner
from assay.scanning.service.base import Base, StateUnavailable, cause
from assay.scanning.service.decisions import Decisions
from assay.scanning.service.examining import SCAN, Task
from assay.scanning.service.jobs import CLAIM_SECONDS, Delivery, Item, Jobs
from assay.scanning.service.keys import REFRESH_SECONDS, Keys
from assay.scanning.service.metrics import Metrics
from assay.scanning.service.settings import Settings
from assay.scanning.service.webhooks import named_host, post, signed
from assay.scanning.worker import ParserCrashed, WorkersFailed

AGAIN = (5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600, 12 * 3600)  # seconds between attempts of a webhook
_SWEEP_SECONDS = 60.0
_POLL_SECONDS = 0.5
_CALL_SECONDS = 20.0  # for one answer of the database, before whoever waits is told that it is away
_POSTS = 4  # webhooks at once, so that one that hangs keeps no other
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Working:
    """The background of one server that keeps a state."""

    def __init__(self, base: Base, keys: Keys, *, examiner: Examiner, metrics: Metrics, settings: Settings) -> None:
        self.jobs = Jobs(base, most=settings.waiting, each=settings.waiting_each)
        self.decisions = Decisions(base)
        self.webhook_hosts = frozenset(map(named_host, settings.webhook_hosts))
        self._keys, self._examiner, self._metrics, self._settings = keys, examiner, metrics, settings
        self._threads = ThreadPoolExecutor(4 if base.shared else 1, thread_name_prefix="assay-state")
        self._new = asyncio.Event()
        self._ending, self._deadline = False, math.inf
        self._held: set[str] = set()  # the claims of items in work here
        self._loops: list[asyncio.Task[None]] = []  # end when they are told to
        self._beats: list[asyncio.Task[None]] = []  # end with the server

    async def call(self, function: Callable[..., T], *arguments: object, **named: object) -> T:
        """Ask the database, in a thread. Raises `StateUnavailable`, and what the function raises."""
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, lambda: function(*arguments, **named))
        try:
            return await asyncio.wait_for(asked, _CALL_SECONDS)
        except TimeoutError:
            raise StateUnavailable("the state did not answer in time", "try again") from None

    def wake(self) -> None:
        """There is something new to do."""
        self._new.set()

    def start(self, lanes: int) -> None:
        """Begin the loops."""
        beats = (
            self._repeat(self._renew, CLAIM_SECONDS / 4),
            self._repeat(self._refresh, REFRESH_SECONDS),
            self._repeat(self._sweep, _SWEEP_SECONDS),
        )
        posts = (self._go_on(self._deliver_one) for _ in range(_POSTS))
        work = (self._go_on(self._examine_one) for _ in range(lanes))
        self._loops = [asyncio.ensure_future(each) for each in (*work, *posts)]
        self._beats = [asyncio.ensure_future(each) for each in beats]

    def end(self) -> None:
        """Begin nothing new, and leave it to the next start, or to another server."""
        self._ending, self._deadline = True, time.monotonic() + self._settings.drain
        self._new.set()

    async def stop(self) -> None:
        """Finish the items in work, in the time that is left since the end began."""
        _, late = await asyncio.wait(self._loops, timeout=max(0.0, self._deadline - time.monotonic()))
        for loop in (*late, *self._beats):
            loop.cancel()
        await asyncio.gather(*self._loops, *self._beats, return_exceptions=True)
        self._threads.shutdown(cancel_futures=True)

    async def _go_on(self, one: Callable[[], Awaitable[bool]]) -> None:
        """Do one thing after the other; wait where there is none, or where something went wrong."""
        faults = _Faults(one.__name__)
        while not self._ending:
            done = False
            with faults.survived():
                done = await one()
            if not done:
                await self._pause(_POLL_SECONDS)

    async def _repeat(self, one: Callable[[], Awaitable[None]], seconds: float) -> None:
        faults = _Faults(one.__name__)
        while True:
            with faults.survived():
                await one()
            await asyncio.sleep(seconds)

    async def _surely(self, function: Callable[..., T], *arguments: object, **named: object) -> T:
        """Note what was found, as soon as the database is there; another server may have taken over meanwhile."""
        told = False
        while True:
            try:
                return await self.call(function, *arguments, **named)
            except StateUnavailable as error:
                if not told:
                    _log.error("assay: what was found waits to be noted: %s", plain(error.message, limit=300))
                told = True
                await asyncio.sleep(_POLL_SECONDS)

    async def _pause(self, seconds: float) -> None:
        """Wait for something new, or a while."""
        if self._ending:
            return
        self._new.clear()
        try:
            await asyncio.wait_for(self._new.wait(), seconds)
        except TimeoutError:
            return

    async def _examine_one(self) -> bool:
        item = await self.call(self.jobs.claim)
        if item is None:
            return False
        self._held.add(item.holder)
        try:
            await self._examine(item)
        finally:
            self._held.discard(item.holder)
        return True

    async def _examine(self, item: Item) -> None:
        options = item.options
        task = Task(
            do=SCAN,
            name=item.name,
            thorough=options.thorough,
            prior=options.prior,
            content=item.content,
            sha256=item.sha256,
        )
        try:
            answer = await self._examiner.ask_patiently(task)
        except asyncio.CancelledError:
            await self.call(self.jobs.release, item, blameless=True)
            raise
        except WorkersFailed:
            await self._surely(self.jobs.release, item, blameless=True)
            await asyncio.sleep(_POLL_SECONDS * 10)
            return
        except ParserCrashed as error:
            self._metrics.crashed(error)
            if error.foreign:
                await self._surely(self.jobs.release, item, blameless=False)
            else:
                await self._surely(self.jobs.fail, item, type(error).__name__, error.message)
            return
        self._metrics.examined(task.do, answer)
        if await self._surely(self.jobs.finish, item, answer.body, origin=answer.origin, basis=answer.basis):
            self._metrics.gave(answer)
        self._new.set()

    async def _renew(self) -> None:
        if self._held:
            await self.call(self.jobs.renew, tuple(self._held))

    async def _refresh(self) -> None:
        await self.call(self._keys.refresh)

    async def _deliver_one(self) -> bool:
        delivery = await self.call(self.jobs.due)
        if delivery is not None:
            await self._deliver(delivery)
        return delivery is not None

    async def _deliver(self, delivery: Delivery) -> None:
        owner = await self.call(self.jobs.owner, delivery.job)
        if owner is None:
            return
        job = await self.call(self.jobs.describe, delivery.job, owner, documents=False)
        body = json.dumps({"type": "job.finished", "timestamp": _now(), "data": job}).encode()
        identity = "msg_" + delivery.job.removeprefix("job_")
        headers = signed(body, identity, int(time.time()), await self.call(self._keys.webhook_secrets))
        said = await post(delivery.url, body, headers)
        again: float | None = None
        if said != "delivered":
            again = AGAIN[delivery.attempts] if delivery.attempts < len(AGAIN) else float("inf")
        await self._surely(self.jobs.delivered, delivery, said, again=again)

    async def _sweep(self) -> None:
        await self.call(self.jobs.expire, self._settings.retention)
        for state, count in (await self.call(self.jobs.counts)).items():
            self._metrics.jobs.labels(state).set(count)


class _Faults:
    """What goes wrong in one loop and must not end it: the same fault is logged once, until the loop has worked again."""

    def __init__(self, loop: str) -> None:
        self._loop, self._last = loop.strip("_").replace("_", " "), ""

    @contextlib.contextmanager
    def survived(self) -> Iterator[None]:
        try:
            yield
        except StateUnavailable:
            return  # whoever asks is told
        except Exception as error:
            told = f"{type(error).__name__}: {plain(cause(error), limit=300)}"
            if told != self._last:
                where = "".join(traceback.format_tb(error.__traceback__))
                _log.error("assay: the service goes on after a fault (%s): %s\n%s", self._loop, told, where)
            self._last = told
        else:
            self._last = ""


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
