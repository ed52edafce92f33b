"""Examiners for worker processes that try what a parser taken over would try; which attempt is written in the bytes."""

import ctypes
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _late_thread() -> None:
    """A thread that was there before the filter came must be under it, too."""
    _asked.wait(30)
    _said.append(_outcome(lambda: socket.create_connection(("127.0.0.1", 9), timeout=1)))
    _told.set()


_asked, _told = threading.Event(), threading.Event()
_said: list[str] = []


def _old_thread() -> Any:
    _asked.set()
    _told.wait(30)
    raise PermissionError(_said[0])


ATTEMPTS: dict[str, Callable[[], object]] = {
    "connect": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
    "listen": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    "unix socket": lambda: socket.socketpair(),
    "look up a name": lambda: socket.getaddrinfo("example.org", 443),
    "run a program": lambda: subprocess.run(["/bin/true"], check=True),
    "fork": os.fork,
    "create a file": lambda: Path("escaped").write_text("x"),
    "append to a file": lambda: Path(os.environ["ASSAY_TEST_FILE"]).open("a").close(),
    "delete a file": lambda: Path(os.environ["ASSAY_TEST_FILE"]).unlink(),
    "rename a file": lambda: Path(os.environ["ASSAY_TEST_FILE"]).rename("elsewhere"),
    "kill the parent": lambda: os.kill(os.getppid(), signal.SIGTERM),
    "a file in memory": lambda: os.memfd_create("x"),
    "an old thread connects": _old_thread,
    "raw clone3": lambda: _raw(435),
    "io_uring": lambda: _raw(425),
}


def _raw(number: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.syscall(ctypes.c_long(number), 0, 0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except (OSError, subprocess.SubprocessError) as error:
        return f"refused: {type(error).__name__}: {error}"
    return "done"


def escaping() -> Callable[[bytes], bytes]:
    """Made in the child; answers with what came of an attempt, or with a file's content for `read PATH`."""
    threading.Thread(target=_late_thread, daemon=True).start()

    def examine(content: bytes) -> bytes:
        word = content.decode()
        if word.startswith("read "):
            return Path(word[5:]).read_bytes()[:100]
        if word == "think in threads":
            done: list[int] = []
            threads = [threading.Thread(target=done.append, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return str(len(done)).encode()
        return _outcome(ATTEMPTS[word]).encode()

    return examine


def noisy() -> Callable[[bytes], bytes]:
    """Prints what native libraries print, past Python's own streams."""

    def examine(content: bytes) -> bytes:
        os.write(2, b"_tiffReadProc: Invalid Read of 4 bytes\n")
        os.write(1, b"to the terminal\n")
        return b"quiet"

    return examine
