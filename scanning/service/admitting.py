"""The way from the event loop into the pool: bounded, counted, given up when nobody waits any more.

Rules: what cannot be examined soon is refused at once with the time after which to try again; upload bytes in memory are
counted as they come and not as they are announced, and are bounded in sum and for one caller; who hangs up frees the place in
the queue.
"""

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future

from assay.provenance.errors import AssayError
from assay.scanning.service.believing import believed
from assay.scanning.service.examining import OUT_OF_MEMORY, WARM, Answer, Task
from assay.scanning.worker import ParserCrashed, Pool

_FIRST_GUESS = 0.5  # seconds for one file, before any was measured
_WEIGHT = 0.1  # of the newest measurement in the moving average
_ARRIVING = 5.0  # seconds until uploads that are on their way are there, as a guess


class Busy(AssayError):
    """There is too much to do; `retry_after` is in whole seconds."""

    def __init__(self, reason: str, retry_after: float) -> None:
        self.retry_after = max(1, math.ceil(retry_after))
        super().__init__(reason, f"try again in {self.retry_after} s")


class Abandoned(AssayError):
    """The caller hung up before there was an answer."""


class Memory:
    """Upload bytes in memory: `most` of all callers, three quarters of that of one.

    `wait` tells in how many seconds to try again.
    """

    def __init__(self, most: int, wait: Callable[[], float]) -> None:
        self._most, self._wait = most, wait
        self._held: Counter[str] = Counter()  # by caller
        self._sum = 0

    def check(self, caller: str, size: int, *, own: int) -> None:
        """Raise `Busy` where an upload that has `own` bytes may not have `size` more beside the others; one alone always may."""
        if self._sum > own and self._sum + size > self._most:
            raise Busy("too many uploads are in memory already", max(_ARRIVING, self._wait()))
        if self._held[caller] > own and self._held[caller] + size > self._most * 3 // 4:
            raise Busy("too many uploads of yours are in memory already", max(_ARRIVING, self._wait()))

    def add(self, caller: str, size: int) -> None:
        """Count bytes that came, or with a minus sign those that are gone."""
        self._sum += size
        self._held[caller] += size
        if not self._held[caller]:
            del self._held[caller]


class Holding:
    """One caller's upload as it grows."""

    def __init__(self, memory: Memory, caller: str) -> None:
        self._memory, self._caller = memory, caller
        self._size = 0

    def check(self, size: int) -> None:
        """Raise `Busy` where there is no room for `size` bytes more."""
        self._memory.check(self._caller, size, own=self._size)

    def grow(self, size: int) -> None:
        """The same, and count them."""
        self.check(size)
        self._memory.add(self._caller, size)
        self._size += size

    def release(self) -> None:
        """The upload is gone."""
        self._memory.add(self._caller, -self._size)


class Examiner:
    """Asks the pool. Used from one event loop; `waiting` counts what was submitted and is not answered yet."""

    def __init__(self, pool: Pool, *, queue: int, held: int) -> None:
        self._pool, self._most = pool, pool.size + queue
        self._memory = Memory(held, self._wait)
        self._mean = _FIRST_GUESS
        self.waiting = 0
        self.warm = False

    async def warm_up(self) -> None:
        """Start every child and load its model. Raises `WorkersFailed`."""
        tasks = [self._pool.submit(Task(do=WARM).packed()) for _ in range(self._pool.size)]
        await asyncio.gather(*map(asyncio.wrap_future, tasks))
        self.warm = True

    def check(self) -> None:
        """Raise `Busy` where another examination would wait too long."""
        if self.waiting >= self._most:
            raise Busy(f"{self.waiting} examinations are waiting already", self._wait())

    def _wait(self) -> float:
        """Seconds until what is waiting now is answered."""
        return self.waiting * self._mean / self._pool.size

    @contextlib.contextmanager
    def holding(self, caller: str) -> Iterator[Holding]:
        """Account for one upload in memory until it is no longer needed."""
        holding = Holding(self._memory, caller)
        try:
            yield holding
        finally:
            holding.release()

    async def ask(self, task: Task, *, hung_up: Callable[[], Awaitable[None]] | None = None) -> Answer:
        """The answer to one task. Raises `Busy`, `ParserCrashed`, `WorkersFailed` or `Abandoned`.

        `hung_up` returns when the caller is gone.
        """
        self.check()
        return await self.ask_patiently(task, hung_up=hung_up)

    async def ask_patiently(self, task: Task, *, hung_up: Callable[[], Awaitable[None]] | None = None) -> Answer:
        """The same without a limit to the queue: for work that was accepted before."""
        self.waiting += 1
        asked = time.perf_counter()
        future = self._pool.submit(task.packed(), key=task.key)
        try:
            message = await self._answered(future, hung_up)
        finally:
            self.waiting -= 1
        try:
            answer = believed(task, message, within=time.perf_counter() - asked)
        except (ValueError, TypeError, RecursionError) as error:
            raise ParserCrashed(f"its answer is malformed: {error}"[:300]) from None
        if answer.error == OUT_OF_MEMORY:
            raise ParserCrashed("it needs more memory than a worker may use")
        self._mean += _WEIGHT * (answer.seconds - self._mean)
        return answer

    async def _answered(self, future: "Future[bytes]", hung_up: Callable[[], Awaitable[None]] | None) -> bytes:
        answered = asyncio.wrap_future(future)
        if hung_up is None:
            return await answered
        gone = asyncio.ensure_future(hung_up())
        # takes it out of the queue; what is in a child already goes on to its end
        gone.add_done_callback(lambda _: answered.cancel())
        try:
            return await answered
        except asyncio.CancelledError:
            if gone.done():
                raise Abandoned("the caller hung up") from None
            raise
        finally:
            gone.cancel()
