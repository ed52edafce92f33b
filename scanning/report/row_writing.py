"""Rows into files, several at once, each in the format that its ending names.

Rules: a file is written as `NAME.part` beside its place and renamed when finished, so that a kill never leaves half a report
under a whole one's name; two audits never write one part; an interrupted audit's files are whole and say that they are
partial where the format can; an output that cannot be written is given up with its reason, and the others go on.
"""

import contextlib
import fcntl
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Protocol

from assay.provenance.errors import AssayError, OutputRefused
from assay.scanning.audit.row import Row
from assay.scanning.report.placing import refuse_picture

ENDINGS = (".jsonl", ".ndjson", ".csv", ".parquet", ".sarif", ".sarif.json", ".html")


class RowWriter(Protocol):
    """Takes rows one by one. `finish` ends the file; `complete` is False where the audit was interrupted."""

    def write(self, row: Row) -> None:
        """Take one row."""
        ...

    def finish(self, *, complete: bool) -> None:
        """Write what must come last."""
        ...


class JsonRows:
    """One line of JSON for every row, there as soon as the row is."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, row: Row) -> None:
        """Write one line."""
        self._stream.write(row.to_json() + "\n")
        self._stream.flush()

    def finish(self, *, complete: bool) -> None:
        """Nothing is left to write."""


class Outputs:
    """All outputs of one audit. A name is a file or `-` for JSONL on standard output."""

    def __init__(self, names: Sequence[str], *, keep: Sequence[Path] = ()) -> None:
        """Open every output, so that what cannot be written is known before anything is examined. `keep`: rows that are read,
        and must not be replaced by fewer. Raises `OutputRefused`."""
        self.failures: list[AssayError] = []
        self._files: list[_Output] = []
        try:
            taken: set[Path] = set()
            kept = {path.resolve() for path in keep}
            for name in names:
                place = Path(name).resolve()
                if place in taken:
                    raise OutputRefused(f"{name}: named twice", "name each output once")
                if place in kept and name != "-":
                    raise OutputRefused(f"{name}: is read, and would be replaced", "name another file to write")
                taken.add(place)
                self._files.append(_Output(name))
        except BaseException:  # Ctrl-C, too, leaves no part behind
            self.abandon()
            raise

    def write(self, row: Row) -> None:
        """Give one row to every output that still works."""
        self._each(lambda output: output.writer.write(row))

    def finish(self, *, complete: bool) -> None:
        """End every file and put it in its place."""
        self._each(lambda output: output.finish(complete=complete))

    def _each(self, act: "Callable[[_Output], None]") -> None:
        gone: BrokenPipeError | None = None
        for output in tuple(self._files):
            try:
                act(output)
            except BrokenPipeError as error:  # whoever read our standard output has gone; the files are still wanted
                self._files.remove(output)
                gone = error
            except OSError as error:
                self.failures.append(OutputRefused.from_os_error(output.name, error))
                output.abandon()
                self._files.remove(output)
        if gone is not None:
            raise gone

    def abandon(self) -> None:
        """Give up every output; files that bear their names already stay as they are."""
        for output in self._files:
            output.abandon()


class _Output:
    def __init__(self, name: str) -> None:
        self.name = name
        self._stream: IO[str] | None = None
        self._claim: int | None = None  # a descriptor of the part, locked while it is ours
        self._target = Path(name)
        self._part = self._target.with_name(self._target.name + ".part")
        if name == "-":
            self.writer: RowWriter = JsonRows(sys.stdout)
            return
        if not name.lower().endswith(ENDINGS):
            raise OutputRefused(f"{name}: its ending names no format", f"one of {', '.join(ENDINGS)}")
        try:
            if self._target.is_dir():
                raise OutputRefused(f"{name}: is a folder", "name a file")
            refuse_picture(self._target)
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._claim = _claimed(self._part, name)
            self.writer = self._open()
        except OSError as error:
            self.abandon()
            raise OutputRefused.from_os_error(name, error) from error
        except BaseException:
            self.abandon()
            raise

    def _open(self) -> RowWriter:
        name = self.name.lower()
        if name.endswith(".parquet"):
            from assay.scanning.report.parquet import ParquetRows

            return ParquetRows(self._part)
        self._stream = stream = self._part.open("w", encoding="utf-8", newline="")
        if name.endswith(".csv"):
            from assay.scanning.report.table import CsvRows

            return CsvRows(stream)
        if name.endswith((".sarif", ".sarif.json")):
            from assay.scanning.report.sarif import SarifRows

            return SarifRows(stream)
        if name.endswith(".html"):
            from assay.scanning.report.summary import SummaryPage

            return SummaryPage(stream)
        return JsonRows(stream)

    def finish(self, *, complete: bool) -> None:
        self.writer.finish(complete=complete)
        if self.name == "-":
            sys.stdout.flush()
            return
        if self._stream is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
        self._part.replace(self._target)
        self._release()

    def abandon(self) -> None:
        """Give the file up; nothing of it is left behind."""
        if self._stream is not None:
            with contextlib.suppress(OSError):  # closing flushes, and that is what has failed
                self._stream.close()
        if self._claim is not None:
            self._part.unlink(missing_ok=True)
            self._release()

    def _release(self) -> None:
        """Let others have the part's name, of which nothing of ours is left."""
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None


def _claimed(part: Path, name: str) -> int:
    """A descriptor of a part that is ours until it is closed. What a killed audit left is nobody's. Raises `OutputRefused`."""
    while True:
        claim = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(claim)
            raise OutputRefused(
                f"{name}: another audit is writing it", "name another output, or wait until that one has ended"
            ) from None
        except OSError:  # a file system without locks
            return claim
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(claim), part.lstat()):
                return claim
        os.close(claim)  # whoever had it has ended between our opening and locking it
