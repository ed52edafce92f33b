"""A worker's child process: a warm scanner that gives up network, programs and writing, and answers until its pipe closes.

Rules: it computes with one thread, ignores Ctrl-C, prints nothing, and ends when its parent is gone or it has grown too large.
"""

import contextlib
import os
import pickle
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from assay.scanning.carrier import Carrier
from assay.scanning.confining import confine
from assay.scanning.exchange import hear, tell

Examine = Callable[[bytes], bytes]
MEBIBYTE = 1024 * 1024
_TOLD = 8  # bytes: how much the carrier holds
UNCONFINED = "ASSAY_UNCONFINED"  # set to 1 where the kernel refuses the filter and something else confines


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """What one child may use; each field's metadata says what it bounds."""

    memory: int = field(default=4096 * MEBIBYTE, metadata={"bounds": "bytes of address space"})
    resident: int = field(
        default=1536 * MEBIBYTE, metadata={"bounds": "bytes held between files; a child above is replaced"}
    )
    cpu_seconds: int = field(default=60, metadata={"bounds": "seconds of processor time for one file"})
    seconds: float = field(default=180.0, metadata={"bounds": "seconds until the answer for one file"})
    answer: int = field(default=4 * MEBIBYTE, metadata={"bounds": "bytes of one answer"})
    written: int = field(default=0, metadata={"bounds": "bytes of a file it writes"})
    descriptors: int = field(default=256, metadata={"bounds": "open files"})


def serve(pipe: Connection, carrier: Carrier, limits: WorkerLimits) -> None:
    """A child's life: make the scanner that the carrier brings first, answer for what it holds until the pipe closes."""
    parent = pipe.fileno()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)  # native libraries print what hostile files make them print
        os.dup2(nowhere.fileno(), 2)
    try:
        made = carrier.unload(hear(parent, most=_TOLD))  # by the parent, who started this
        make: Callable[[], Examine] = pickle.loads(made)  # noqa: S301
        examine = make()
        give_up(limits)
    except BaseException as error:
        tell(parent, f"{type(error).__name__}: {error}".encode()[:1000])
        return
    tell(parent, b"ready")
    while True:
        try:
            content = carrier.unload(hear(parent, most=_TOLD))
        except (EOFError, OSError):
            return
        _limit(resource.RLIMIT_CPU, int(time.process_time()) + limits.cpu_seconds + 1)
        answer = examine(content)
        del content
        grown = _grown_above(limits.resident)
        try:
            tell(parent, (b"R" if grown else b"A") + answer)
        except OSError:
            return
        if grown:
            return


def give_up(limits: WorkerLimits) -> None:
    """For good: memory, files, descriptors, and where the platform can, network, programs and writing."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for what, value in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_FSIZE, limits.written),
        (resource.RLIMIT_NOFILE, limits.descriptors),
    ):
        _, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some
            resource.setrlimit(what, (value, value))
    if os.environ.get(UNCONFINED) != "1":
        confine()


def _limit(what: int, value: int) -> None:
    """Lower the soft limit; the hard one stays, for the processor time is set anew for every file."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (value, hard))


def _grown_above(limit: int) -> bool:
    """Whether more bytes of memory are held now; by the peak alone where the system does not tell."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if peak <= limit:  # far cheaper to ask for
        return False
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - once per file of an audit
            return int(file.read().split()[1]) * resource.getpagesize() > limit
    except OSError:
        return True
