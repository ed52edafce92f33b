"""A folder's count: how many rows of each kind, kept while they stream by.

Rules: constant memory; what a person must look at is counted apart from what was merely found.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from assay.detectors.evidence import Origin
from assay.provenance.custody.chain import BottomLine
from assay.scanning.audit.row import Row

UNREADABLE = "unreadable"
GONE = "gone"
SAME = "same"
VERDICTS = (*(origin.value for origin in Origin), UNREADABLE)


@dataclass(slots=True)
class Tally:
    """Counts of rows. `verdicts` by origin (or unreadable), `conditions` and `breaches` by name. Rows that are the same as in
    a baseline are only counted as that, for nothing else is reported of them."""

    rows: int = 0
    bytes: int = 0
    unread: int = 0  # no byte of them was seen
    duplicates: int = 0
    near: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    conditions: Counter[str] = field(default_factory=Counter)
    breaches: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        """Count one row; files that are gone are only counted as changes."""
        if row.change:
            self.changes[row.change] += 1
        if row.change == GONE:
            return
        self.rows += 1
        self.unread += row.sha256 is None
        if row.change == SAME:
            return
        self.bytes += row.bytes or 0
        self.duplicates += bool(row.duplicate_of)
        self.near += bool(row.near)
        self.verdicts[verdict_of(row)] += 1
        self.conditions.update(row.conditions)
        self.breaches.update(row.breaches)

    def words(self) -> str:
        """The verdicts on one line, in the order of the vocabulary."""
        return (
            " · ".join(f"{self.verdicts[name]:,} {name}" for name in VERDICTS if self.verdicts[name]) or "nothing yet"
        )


def verdict_of(row: Row) -> str:
    """The word that a row is counted under. A file without a verdict, and one without a picture, are both unreadable
    only where nothing was said of them."""
    if row.origin is None or (row.origin == Origin.UNDETERMINED and UNREADABLE in row.conditions):
        return UNREADABLE
    return row.origin


def remarkable(row: Row) -> bool:
    """Whether a person should look at this row: a condition holds, a rule is broken, or a finding is an alarm."""
    return bool(row.conditions or row.breaches or any(finding.startswith("alarm:") for finding in row.findings))


def sentence_of(row: Row) -> str:
    """What a person must be told of a row that deserves a look: of its signature where that is at issue, why there is no
    picture, else of its origin."""
    signed = row.custody not in (None, BottomLine.NO_MANIFEST.value)
    rule_on_signature = bool(row.breaches) and signed and "synthetic" not in row.conditions
    if "tampered" in row.conditions or rule_on_signature:
        return row.custody_headline
    return row.undecoded if row.undecoded and "unreadable" in row.conditions else row.headline


def tallied(rows: Iterable[Row]) -> Tally:
    """The tally of finished rows."""
    tally = Tally()
    for row in rows:
        tally.add(row)
    return tally
