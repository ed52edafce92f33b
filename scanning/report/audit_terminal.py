"""An audit for people in a terminal: one line for each file that deserves a look, and the count at the end.

Rules: healthy files are silent unless asked for; every string of a file goes through `plain` and is never markup; colour
never carries meaning alone.
"""

from collections import Counter
from typing import TextIO

from rich.console import Console
from rich.text import Text

from assay.provenance.text import plain
from assay.scanning.audit.grouping import Grouping
from assay.scanning.audit.row import Row, code_of
from assay.scanning.audit.tally import VERDICTS, Tally, remarkable, sentence_of, verdict_of
from assay.scanning.gate import CONDITIONS

_STYLES = {
    "synthetic": "bold magenta",
    "composite": "bold magenta",
    "created": "bold blue",
    "captured": "bold green",
    "undetermined": "bold yellow",
    "unreadable": "bold red",
    "tampered": "bold red",
}


class AuditTerminal:
    """Writes rows as they come. With `everything`, unremarkable ones too."""

    def __init__(self, stream: TextIO, *, everything: bool = False) -> None:
        self._console = Console(file=stream, width=None if stream.isatty() else 160, highlight=False)
        self._everything = everything

    def write(self, row: Row, *, above: Console | None = None) -> None:
        """Write one row, if it deserves it. `above`: the console of a live line, which would be torn by what is printed past it."""
        if not (self._everything or remarkable(row) or row.change == "gone"):
            return
        gravest = next((name for name in ("tampered", "unreadable") if name in row.conditions), verdict_of(row))
        verdict = "gone" if row.change == "gone" else gravest
        alarms = [code_of(finding) for finding in row.findings if finding.startswith("alarm:")]
        notes = [name for name in dict.fromkeys((*row.conditions, *alarms, *row.breaches)) if name != verdict]
        line = Text.assemble((f"{verdict:<13}", _STYLES.get(verdict, "dim")), (plain(row.name, limit=400), "bold"))
        if notes:
            line.append("  " + plain(", ".join(notes)), "red")
        if remarkable(row) and row.change != "gone":
            line.append("  " + plain(sentence_of(row), limit=200), "dim")
        line.overflow = "fold"
        console = above if above is not None and self._console.is_terminal else self._console
        console.print(line, soft_wrap=True)

    def finish(self, tally: Tally, *, seconds: float, examined: int, complete: bool) -> None:
        """Write the count."""
        console = self._console
        console.print()
        state = "" if complete else "interrupted after "
        remembered = tally.rows - tally.unread - examined
        how = f", {remembered:,} of them known already or copies" if remembered > 0 else ""
        console.print(Text(f"{state}{tally.rows:,} file{'s' * (tally.rows != 1)} in {seconds:.1f} s{how}", "bold"))
        if tally.changes:
            told = ", ".join(f"{number:,} {name}" for name, number in tally.changes.most_common())
            new = "; of those that are new or changed:" if any(tally.verdicts.values()) else ""
            console.print(Text(f"against the baseline: {told}{new}"))
        for verdict in VERDICTS:
            if tally.verdicts[verdict]:
                console.print(Text.assemble(f"{tally.verdicts[verdict]:>9,}  ", (verdict, _STYLES[verdict])))
        if tally.conditions or tally.breaches:
            console.print("among them:")
        for name, (meaning, _) in CONDITIONS.items():
            if number := tally.conditions[name]:
                console.print(Text.assemble(f"{number:>9,}  {meaning} ", (f"({name})", "dim")))
        for rule, number in tally.breaches.most_common():
            console.print(
                Text.assemble(f"{number:>9,}  {'breaks' if number == 1 else 'break'} the rule: ", plain(rule))
            )


def show_groups(stream: TextIO, grouping: Grouping, *, by: str, number: int = 40) -> None:
    """Write a table of groups with their verdicts, and how many rows belong to none."""
    console = Console(file=stream, width=None if stream.isatty() else 160, highlight=False)
    for name, counts in grouping.top(number):
        parts = "" if by == "verdict" else "  " + _verdicts(counts)
        line = Text.assemble(f"{counts.total():>9,}  ", (plain(name), "bold"), (parts, "dim"))
        console.print(line, soft_wrap=True)
    if none := grouping.none.total():
        console.print(Text(f"{none:>9,}  without a {by}  {_verdicts(grouping.none)}", "dim"), soft_wrap=True)


def _verdicts(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts[verdict])
