"""Ctrl-C and its like wait for the end of what they would break off badly: a call of the C2PA SDK, a file's coming and going.

Rules: only handlers in Python wait, which run in the main thread alone; default and ignored signals, other threads and forked
children are left as they are; what came is handed on in order to the handler that was there, and none of it is lost.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]
_HELD = tuple(  # what programs are ended and limited with; not every system has all of them
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGBREAK")
    if hasattr(signal, name)
)


class _Hold:
    """Stands in for the handlers of this process. While `open`, it calls them at once: before, after, and when let."""

    def __init__(self) -> None:
        self.open = True
        self._handlers: dict[int, Handler] = {}
        self._waiting: list[tuple[int, FrameType | None]] = []
        self._process = os.getpid()

    def begin(self) -> None:
        """Take the places of the handlers that are Python's."""
        for number in _HELD:
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._came)
        self.open = False

    def end(self) -> None:
        """Give the places back and hand on what waited. Where it is interrupted, what stays in a place stays open."""
        self.open = True
        try:
            for number, handler in self._handlers.items():
                if signal.getsignal(number) == self._came:  # else somebody set another meanwhile
                    signal.signal(number, handler)
        finally:
            self.hand_on()

    def hand_on(self) -> None:
        """Call the handlers of what waited. One that raises does not take its turn from the next."""
        while self._waiting:
            number, frame = self._waiting.pop(0)
            try:
                self._handlers[number](number, frame)
            finally:
                self.hand_on()

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self.open or os.getpid() != self._process:  # a child forked meanwhile has nobody who would hand it on
            self._handlers[number](number, frame)
        else:
            self._waiting.append((number, frame))


class _Here(threading.local):
    hold: _Hold | None = None


_here = _Here()


@contextmanager
def held() -> Iterator[None]:
    """Keep signals back until the end of the block; also a decorator. Within another such block it changes nothing."""
    outer = _here.hold
    if threading.current_thread() is not threading.main_thread() or (outer is not None and not outer.open):
        yield
        return
    hold = _Hold()
    try:
        hold.begin()
        _here.hold = hold
        yield
    finally:
        _here.hold = outer
        hold.end()


@contextmanager
def let_through() -> Iterator[None]:
    """Within `held`, for what is the caller's own: what waited is handed on first, and what comes at once."""
    hold = _here.hold
    if hold is None or hold.open:
        yield
        return
    hold.open = True
    try:
        hold.hand_on()
        yield
    finally:
        hold.open = False
