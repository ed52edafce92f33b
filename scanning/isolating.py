"""Scanning and verifying in a child that may die: the parent reads bytes, the child examines, judges and presents.

Rules: the answer is a bounded, checked document, never a pickle; whoever took a child over can lie in it and no more, so
what it presents is neutralised again here: text keeps colours and no other control, JSON must be of the file that was asked
about, HTML keeps no element and no attribute that our templates do not write. A child that dies is a `Failure`.
"""

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from assay.provenance.asset import DEFAULT_LIMITS, Asset
from assay.provenance.custody.chain import Requirement
from assay.provenance.custody.examining import Examined
from assay.provenance.errors import AssayError, DecodeFailed, LimitExceeded
from assay.provenance.sidecar import beside_of
from assay.provenance.text import plain
from assay.provenance.trust import TrustPolicy
from assay.scanning import asking, envelope
from assay.scanning.child import WorkerLimits
from assay.scanning.gate import CONDITIONS, conditions
from assay.scanning.labels.policy import LabelPolicy
from assay.scanning.report import custody_presenting, presenting
from assay.scanning.report.fragments import Fragment, accepted, main_of
from assay.scanning.report.placing import report_file
from assay.scanning.scan import Failure, Report, Scanner, standard_signals
from assay.scanning.worker import ParserCrashed, Pool

_ANSWER = 32 * 1024 * 1024  # bytes: a page's pictures are part of it
_COLOUR = re.compile(r"(\x1b\[[0-9;]{0,32}m)")
SHORT = "short"  # of a `--require`


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One file's outcome as the child presents it. `held` are conditions; `origin` is empty where there is no verdict."""

    text: str
    held: frozenset[str]
    failed: bool
    origin: str = ""

    def packed(self) -> bytes:
        """The answer to the parent."""
        head = {"held": sorted(self.held), "failed": self.failed, "origin": self.origin}
        return envelope.packed(head, self.text.encode("utf-8", "surrogatepass"))

    @classmethod
    def unpacked(cls, message: bytes) -> "Shown":
        """Read a child's answer. Raises `ValueError` on anything that `packed` does not write."""
        head, body = envelope.unpacked(message)
        held, failed, origin = head.get("held"), head.get("failed"), head.get("origin")
        if not isinstance(held, list) or not {*CONDITIONS, SHORT}.issuperset(map(str, held)):
            raise ValueError("unknown conditions")
        if not isinstance(failed, bool) or not isinstance(origin, str) or len(origin) > 40:
            raise ValueError("malformed")
        return cls(text=body.decode("utf-8"), held=frozenset(held), failed=failed, origin=origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How to present: text, json, crjson or html; for text how wide, whether in colour, how deep."""

    form: str
    depth: int = 0
    columns: int = 100
    colours: bool = False

    @classmethod
    def of(cls, form: str, output: Path | None, stream: TextIO, depth: int) -> "Style":
        """As the presenters choose for themselves when they write to `stream`."""
        if output is not None or not stream.isatty():
            return cls(form=form, depth=depth)
        return cls(form=form, depth=depth, columns=os.get_terminal_size(stream.fileno()).columns, colours=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTask:
    """Scan in a child and present as `assay scan` does. `model` None: no pixel classifier; `faces`: judge faces as well;
    `labels`: present labels."""

    style: Style
    policy: TrustPolicy
    model: str | None
    faces: bool = False
    thorough: bool = False
    prior: float | None = None
    labels: LabelPolicy | None = None
    unable: str = ""  # why this machine cannot run the model

    def instead(self, reason: str) -> "ScanTask":
        """The same without the model, which says so of every file."""
        return replace(self, unable=reason)

    def __call__(self) -> Callable[[bytes], bytes]:
        os.environ["COLUMNS"] = str(self.style.columns)  # a child has no terminal to ask
        if self.unable:
            from assay.detectors.signals.pixels import PixelsUnavailable

            signals = (*standard_signals(None), PixelsUnavailable(self.unable))
        else:
            signals = standard_signals(self.model, faces=self.faces)
            if self.model is not None:
                from assay.detectors.classifier import warm

                warm(self.model)
            if self.faces:
                from assay.detectors.faces import load as load_faces

                load_faces()
        scanner = Scanner(signals=signals, policy=self.policy, thorough=self.thorough)

        def examine(message: bytes) -> bytes:
            try:
                examined = asking.examined(message, self.policy)
                outcome: Report | Failure = scanner.scan(examined.asset, custody=examined.custody)
            except AssayError as error:
                outcome = Failure(asking.name_in(message), error)
            return self.shown(outcome).packed()

        return examine

    def page(self, shown: list[Shown]) -> str:
        """The page around what children made of each file."""
        from assay.scanning.report.html import page_around

        return page_around([_fragment(one) for one in shown])

    def shown(self, outcome: Report | Failure) -> Shown:
        """One file as presented: in a child, or in the parent where no child examined it."""
        stream = _Stream(self.style)
        with presenting.writing(self.style.form, stream, self.style.depth, self.prior, self.labels) as present:
            present(outcome)
        broken = isinstance(outcome, Failure) or isinstance(outcome.undecoded, DecodeFailed | LimitExceeded)
        origin = "" if isinstance(outcome, Failure) else outcome.verdict.origin.value
        return Shown(text=stream.made(), held=conditions(outcome), failed=broken, origin=origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyTask:
    """Verify in a child and present as `assay verify` does."""

    style: Style
    policy: TrustPolicy
    require: Requirement | None = None

    def __call__(self) -> Callable[[bytes], bytes]:
        os.environ["COLUMNS"] = str(self.style.columns)

        def examine(message: bytes) -> bytes:
            try:
                outcome: Examined | Failure = asking.examined(message, self.policy)
            except AssayError as error:
                outcome = Failure(asking.name_in(message), error)
            return self.shown(outcome).packed()

        return examine

    def page(self, shown: list[Shown]) -> str:
        """The page around what children made of each file."""
        from assay.scanning.report.custody_html import page_around

        return page_around([_fragment(one) for one in shown])

    def shown(self, outcome: Examined | Failure) -> Shown:
        """One file as presented: in a child, or in the parent where no child examined it."""
        stream = _Stream(self.style)
        with custody_presenting.writing(self.style.form, stream, self.policy, self.style.depth) as present:
            present(outcome)
        if isinstance(outcome, Failure):
            return Shown(text=stream.made(), held=frozenset(), failed=True)
        short = self.require is not None and not outcome.custody.meets(self.require)
        return Shown(text=stream.made(), held=frozenset({SHORT} if short else ()), failed=False)


Task = ScanTask | VerifyTask


@contextmanager
def isolated(task: Task, output: Path | None, stream: TextIO) -> Iterator[Callable[..., Shown]]:
    """Yield a function that examines one file in a child and presents it to `stream`, or to `output` when all is done.

    It takes a path and, for verifying, `sidecar`; whatever happens to the child, it returns what was shown.
    """
    if output is None:
        with _running(task, stream) as show:
            yield show
        return
    with report_file(output) as written, _running(task, written) as show:
        yield show


@contextmanager
def _running(task: Task, stream: TextIO) -> Iterator[Callable[..., Shown]]:
    gathered: list[Shown] = []
    instead = task.instead if isinstance(task, ScanTask) and task.model else None
    with Pool(task, size=1, limits=WorkerLimits(answer=_ANSWER), instead=instead) as pool:

        def show(path: Path, *, sidecar: Path | None = None) -> Shown:
            shown = _examined(task, pool, path, sidecar)
            if task.style.form == "html":
                gathered.append(shown)
            else:
                stream.write(shown.text)
                stream.flush()
            return shown

        yield show
    if task.style.form == "html":
        stream.write(task.page(gathered))


def _examined(task: Task, pool: Pool, path: Path, sidecar: Path | None) -> Shown:
    try:
        asset = Asset.open(path, limits=DEFAULT_LIMITS)
        message, key = _asked(asset, path, sidecar)
        try:
            return _checked(task, Shown.unpacked(pool.ask(message, key=key)), asset)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ParserCrashed(f"its answer is malformed: {error}"[:300]) from None
    except AssayError as error:
        return task.shown(Failure(str(path), error))


def _asked(asset: Asset, path: Path, sidecar: Path | None) -> tuple[bytes, str]:
    """A picture, and the sidecar that was named or lies beside it, as a question; and by what to know both again under other names."""
    found, refused = None, ""
    try:
        found = beside_of(path, sidecar)
    except AssayError as error:
        if sidecar is not None:
            raise
        refused = error.message
    question = asking.question(
        asset.name, asset.content, beside=found, refused=refused, named=sidecar is not None, sha256=asset.sha256
    )
    return question, asset.sha256 + (f" {hashlib.sha256(found.store).hexdigest()}" if found else "")


def _checked(task: Task, shown: Shown, asset: Asset) -> Shown:
    """The same, made harmless; raises `ValueError` where it cannot be what our own presenters write."""
    match task.style.form:
        case "text":
            text = _harmless(shown.text, colours=task.style.colours)
        case "html":
            text = accepted(shown.text)
        case _:
            said = json.loads(shown.text)
            if not isinstance(said, dict) or not shown.text.isascii() or shown.text.count("\n") != 1:
                raise ValueError("not one line of JSON")
            about = said.get("asset", {})
            named = about.get("name") == asset.name and about.get("sha256", asset.sha256) == asset.sha256
            if task.style.form == "json" and not named:
                raise ValueError("it speaks of another file")
            text = shown.text
    return Shown(text=text, held=shown.held, failed=shown.failed, origin=shown.origin)


def _harmless(text: str, *, colours: bool) -> str:
    parts = _COLOUR.split(text)  # every second one is a colour
    for at in range(0, len(parts), 2):
        parts[at] = "\n".join(plain(line, limit=len(line) + 1) for line in parts[at].split("\n"))
    return "".join(parts if colours else parts[0::2])


def _fragment(shown: Shown) -> Fragment:
    return Fragment(shown.text, shown.origin, shown.failed and not shown.origin)


class _Stream(io.StringIO):
    """Where a presenter writes in a child: as wide and as colourful as the parent's own."""

    def __init__(self, style: Style) -> None:
        super().__init__()
        self._style = style

    def isatty(self) -> bool:
        """Whether the parent's is a terminal."""
        return self._style.colours

    def made(self) -> str:
        """What was written; of a page only what is this file's own."""
        return main_of(self.getvalue()) if self._style.form == "html" else self.getvalue()
