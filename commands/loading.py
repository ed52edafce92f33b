"""Loading a pixel model in this very process, so that even what kills it is said in plain words.

A processor that lacks an instruction ends a process with a signal that nothing inside can answer; a watcher forked before
sees the end of a pipe and tells why.
"""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_KILLED = (
    b"assay: the process was killed while it loaded ONNX Runtime: most likely that needs instructions that this processor"
    b" lacks, or memory ran out. assay scan --no-pixels goes on without\n"
)


def load_model(model: str) -> None:
    """Load it for what comes. Raises `RuntimeUnavailable` or `ModelRefused`."""
    from assay.detectors.classifier import load

    with _watched():
        load(model)


@contextmanager
def _watched() -> Iterator[None]:
    if not hasattr(os, "fork"):
        yield
        return
    reading, writing = os.pipe()
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the watcher runs nothing that could need one
        watcher = os.fork()
    if watcher == 0:
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.close(writing)
            if not os.read(reading, 1):
                os.write(2, _KILLED)
        finally:
            os._exit(0)
    os.close(reading)
    try:
        yield
    finally:
        os.write(writing, b".")
        os.close(writing)
        os.waitpid(watcher, 0)
