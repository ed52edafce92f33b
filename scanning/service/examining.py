"""What a worker does with one upload: scan, verify or look at it, and answer with the bytes that go to the caller.

Rules: tasks and answers are an envelope (four bytes of length, JSON, bytes), never a pickle; the model is warm before the
first task; whatever the content does, an answer comes back or the process dies.
"""

import hashlib
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from assay.provenance.asset import Asset, Limits
from assay.provenance.custody.examining import Examined
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.trust import TrustPolicy
from assay.scanning import envelope
from assay.scanning.audit.examining import Scanning
from assay.scanning.report import custody_presenting
from assay.scanning.report.document import to_json
from assay.scanning.scan import Failure, Report, Scanner

if TYPE_CHECKING:
    from assay.provenance.repository import Repository

SCAN, VERIFY, LOOK, WARM = "scan", "verify", "look", "warm"
RESOLVE, RECOVER, ASK = "resolve", "recover", "ask"
OUT_OF_MEMORY = "MemoryError"  # an answer's error where the worker had too little for the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to do with one content. `do` is scan, verify, look (the page's fragment), resolve, recover, ask (what to ask a
    database before these two, or looking) or warm; `name` what the caller calls it; `alg`, `most` and `hint` belong to
    resolving; `sha256` of the content is computed once, where a task is made.

    Where the repository is a database, `excerpt` is what to search instead of this machine's, `searched` the number of records
    that it stands for, and `marks` whether a mark is asked about.
    """

    do: str
    name: str = "image"
    thorough: bool = False
    prior: float | None = None
    alg: str = ""
    most: int = 10
    hint: tuple[str, str] = ("", "")
    marks: bool = False
    searched: int = 0
    excerpt: bytes = field(default=b"", repr=False)
    content: bytes = field(default=b"", repr=False)
    sha256: str = ""

    def __post_init__(self) -> None:
        if not self.sha256:
            object.__setattr__(self, "sha256", hashlib.sha256(self.content).hexdigest())

    @property
    def key(self) -> str:
        """By what a pool knows the content again should it do harm, whatever callers name it and ask for besides."""
        return f"{self.do}{' thorough' if self.thorough else ''} {self.sha256}"

    def packed(self) -> bytes:
        """The task as the child gets it."""
        head = {"do": self.do, "name": self.name, "thorough": self.thorough, "prior": self.prior}
        head |= {"alg": self.alg, "most": self.most, "hint": self.hint, "sha256": self.sha256}
        head |= {"marks": self.marks, "searched": self.searched, "excerpt": len(self.excerpt)}
        return envelope.packed(head, self.excerpt + self.content)

    @classmethod
    def unpacked(cls, message: bytes) -> "Task":
        """The task as it was packed."""
        head, body = envelope.unpacked(message)
        end = head.pop("excerpt")
        return cls(**head, excerpt=body[:end], content=body[end:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a task. `error` is the kind of failure where the content could not be examined; `body` says it too.

    `origin` and `basis` are the verdict's, for counting; `seconds` is the time that the child took.
    """

    error: str = ""
    origin: str = ""
    basis: str = ""
    seconds: float = 0.0
    body: bytes = b""

    def packed(self) -> bytes:
        """The answer as the server gets it."""
        head = asdict(self)
        body = head.pop("body")
        return envelope.packed(head, body)

    @classmethod
    def unpacked(cls, message: bytes) -> "Answer":
        """Read what a child sent; it may have been taken over (see `believing`). Raises `ValueError`."""
        head, body = envelope.unpacked(message)
        texts = {name: head.get(name) for name in ("error", "origin", "basis")}
        seconds = head.get("seconds")
        if not all(isinstance(text, str) and len(text) < 100 for text in texts.values()):
            raise ValueError("malformed")
        if not isinstance(seconds, float):
            raise ValueError("malformed")
        return cls(**{name: str(text) for name, text in texts.items()}, seconds=seconds, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examining:
    """How to build an examiner in another process. Call it there; it gives the function that answers packed tasks."""

    model: str | None
    policy: TrustPolicy
    limits: Limits

    def __call__(self) -> Callable[[bytes], bytes]:
        warm = Scanning(model=self.model, policy=self.policy).scanner()
        usual, thorough = (
            Scanner(signals=warm.signals, policy=self.policy, limits=self.limits, thorough=how) for how in (False, True)
        )

        def examine(message: bytes) -> bytes:
            task = Task.unpacked(message)
            del message
            started = time.perf_counter()
            try:
                answer = _answer(task, thorough if task.thorough else usual, self.model)
            except MemoryError:
                answer = Answer(error=OUT_OF_MEMORY, body=b"examining it needs more memory than a worker may use")
            return Answer(
                error=answer.error,
                origin=answer.origin,
                basis=answer.basis,
                seconds=time.perf_counter() - started,
                body=answer.body,
            ).packed()

        return examine


def _answer(task: Task, scanner: Scanner, model: str | None) -> Answer:
    match task.do:
        case "verify":
            return _verified(task, scanner)
        case "resolve" | "recover" | "ask":
            return _recovered(task, scanner)
        case "warm":
            scanner.scan(Asset.from_bytes(_plain_picture()))
            return Answer()
        case _:
            return _scanned(task, scanner, model)


def _scanned(task: Task, scanner: Scanner, model: str | None) -> Answer:
    if task.excerpt:
        from assay.provenance.repository import Excerpt

        with Excerpt(task.excerpt) as kept:
            return _scanned_with(task, _searching(scanner, kept), model, kept)
    return _scanned_with(task, scanner, model)


def _searching(scanner: Scanner, kept: "Repository") -> Scanner:
    """The same scanner, asking another repository."""
    from assay.detectors.signals.recovered_manifest import RecoveredManifest

    asking = RecoveredManifest(policy=scanner.policy, repository=kept)
    signals = [asking if signal.name == asking.name else signal for signal in scanner.signals]
    return Scanner(signals=signals, policy=scanner.policy, limits=scanner.limits, thorough=scanner.thorough)


def _scanned_with(task: Task, scanner: Scanner, model: str | None, kept: "Repository | None" = None) -> Answer:
    outcome: Report | Failure
    try:
        outcome = scanner.scan(
            Asset.from_bytes(task.content, name=task.name, limits=scanner.limits, sha256=task.sha256)
        )
    except AssayError as error:
        outcome = Failure(task.name, error)
    if task.do == LOOK:
        from assay.scanning.service.looking import fragment, heatmap_of

        body = fragment(outcome, prior=task.prior, heatmap=heatmap_of(outcome, model), kept=kept).encode()
    else:
        body = to_json(outcome, prior=task.prior).encode() + b"\n"
    if isinstance(outcome, Failure):
        return Answer(error=type(outcome.error).__name__, body=body)
    return Answer(origin=outcome.verdict.origin.value, basis=outcome.verdict.basis.word, body=body)


def _verified(task: Task, scanner: Scanner) -> Answer:
    try:
        asset = Asset.from_bytes(task.content, name=task.name, limits=scanner.limits, sha256=task.sha256)
        examined = Examined(asset, verify(asset, scanner.policy))
    except AssayError as error:
        return Answer(error=type(error).__name__, body=custody_presenting.line(Failure(task.name, error)).encode())
    return Answer(origin=examined.custody.bottom_line.value, body=custody_presenting.line(examined).encode())


def _recovered(task: Task, scanner: Scanner) -> Answer:
    from assay.provenance.repository import Excerpt, open_repository
    from assay.scanning import excerpting

    try:
        asset = Asset.from_bytes(task.content, name=task.name, limits=scanner.limits, sha256=task.sha256)
        if task.do == ASK:
            return Answer(body=excerpting.asked(asset, marks=task.marks, limits=scanner.limits))
        with Excerpt(task.excerpt) if task.excerpt else open_repository(reading=True) as kept:
            said = _found(task, asset, kept, scanner)
    except AssayError as error:
        failure = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
        return Answer(error=type(error).__name__, body=json.dumps({"error": failure}).encode())
    return Answer(body=json.dumps(said, separators=(",", ":")).encode() + b"\n")


def _found(task: Task, asset: Asset, kept: "Repository", scanner: Scanner) -> dict[str, Any]:
    from assay.scanning.recovering import recover
    from assay.scanning.report.recovery_presenting import document
    from assay.scanning.resolving import by_content

    if task.do == RESOLVE:
        return by_content(kept, asset, alg=task.alg, most=task.most, hint=task.hint, limits=scanner.limits)
    recovery = recover(asset, kept, policy=scanner.policy, limits=scanner.limits)
    return document(replace(recovery, searched=task.searched) if task.excerpt else recovery)


def _plain_picture() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.effect_mandelbrot((320, 320), (-2.0, -1.5, 1.0, 1.5), 40).convert("RGB").save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
