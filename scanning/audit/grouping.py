"""Rows counted under what they have in common: verdict, signer, generator, folder, month.

Rules: memory is bounded whatever the rows say; a row without the thing asked for is counted apart.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from assay.scanning.audit.row import Row
from assay.scanning.audit.tally import verdict_of

_KEYS = 20_000  # distinct signers, folders … that are kept apart
OTHERS = "(others)"


@dataclass(slots=True)
class Grouping:
    """Counts of verdicts per key; keys beyond the bound are counted together."""

    key: Callable[[Row], str]
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    none: Counter[str] = field(default_factory=Counter)  # rows without a key

    def add(self, row: Row) -> None:
        """Count one row under its key, if it has one."""
        key = self.key(row)
        if not key:
            self.none[verdict_of(row)] += 1
            return
        if key not in self.counts and len(self.counts) >= _KEYS:
            key = OTHERS
        self.counts.setdefault(key, Counter())[verdict_of(row)] += 1

    def top(self, number: int, *, by_name: bool = False) -> list[tuple[str, Counter[str]]]:
        """The largest groups, or the last by name; the rest in one."""
        ordered = sorted(self.counts.items(), key=lambda pair: (pair[0] == OTHERS, -pair[1].total(), pair[0]))
        if by_name:
            ordered = sorted(self.counts.items(), reverse=True)
        shown, rest = ordered[:number], ordered[number:]
        if rest:
            shown.append((f"{len(rest):,} more", sum((counts for _, counts in rest), Counter())))
        return shown


def signer(row: Row) -> str:
    """Who signed, with the list that vouches for it: a name alone is anybody's."""
    return f"{row.signer} ({row.trust_list or 'no list knows this signer'})" if row.signer else ""


def folder(row: Row) -> str:
    """Where the file lies; members of an archive lie in the archive."""
    archive, mark, _ = row.name.partition("!")
    if mark:
        return archive
    return row.name.rpartition("/")[0] if "://" in row.name else str(PurePosixPath(row.name).parent)


GROUPS: dict[str, Callable[[Row], str]] = {
    "verdict": verdict_of,
    "signer": signer,
    "generator": lambda row: row.generator,
    "folder": folder,
    "month": lambda row: row.modified[:7],
}
