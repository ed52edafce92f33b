"""Rows that an audit wrote, reported again: nothing is examined, so it takes seconds and needs no picture.

Rules: what a policy or a baseline says of a row is said anew where one is given, and kept as written where none is.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from assay.scanning.audit.baseline import Baseline, read_rows
from assay.scanning.audit.grouping import GROUPS, Grouping
from assay.scanning.audit.policy import read_policy
from assay.scanning.audit.running import Ending, compared, judge
from assay.scanning.audit.tally import SAME
from assay.scanning.report.audit_terminal import show_groups
from assay.scanning.report.row_writing import Outputs


def summarise(
    paths: Sequence[Path],
    *,
    outputs: Sequence[str] = (),
    by: str = "verdict",
    policy: Path | None = None,
    baseline: Path | None = None,
    fail_on: Sequence[str] = (),
    quiet: bool = False,
) -> Ending:
    """Report finished rows. Raises `AssayError` where rows, a policy, a baseline or an output is refused."""
    rules = read_policy(policy) if policy else None
    earlier = Baseline(baseline) if baseline else None
    grouping = Grouping(GROUPS[by])
    ending = Ending()
    written = Outputs(outputs, keep=[*paths, *([baseline] if baseline else [])])
    try:
        for row in compared((row for path in paths for row in read_rows(path)), rules, earlier):
            ending.tally.add(row)
            if row.change == SAME:
                continue
            judge(row, fail_on, rules, ending)
            grouping.add(row)
            written.write(row)
        ending.complete = True
        written.finish(complete=True)
    finally:  # Ctrl-C, too, leaves no part behind
        written.abandon()  # of what is not finished
    ending.failures += written.failures
    if not quiet and "-" not in outputs:
        show_groups(sys.stdout, grouping, by=by)
    return ending
