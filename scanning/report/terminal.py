"""A scan's outcome for people in a terminal: the answer first, alarms, who says so, then what contradicts it.

Rules: every string of the file goes through `plain`; nothing of it is read as markup; plain lines where the output is no
terminal; colour never carries meaning alone.
"""

from typing import TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from assay.detectors.evidence import FACES, PIXELS, Basis, Evidence, Origin, Severity, Silence
from assay.provenance.custody.chain import BottomLine, Custody
from assay.provenance.errors import AssayError
from assay.provenance.text import plain
from assay.scanning.report.custody_words import remote_step
from assay.scanning.scan import MOST_FRAMES, Failure, Report
from assay.scanning.words import PIXELS_LEFT_OUT, answer

_STYLE = {
    Origin.SYNTHETIC: "bold magenta",
    Origin.COMPOSITE: "bold magenta",
    Origin.CREATED: "bold blue",
    Origin.CAPTURED: "bold green",
    Origin.UNDETERMINED: "bold yellow",
}
_CUSTODY = {
    BottomLine.TRUSTED: "green",
    BottomLine.VALID: "yellow",
    BottomLine.INCOMPLETE_HISTORY: "yellow",
    BottomLine.NO_MANIFEST: "dim",
}
_MANIFEST = "c2pa-manifest"
_ALARM = {Severity.ALARM: ("!!", "bold red"), Severity.WARNING: ("!", "yellow"), Severity.NOTE: ("·", "dim")}


class TerminalPresenter:
    """Writes outcomes one after the other. `depth` 0: the answer; 1: also silent signals; 2: also every field."""

    def __init__(self, stream: TextIO, *, depth: int = 0, width: int | None = None, prior: float | None = None) -> None:
        self._console = Console(file=stream, width=width or (None if stream.isatty() else 100), highlight=False)
        self._depth = depth
        self._prior = prior

    def show(self, outcome: Report | Failure) -> None:
        """Write one outcome."""
        if isinstance(outcome, Failure):
            self._line(Text(plain(outcome.name), "bold"))
            self._item("cannot say", Text(plain(str(outcome.error), limit=500), "red"))
            self._console.print()
            return
        self._line(Text(plain(outcome.asset.name), "bold"), Text(f"  {facts(outcome)}", "dim"))
        said = answer(outcome.verdict, prior=self._prior)
        self._console.print(Padding(Text(said.headline, _STYLE[outcome.verdict.origin]), (0, 0, 0, 2), expand=False))
        shown: set[str] = set()
        for finding in outcome.verdict.findings:  # alarms come first, before anything that could calm
            if finding.severity is not Severity.NOTE or self._depth:
                sign, style = _ALARM[finding.severity]
                self._item(f"{sign} {finding.code}", Text(plain(finding.statement, limit=600)), style)
                shown.add(finding.statement)
        if outcome.undecoded:
            self._item("! picture", Text(plain(undecoded(outcome), limit=600)), "yellow")
        self._item("who says so", Text(plain(said.who, limit=1200)))
        self._item("how sure", Text(plain(said.sure, limit=600)))
        self._item("what would change it", Text(plain(said.change, limit=600)))
        for piece in () if self._depth else unheard(outcome):
            failed = piece.silence is Silence.FAILED
            said_why = piece.findings[0].statement if failed and piece.findings else piece.statement
            self._item(
                f"{'! ' * failed}{piece.signal}", Text(plain(said_why, limit=600)), "yellow" if failed else "dim"
            )
        if unasked := left_out(outcome):
            self._item("pixels", Text(unasked))
        for conflict in said.conflicts:
            self._item("conflict", Text(plain(conflict, limit=900)), "yellow")
        if said.odds:
            self._item("with your prior", Text(plain(said.odds, limit=600)))
        self._custody(outcome.custody, shown)
        if self._depth:
            self._voices("because", outcome.verdict.grounds)
        self._voices("against it", outcome.verdict.dissent)
        if self._depth:
            self._voices("silent", outcome.verdict.silent)
        self._console.print()

    def _custody(self, custody: Custody | AssayError, shown: set[str]) -> None:
        if isinstance(custody, AssayError):
            self._item("! custody", Text(plain(custody.message, limit=600)), "yellow")
            return
        line = custody.bottom_line
        if line is BottomLine.NO_MANIFEST and not custody.residue and not custody.remote_url:
            return
        style = _CUSTODY.get(line, "red")
        headline = "" if custody.headline in shown else f": {plain(custody.headline, limit=600)}"
        step = remote_step(custody)
        apart = f" · manifest: {plain(custody.place)}" if custody.apart else ""
        told = Text.assemble((line.value.replace("-", " "), f"bold {style}"), headline, apart, step and f" · {step}")
        self._item("custody", told)

    def _voices(self, title: str, pieces: tuple[Evidence, ...]) -> None:
        for piece in pieces:
            note = f" [{piece.silence.value}]" if piece.silence else ""
            body = Text.assemble((piece.signal, "cyan"), (note, "dim"), "  ", plain(piece.statement, limit=600))
            self._item(title, body)
            if self._depth >= 2 or (piece.speaks and self._depth >= 1):
                for trace in piece.traces:
                    at = f" at byte {trace.offset:,}" if trace.offset is not None else ""
                    self._item("", Text(f"{plain(trace.field)} = {plain(trace.value)}{at}", "dim"))

    def _item(self, title: str, body: Text, style: str = "dim") -> None:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=24, no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(Text(title, style), body)
        self._console.print(Padding(row, (0, 0, 0, 4), expand=False))

    def _line(self, *parts: Text) -> None:
        self._console.print(Text.assemble(*parts))


def facts(report: Report) -> str:
    """Format, size and hash of an image on one line, and how many frames were not looked at."""
    asset = report.asset
    size = f"{report.width}×{report.height} " if report.width else ""
    frames = report.frames or 1
    told = f"{frames:,}" if frames <= MOST_FRAMES else f"more than {MOST_FRAMES:,}"
    first = f"only the first of {told} frames or pages looked at, " if frames > 1 else ""
    return f"{size}{asset.media_type.name}, {first}{len(asset.content):,} bytes, sha256 {asset.sha256[:16]}…"


def undecoded(report: Report) -> str:
    """Why the picture could not be decoded, what to do about it, and what that leaves out; empty where it was decoded."""
    return f"{report.undecoded}. What needs pixels was not examined." if report.undecoded else ""


def left_out(report: Report) -> str:
    """That the pixel classifier was not asked; empty where it was, or where there are no pixels to ask about."""
    return PIXELS_LEFT_OUT if PIXELS not in report.verdict.asked and report.undecoded is None else ""


def unheard(report: Report) -> tuple[Evidence, ...]:
    """Whose silence has to be told beside the answer: signals that failed, the pixel model where nothing answers or only a
    part of the picture does, and that for faces, which is asked on request only.

    That a picture cannot be decoded is told once, by itself, and that a manifest cannot be read by the custody.
    """
    if report.undecoded is not None:
        return ()
    unanswered = report.verdict.basis <= Basis.INFERRED
    return tuple(
        piece
        for piece in report.verdict.silent
        if (piece.signal == PIXELS and unanswered)
        or piece.signal == FACES
        or (piece.silence is Silence.FAILED and piece.signal != _MANIFEST)
    )
