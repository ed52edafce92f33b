"""A scan's outcome for people in a terminal: the answer first, alarms, who says so, then what contradicts it.

Rules: every string of the file goes through `plain`; nothing of it is read as markup; plain lines where the output is no
terminal; colour never carries meaning alone.
"""

from typing import TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from assay.detectors.evidence import Evidence, Origin, Severity
from assay.provenance.custody.chain import BottomLine, Custody
from assay.provenance.errors import AssayError
from assay.provenance.text import plain
from assay.scanning.scan import Failure, Report
from assay.scanning.words import answer

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
        self._line(Text(f"  {said.headline}", _STYLE[outcome.verdict.origin]))
        shown: set[str] = set()
        for finding in outcome.verdict.findings:  # alarms come first, before anything that could calm
            if finding.severity is not Severity.NOTE or self._depth:
                sign, style = _ALARM[finding.severity]
                self._item(f"{sign} {finding.code}", Text(plain(finding.statement, limit=600)), style)
                shown.add(finding.statement)
        if outcome.undecoded:
            self._item("! picture", Text(plain(outcome.undecoded.message, limit=500)), "yellow")
        self._item("who says so", Text(plain(said.who, limit=600)))
        self._item("how sure", Text(plain(said.sure, limit=600)))
        self._item("what would change it", Text(plain(said.change, limit=600)))
        for conflict in said.conflicts:
            self._item("conflict", Text(plain(conflict, limit=600)), "yellow")
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
        if line is BottomLine.NO_MANIFEST and not custody.residue:
            return
        style = _CUSTODY.get(line, "red")
        headline = "" if custody.headline in shown else f": {plain(custody.headline, limit=600)}"
        self._item("custody", Text.assemble((line.value.replace("-", " "), f"bold {style}"), headline))

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
    """Format, size and hash of an image on one line."""
    size = f"{report.width}×{report.height} " if report.width else ""
    kind = report.asset.media_type.name
    return f"{size}{kind}, {len(report.asset.content):,} bytes, sha256 {report.asset.sha256[:16]}…"
