"""How far an audit is, on standard error: a live line in a terminal, a plain line now and then otherwise.

Rules: progress never touches standard output; names of files do not get here; the total is counted beside the work and shown
when it is known.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from assay.scanning.audit.tally import Tally

_PLAIN_SECONDS = 10.0
Step = Callable[[Tally], None]


@contextmanager
def progress(*, count: Callable[[], int] | None, quiet: bool, stream: TextIO | None = None) -> Iterator[Step]:
    """Yield a function to be called after every row. `count` gives the total, and may take long; it is only asked for
    a terminal."""
    stream = stream or sys.stderr
    if quiet:
        yield lambda tally: None
    elif stream.isatty():
        with _live(count, stream) as step:
            yield step
    else:
        yield _plain(stream)


def _plain(stream: TextIO) -> Step:
    started = last = time.monotonic()

    def step(tally: Tally) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PLAIN_SECONDS:
            last = now
            rate = tally.rows / (now - started)
            print(f"assay: {tally.rows:,} files, {rate:.0f} a second: {tally.words()}", file=stream, flush=True)

    return step


@contextmanager
def _live(count: Callable[[], int] | None, stream: TextIO) -> Iterator[Step]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task("", total=None, rate="", words="")
        if count is not None:
            threading.Thread(target=lambda: bar.update(task, total=count()), daemon=True).start()
        started = time.monotonic()

        def step(tally: Tally) -> None:
            rate = tally.rows / max(time.monotonic() - started, 0.001)
            bar.update(task, completed=tally.rows, rate=f"{rate:.0f}/s", words=tally.words())

        yield step
