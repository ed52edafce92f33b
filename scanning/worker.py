"""Hostile files are opened here: child processes with warm scanners, limited memory and time, that may die.

Rules: a child gets bytes and gives back bounded bytes, never a pickle; whatever happens to it costs one answer and no other;
every child computes with one thread, so that as many children as cores do not fight; children ignore Ctrl-C and end when
their parent is gone; before the first file a child gives up network, programs and writing (`child`, `confining`); what harmed a
child is not opened again, whatever it is called the next time; what only took too long is, after a while.
"""

import contextlib
import hashlib
import math
import os
import pickle
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from assay.provenance.errors import AssayError
from assay.scanning.carrier import Carrier
from assay.scanning.child import MEBIBYTE, Examine, WorkerLimits, serve
from assay.scanning.exchange import Malformed, hear, tell

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
# glibc would give a picture's memory back after each file and fault it in again for the next: a tenth of a child's time
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(32 * MEBIBYTE), "MALLOC_TRIM_THRESHOLD_": str(64 * MEBIBYTE)}
_START_SECONDS = 120.0
# until a file that had no answer in time is opened again: its child, or the machine, may have been stopped
_HUNG_SECONDS = 600.0
_LACKING = "a library needs instructions that this processor lacks, most likely ONNX Runtime"


class ParserCrashed(AssayError):
    """Examining a file killed the process that did it, or would not end. `foreign`: something outside killed it; `hung`: there was
    no answer in time; `unopened`: that was earlier, and the file was not opened again."""

    def __init__(self, reason: str, *, foreign: bool = False, hung: bool = False, unopened: bool = False) -> None:
        super().__init__(f"crashed the parser: {reason}", "the file may be hostile; nothing of it was believed")
        self.reason = reason
        self.foreign, self.hung, self.unopened = foreign, hung, unopened

    @property
    def lasting(self) -> bool:
        """Whether it is the file's own doing for certain, and would happen on every machine and every day."""
        return not (self.foreign or self.hung)


class WorkersFailed(AssayError):
    """The child processes do not come up at all. `unable`: why, where this machine cannot run what pixel models need."""

    def __init__(self, message: str, hint: str = "", *, unable: str = "") -> None:
        super().__init__(message, hint)
        self.unable = unable


class Pool:
    """As many children as asked for. `make` is called once in each child (it must be picklable) and gives the function
    that examines one file's bytes there. `instead`: what to make, for a reason, where this machine cannot run what pixel
    models need; `told` is called once with the reason, from a thread of the pool's, where that is made from then on.

    Use as a context manager; `submit` may be called from any thread.
    """

    def __init__(
        self,
        make: Callable[[], Examine],
        *,
        size: int,
        limits: WorkerLimits | None = None,
        instead: Callable[[str], Callable[[], Examine]] | None = None,
        told: Callable[[str], None] | None = None,
    ) -> None:
        self._tasks: queue.SimpleQueue[tuple[bytes, str, Future[bytes]] | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        limits = limits or WorkerLimits()
        harmful, making = _Quarantine(), _Making(make, instead, told)
        self._lanes = [_Lane(making, limits, self._tasks, self._closing, harmful) for _ in range(size)]
        self.size = size

    def __enter__(self) -> Self:
        for lane in self._lanes:
            lane.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(now=error is not None)

    def submit(self, content: bytes, *, key: str = "") -> "Future[bytes]":
        """The answer for one file's bytes; fails with `ParserCrashed` where the file killed two children,
        or hung one, now or earlier, and with `WorkersFailed` where none can be started.

        `key`: by what to know it again should it do harm, where `content` holds more than the file, such as a name; else its hash.
        """
        future: Future[bytes] = Future()
        self._tasks.put((content, key, future))
        return future

    def ask(self, content: bytes, *, key: str = "") -> bytes:
        """The answer, waited for in the caller's own thread: for whoever has one file at a time, and without the two changes
        of threads that `submit` costs. Raises as `submit` fails."""
        return self._lanes[0].ask(content, key)

    def close(self, *, now: bool = False) -> None:
        """End the children: after the work in hand, or at once."""
        if now:
            self._closing.set()
            for lane in self._lanes:
                lane.kill()
        for _ in self._lanes:
            self._tasks.put(None)
        for lane in self._lanes:
            lane.join()


class _Quarantine:
    """What harmed a child, and how; shared by the lanes of one pool."""

    _MOST = 4_096

    def __init__(self) -> None:
        self._harms: dict[str, tuple[str, float]] = {}  # by key: the reason, and until when it counts

    def refuse(self, content: bytes, key: str) -> None:
        """Raise `ParserCrashed` for what harmed a child before. Nothing is hashed while nothing did."""
        if not self._harms:
            return
        reason, until = self._harms.get(key or _hash(content), ("", 0.0))
        if time.monotonic() < until:
            raise ParserCrashed(f"{reason}; it was not opened again", hung=until < math.inf, unopened=True)

    def add(self, content: bytes, key: str, error: ParserCrashed) -> None:
        """Remember; beyond some thousands the oldest are forgotten and may do their harm once more."""
        while len(self._harms) >= self._MOST:
            self._harms.pop(next(iter(self._harms)), None)
        until = time.monotonic() + _HUNG_SECONDS if error.hung else math.inf
        self._harms[key or _hash(content)] = error.reason, until


class _Making:
    """What the children of one pool make, and what instead where that does not go."""

    def __init__(
        self,
        make: Callable[[], Examine],
        instead: Callable[[str], Callable[[], Examine]] | None,
        told: Callable[[str], None] | None,
    ) -> None:
        self.make, self._told = make, told
        self.instead = instead  # None as well once that is what is made
        self._lock = threading.Lock()

    def give_way(self, tried: Callable[[], Examine], error: WorkersFailed) -> None:
        """Take the other one. Raises `error` where there is none, or where that was it."""
        with self._lock:
            if self.make is not tried:
                return  # another lane came first
            if not error.unable or self.instead is None:
                raise error
            self.make, self.instead = self.instead(error.unable), None
        if self._told is not None:
            self._told(error.unable)


class _Lane(threading.Thread):
    """One child and the thread that feeds it."""

    def __init__(
        self,
        making: _Making,
        limits: WorkerLimits,
        tasks: "queue.SimpleQueue[tuple[bytes, str, Future[bytes]] | None]",
        closing: threading.Event,
        harmful: _Quarantine,
    ) -> None:
        super().__init__(daemon=True)
        self._harmful = harmful
        self._making, self._limits, self._tasks, self._closing = making, limits, tasks, closing
        self._child: Any = None
        self._pipe: Connection | None = None
        self._carrier = Carrier()
        self._asking = threading.Lock()  # one file at a time, whoever's thread asks

    def ask(self, content: bytes, key: str) -> bytes:
        """The answer for one file, in the caller's thread."""
        with self._asking:
            return self._examine(content, key)

    def run(self) -> None:
        while (task := self._tasks.get()) is not None:
            content, key, future = task
            if self._closing.is_set() or not future.set_running_or_notify_cancel():
                future.cancel()
                continue
            try:
                future.set_result(self.ask(content, key))
            except AssayError as error:
                future.set_exception(error)
            except BaseException as error:  # a defect of ours: whoever waits must hear of it
                future.set_exception(WorkersFailed(f"a worker's thread failed: {type(error).__name__}: {error}"[:500]))
            del content, future, task
        self._end()
        self._carrier.close()

    def kill(self) -> None:
        """End the child at once, from another thread."""
        child = self._child
        if child is not None:
            with contextlib.suppress(Exception):
                child.kill()

    def _examine(self, content: bytes, key: str) -> bytes:
        """Ask the child unless the content harmed one before; remember what harms this one."""
        self._harmful.refuse(content, key)
        try:
            return self._ask_twice(content)
        except ParserCrashed as error:
            if not error.foreign:
                self._harmful.add(content, key, error)
            raise

    def _ask_twice(self, content: bytes) -> bytes:
        """A child that dies is replaced and asked once more, for it may have died of what came before."""
        try:
            return self._ask(content)
        except _Died as death:
            if self._closing.is_set():
                raise ParserCrashed("the work was ended", foreign=True) from None
            if death.signal == signal.SIGXCPU:  # asking again would only cost the same again
                raise ParserCrashed(death.reason) from None
        make = self._making.make
        try:
            return self._ask(content)
        except _Died as death:
            if death.signal == signal.SIGILL and (self._making.instead is not None or self._making.make is not make):
                return self._ask_without(content, make, death)
            raise ParserCrashed(death.reason, foreign=death.signal == signal.SIGKILL) from None

    def _ask_without(self, content: bytes, tried: Callable[[], Examine], death: "_Died") -> bytes:
        """What kills without the model too is a parser's fault; otherwise this processor cannot run the model on every picture,
        though it could when the child was made, and all that follows does without."""
        unable = f"{_LACKING} ({death.reason})"
        instead = self._making.instead
        try:
            if instead is not None:  # else another lane came first
                self._start(instead(unable))
            answer = self._ask(content)
        except _Died as again:
            raise ParserCrashed(again.reason, foreign=again.signal == signal.SIGKILL) from None
        self._making.give_way(tried, WorkersFailed(death.reason, unable=unable))
        return answer

    def _ask(self, content: bytes) -> bytes:
        descriptor = self._connected().fileno()
        try:
            tell(descriptor, self._carrier.load(content))
            answer = hear(descriptor, most=self._limits.answer + 1, seconds=self._limits.seconds)
        except TimeoutError:
            self._kill_child()
            raise ParserCrashed(f"no answer within {self._limits.seconds:g} seconds", hung=True) from None
        except Malformed as error:
            self._kill_child()
            raise ParserCrashed(f"its answer is {error}") from None
        except (EOFError, ConnectionError):
            raise self._death() from None
        except BaseException:  # interrupted: its answer must not be taken for the next file's
            self._kill_child()
            raise
        self._carrier.shrink(len(content))
        kind, body = answer[:1], answer[1:]
        if kind == b"R":  # it has grown too large and ends itself
            self._end()
        elif kind != b"A":
            self._kill_child()
            raise ParserCrashed("its answer is malformed")
        return body

    def _connected(self) -> Connection:
        if self._pipe is not None:
            return self._pipe
        make = self._making.make
        try:
            return self._start(make)
        except WorkersFailed as error:
            self._making.give_way(make, error)
            return self._start(self._making.make)

    def _start(self, make: Callable[[], Examine]) -> Connection:
        spawning = get_context("spawn")
        ours, theirs = spawning.Pipe()
        child = spawning.Process(target=serve, args=(theirs, self._carrier, self._limits), daemon=True)
        with _environment_of_a_child():
            child.start()
        theirs.close()
        self._child, self._pipe = child, ours
        if self._closing.is_set():
            self._kill_child()
            raise ParserCrashed("the work was ended", foreign=True)
        try:
            # Not as an argument of the process: a child that dies before it reads those lets its parent wait for ever.
            tell(ours.fileno(), self._carrier.load(pickle.dumps(make)))
            greeting = hear(ours.fileno(), most=MEBIBYTE, seconds=_START_SECONDS)
        except TimeoutError:
            greeting = b"no sign of life"
        except (EOFError, OSError, Malformed):
            greeting = str(self._death()).encode()
        if greeting != b"ready":
            self._kill_child()
            said = greeting.decode(errors="replace")[:500]
            raise _failed(said)
        return ours

    def _death(self) -> "_Died":
        child = self._child
        child.join(5)
        code = child.exitcode
        self._kill_child()
        return _Died(_cause(code), -(code or 0))

    def _kill_child(self) -> None:
        self.kill()
        self._end()

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._child is not None:
            self._child.join(5)
            if self._child.is_alive():
                self._child.kill()
                self._child.join()
        self._child = self._pipe = None


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _failed(said: str) -> WorkersFailed:
    message, kind = f"a worker process does not start: {said}", "RuntimeUnavailable: "
    if "SIGILL" in said:
        return WorkersFailed(message, f"{_LACKING}: go on with --no-pixels", unable=f"{_LACKING} ({said})")
    return WorkersFailed(message, unable=said.removeprefix(kind) if said.startswith(kind) else "")


class _Died(Exception):
    def __init__(self, reason: str, number: int) -> None:
        super().__init__(reason)
        self.reason, self.signal = reason, number


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"the process ended with code {code}"
    match -code:
        case signal.SIGXCPU:
            return "it used more processor time than one file may"
        case signal.SIGKILL:
            return "the process was killed"
        case number:
            return f"the process died of {signal.Signals(number).name}"


_environment = threading.Lock()


@contextlib.contextmanager
def _environment_of_a_child() -> Any:
    """A child inherits the environment of the moment; numeric libraries read their thread counts there, glibc its settings."""
    with _environment:
        before = {name: os.environ.get(name) for name in (*_THREADS, *_MALLOC)}
        os.environ.update(dict.fromkeys(_THREADS, "1") | _MALLOC)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
