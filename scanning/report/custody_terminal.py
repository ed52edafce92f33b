"""A chain of custody for people in a terminal: the bottom line, one sentence, then the tree of what it was made from.

Rules: depth 0 is for reading, 1 gives the five answers for each link, 2 every code; strings of the file go through `plain`
and are never markup; colour never carries meaning alone.
"""

from collections.abc import Iterator
from typing import IO

from rich.console import Console
from rich.text import Text

from assay.provenance.custody.chain import Answer, BottomLine, Custody, Link, Standing
from assay.provenance.text import plain
from assay.scanning.report import custody_words as words
from assay.scanning.scan import Failure

_COLOURS = {
    BottomLine.TRUSTED: "green",
    BottomLine.INCOMPLETE_HISTORY: "yellow",
    BottomLine.VALID: "yellow",
    BottomLine.NO_MANIFEST: "dim",
}
_STANDING_COLOURS = {Standing.TRUSTED: "green", Standing.VALID: "yellow", Standing.UNKNOWN: "yellow"}
_ANSWER_COLOURS = {Answer.YES: "green", Answer.NO: "red", Answer.UNKNOWN: "yellow"}
_DEEPEST = 12  # levels that are indented further


class CustodyTerminal:
    """Writes chains one after the other. `depth` is 0, 1 or 2; `called` is the word for the picture whose chain it is."""

    def __init__(self, stream: IO[str], *, depth: int = 0, width: int | None = None, called: str = "this file") -> None:
        self._console = Console(file=stream, width=width or (None if stream.isatty() else 100), highlight=False)
        self._depth, self._called = depth, called

    def show(self, outcome: Custody | Failure) -> None:
        """Write one chain, or why there is none."""
        if isinstance(outcome, Failure):
            self._write("", Text(plain(outcome.name), "bold"))
            self._write("  ", Text.assemble(("cannot say: ", "bold red"), plain(str(outcome.error), limit=500)))
            self._console.print()
            return
        colour = _COLOURS.get(outcome.bottom_line, "red")
        self._write("", Text(plain(outcome.asset_name), "bold"))
        bottom = words.BOTTOM_LINES[outcome.bottom_line].upper()
        self._write("  ", Text.assemble((bottom, f"bold {colour}"), "  ", plain(outcome.headline, limit=900)))
        if step := words.remote_step(outcome):
            self._write("  ", Text(step))
        self.tree(outcome)
        for gap in outcome.breaks:
            if gap.code not in ("unreadable-manifest", "remote-manifest-not-fetched"):
                self._write("  ", Text.assemble(("! ", "bold red" if gap.grave else "yellow"), plain(gap.statement)))
        for trace in outcome.residue:
            self._write("  ", Text.assemble(("! ", "yellow"), plain(trace)))
        for warning in outcome.warnings:
            self._write("  ", Text.assemble(("note: ", "yellow"), plain(warning, limit=400)))
        if self._depth >= 2:
            self._write("  ", Text(f"sha256 {outcome.asset_sha256}", "dim"))
            if outcome.place:
                said = f"manifest store: {plain(outcome.place)}; the C2PA library says {outcome.sdk_state or 'nothing'}"
                self._write("  ", Text(said, "dim"))
        self._console.print()

    def tree(self, custody: Custody, *, indent: str = "  ") -> None:
        """Write only the links, each with what it was made from below it."""
        root = words.picture_of(custody)
        if root is not None:
            for first, rest, node in _walk(root, indent):
                self._node(first, rest, node)

    def _node(self, first: str, rest: str, node: words.Node) -> None:
        link = node.link
        role = f"{node.role} " if node.role else ""
        if link is None:
            dropped = node.ingredient is not None and bool(node.ingredient.manifest or node.ingredient.recorded)
            said = "its manifest is missing" if dropped else "no manifest: nothing is known of it"
            unknown = ("✕ ", "bold red") if dropped else ("? ", "yellow")
            self._write(first, Text.assemble(unknown, role, (words.title_of(node, self._called), "bold"), " · ", said))
            return
        colour = _STANDING_COLOURS.get(link.now, "red")
        named = "names as its signer" if link.axes.authentic.answer is Answer.NO else "signed by"
        who = f"{named} {words.who(link)} · {words.vouched(link)}"
        sign = words.STANDING_SIGNS[link.now]
        self._write(
            first,
            Text.assemble(
                (f"{sign} ", f"bold {colour}"), role, (words.title_of(node, self._called), "bold"), " · ", who
            ),
        )
        tool = words.tool(link)
        done = words.what(link) + (f" · with {tool}" if tool else "")
        self._write(rest, Text(f"{done} · {words.when(link)}"))
        for meaning in words.source_types(link):
            self._write(rest, Text.assemble("it says the picture was ", (meaning, "bold magenta")))
        if link.now in (Standing.TAMPERED, Standing.INVALID, Standing.UNKNOWN):
            self._write(rest, Text(words.standing(link), colour))
        if link.recorded is not None and (self._depth or link.recorded is not link.now):
            told = f"when it was taken in: {words.STANDINGS[link.recorded]}; now: {words.standing(link)}"
            self._write(rest, Text(told, "yellow" if link.recorded is not link.now else "dim"))
        for gap in link.breaks:
            if gap.grave or self._depth:
                self._write(
                    rest,
                    Text.assemble(("! " if gap.grave else "· ", "red" if gap.grave else "dim"), plain(gap.statement)),
                )
        for identity in link.identities:
            names = ", ".join(plain(name, limit=60) for name in identity.names[:6]) or "nobody by name"
            mark = (f"{words.SIGNS[identity.answer]} ", _ANSWER_COLOURS[identity.answer])
            self._write(rest, Text.assemble("identity claimed: ", mark, names, f" · {plain(identity.statement)}"))
        if self._depth:
            self._details(rest, link)

    def _details(self, rest: str, link: Link) -> None:
        for name in words.AXES:
            axis = getattr(link.axes, name)
            line = Text.assemble(
                (f"{words.SIGNS[axis.answer]} {axis.answer.value:<8}", _ANSWER_COLOURS[axis.answer]), f"{name:<10}"
            )
            line.append(plain(axis.statement, limit=400))
            if self._depth >= 2 and axis.codes:
                line.append(f"  [{', '.join(plain(code, limit=80) for code in axis.codes)}]", "dim")
            self._write(rest, line)
        if link.revocation:
            self._write(rest, Text(f"revocation: {plain(link.revocation, limit=700)}", "dim"))
        if link.signer.product or link.signer.assurance_level:
            level = f", assurance level {link.signer.assurance_level}" if link.signer.assurance_level else ""
            self._write(rest, Text(f"conforming product: {plain(link.signer.product or 'not named')}{level}", "dim"))
        if link.rubric:
            self._write(rest, Text(f"asset rubric: {', '.join(link.rubric)}", "dim"))
        for permission in link.permissions:
            self._write(rest, Text(f"permission: {plain(permission, limit=120)}", "dim"))
        if self._depth >= 2:
            self._codes(rest, link)

    def _codes(self, rest: str, link: Link) -> None:
        signer = link.signer
        if signer.not_before and signer.not_after:
            validity = f"{signer.not_before:%Y-%m-%d} to {signer.not_after:%Y-%m-%d}"
            issuer = plain(signer.issuer, limit=120)
            self._write(rest, Text(f"certificate: serial {signer.serial}, valid {validity}, issued by {issuer}", "dim"))
        self._write(rest, Text(f"manifest: {plain(link.label)} ({link.kind})", "dim"))
        if link.assertions:
            self._write(
                rest, Text(f"assertions: {', '.join(plain(label, limit=80) for label in link.assertions)}", "dim")
            )
        for algorithm in link.soft_bindings:
            self._write(rest, Text(f"soft binding: {plain(algorithm, limit=80)} (its value is not checked)", "dim"))
        for status in link.statuses:
            sign = "✕" if status.failure else "·"
            self._write(
                rest, Text(f"{sign} {plain(status.code, limit=80)}  {plain(status.explanation, limit=160)}", "dim")
            )

    def _write(self, prefix: str, line: Text) -> None:
        room = max(self._console.width - len(prefix), 30)
        for place, part in enumerate(line.wrap(self._console, room)):
            lead = prefix if place == 0 else prefix.replace("├─", "│ ").replace("└─", "  ")
            self._console.print(Text.assemble((lead, "dim"), part), soft_wrap=True)


def _walk(root: words.Node, indent: str) -> Iterator[tuple[str, str, words.Node]]:
    """(prefix of the first line, prefix of the others, node), the file first, then what it was made from; no recursion."""
    waiting: list[tuple[words.Node, str, bool, int]] = [(root, indent, True, 0)]
    while waiting:
        node, lead, last, depth = waiting.pop()
        bar = ""
        if depth:
            bar, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
            inner = lead + (below if depth < _DEEPEST else "")
        else:
            inner = lead
        yield lead + bar, inner + ("│ " if node.children else "  "), node
        for place, child in reversed(list(enumerate(node.children))):
            waiting.append((child, inner, place == len(node.children) - 1, depth + 1))
