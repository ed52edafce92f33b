"""The signing log: one JSON line for every signature made, each chained to the one before by its hash.

Rules: lines are only ever appended, under a lock; a changed, removed or reordered line is found by `check`. What a chain
cannot show is that its newest lines were cut off: note the head's hash elsewhere where that matters.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from assay.provenance.errors import AssayError, OutputRefused, UnreadableFile
from assay.provenance.home import home, private_folder

_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
_GENESIS = "0" * 64
_TAILS = (2_048, 65_536)  # bytes read back to find the last line: enough for most, enough for any


class LogDamaged(AssayError):
    """The signing log was changed after it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One signature. Hashes are SHA-256 in hexadecimal; `time` is this machine's clock, RFC 3339 in UTC.

    `opening` holds what the manifest only commits to (the salt of a prompt's hash): the log is private, the manifest is not.
    """

    sequence: int
    time: str
    asset: str
    path: str
    source_sha256: str
    sha256: str
    manifest: str
    signer: str
    certificate_sha256: str
    development: bool
    timestamped: bool
    opening: Mapping[str, str]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class LogCheck:
    """How many entries hold, the hash of the last one, and the first fault in words (empty: none)."""

    entries: int
    head: str
    fault: str = ""


class SigningLog:
    """An append-only log file; the default one is `signing-log.jsonl` in assay's state folder."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or home() / "signing-log.jsonl"
        self._is_default = path is None

    def append(self, **facts: Any) -> Entry:
        """Add an entry and return it. Raises `OutputRefused` or `LogDamaged`."""
        try:
            descriptor = self._open()
            with os.fdopen(descriptor, "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                last = _last(file, self.path)
                body = {
                    "sequence": last["sequence"] + 1 if last else 1,
                    "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    **facts,
                    "previous": last["hash"] if last else _GENESIS,
                }
                canonical = _canonical(body)
                digest = hashlib.sha256(canonical).hexdigest()
                _append(descriptor, canonical[:-1] + f',"hash":"{digest}"}}\n'.encode())
                return Entry(**body, hash=digest)
        except OSError as error:
            raise OutputRefused.from_os_error(self.path, error) from error

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            if not self._is_default:
                raise
            private_folder()
            return os.open(self.path, flags, 0o600)

    def entries(self) -> Iterator[Entry]:
        """Replay the log, oldest first, checking the chain on the way. Raises `LogDamaged` or `UnreadableFile`."""
        previous, position = _GENESIS, 0
        try:
            with self.path.open("rb") as file:
                for position, line in enumerate(file, 1):
                    entry = _parsed(line)
                    if entry is None:
                        raise LogDamaged(f"{self.path}: line {position} is no entry")
                    body = {key: value for key, value in entry.items() if key != "hash"}
                    if entry["hash"] != _hash(body):
                        raise LogDamaged(f"{self.path}: line {position} was changed after it was written")
                    if entry["previous"] != previous or entry["sequence"] != position:
                        raise LogDamaged(f"{self.path}: before line {position} a line was removed, added or moved")
                    previous = entry["hash"]
                    yield Entry(**entry)
        except FileNotFoundError:
            return
        except OSError as error:
            raise UnreadableFile.from_os_error(self.path, error) from error

    def check(self) -> LogCheck:
        """Walk the whole chain. Raises `UnreadableFile` only: damage is a finding."""
        count, head = 0, _GENESIS
        try:
            for entry in self.entries():
                count, head = entry.sequence, entry.hash
        except LogDamaged as damage:
            return LogCheck(count, head, damage.message)
        return LogCheck(count, head)


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(body)).hexdigest()


def _canonical(body: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8; the bytes of a file name that are no text stand as the escapes by which Python knows them."""
    return _CANONICAL(body).encode("utf-8", "backslashreplace")


def _append(descriptor: int, line: bytes) -> None:
    """Write all of a line or nothing: half a line, left by a full disk, would keep every later one out."""
    end = os.fstat(descriptor).st_size
    try:
        while line:
            line = line[os.write(descriptor, line) :]
    except BaseException:
        os.ftruncate(descriptor, end)
        raise


def _last(file: BinaryIO, path: Path) -> dict[str, Any] | None:
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return None
    for tail in _TAILS:
        file.seek(max(0, size - tail))
        lines = file.read().splitlines()
        entry = _parsed(lines[-1]) if lines else None
        if entry is not None:
            break
    if entry is None:
        raise LogDamaged(
            f"{path}: its last line is no entry", "`assay signatures check` looks closer; then move it away"
        )
    return entry


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    fields = set(Entry.__dataclass_fields__)
    return entry if isinstance(entry, dict) and set(entry) == fields else None
