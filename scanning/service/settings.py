"""What one server is told: where it listens, what it may spend on a request, what it keeps.

Rules: every limit has a default that a laptop survives; nothing is kept unless a place for it is named.
"""

from dataclasses import dataclass
from pathlib import Path

from assay.provenance.asset import Limits
from assay.scanning.child import WorkerLimits
from assay.scanning.scan import DEFAULT_MODEL
from assay.scanning.worker import cores

_MEBIBYTE = 1024 * 1024
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of `assay serve`. Sizes in bytes and pixels, times in seconds.

    `queue`: examinations that may wait beside those in work; `held`: upload bytes in memory at once; `waiting`: of jobs on
    disk, `waiting_each`: the same of one caller; `spare`: bytes that stay free on the disk of `state`; `seconds`: for one file; `receive`: for one body to arrive, and for written answers to be taken; `head`: for one request line and headers;
    `names`: host names under which the server answers beside its own address; `rate`: requests a minute for one caller, 0
    for no limit; `state`: the folder of keys, jobs and decisions, None to keep nothing; `database`: the URL of a PostgreSQL
    database in its place; `policies`: files of label policies beside the presets.
    """

    host: str = "127.0.0.1"
    port: int = 8320
    names: tuple[str, ...] = ()
    workers: int = 0
    model: str | None = DEFAULT_MODEL
    queue: int = 32
    upload: int = 64 * _MEBIBYTE
    held: int = 512 * _MEBIBYTE
    waiting: int = 4096 * _MEBIBYTE
    waiting_each: int = 1024 * _MEBIBYTE
    spare: int = 256 * _MEBIBYTE
    pixels: int = 100_000_000
    seconds: float = 60.0
    receive: float = 30.0
    head: float = 10.0
    drain: float = 60.0
    rate: int = 0
    state: Path | None = None
    database: str = ""
    retention: float = 24 * 3600.0
    webhook_hosts: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    unprotected: bool = False

    @property
    def size(self) -> int:
        """How many files are examined at once."""
        return self.workers or cores()

    @property
    def place(self) -> Path | str | None:
        """Where keys, jobs and decisions are, if anywhere."""
        return self.database or self.state

    @property
    def reserve(self) -> int:
        """Bytes that stay free on the disk of `state`: to delete an upload takes its size once more."""
        return max(self.spare, 2 * self.upload)

    @property
    def limits(self) -> Limits:
        """What a child refuses to open."""
        return Limits(bytes=self.upload, pixels=self.pixels)

    @property
    def worker_limits(self) -> WorkerLimits:
        """What a child may use for one file; its answer may be a page with small pictures."""
        return WorkerLimits(seconds=self.seconds, cpu_seconds=int(self.seconds) + 1, answer=16 * _MEBIBYTE)
