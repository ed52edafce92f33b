"""How far an audit is, on standard error: a live line in a terminal, a plain line now and then otherwise.

Rules: progress never touches standard output; names of files do not get here; the total is counted beside the work and shown
when it is known; what is printed meanwhile on the same terminal is printed above the live line, through its console.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from assay.scanning.audit.tally import Tally

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN_SECONDS = 10.0
Step = Callable[[Tally], None]


@dataclass(frozen=True, slots=True)
class Shown:
    """`step` is to be called after every row; `console` is where to print while a live line stands, None where none does."""

    step: Step
    console: "Console | None" = None


@contextmanager
def progress(*, count: Callable[[], int] | None, quiet: bool, stream: TextIO | None = None) -> Iterator[Shown]:
    """Show it until the end of the block. `count` gives the total, and may take long; it is only asked for a terminal."""
    stream = stream or sys.stderr
    if quiet:
        yield Shown(lambda tally: None)
    elif stream.isatty():
        with _live(count, stream) as shown:
            yield shown
    else:
        yield Shown(_plain(stream))


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
def _live(count: Callable[[], int] | None, stream: TextIO) -> Iterator[Shown]:
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

        yield Shown(step, bar.console)
