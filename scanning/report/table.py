"""Rows as CSV that is safe to open in a spreadsheet.

Rules: a cell that a spreadsheet would take for a formula is led by an apostrophe; control characters are shown, not sent;
lists are joined with `; `; nothing is an empty cell.
"""

import csv
from typing import TextIO

from assay.provenance.text import plain
from assay.scanning.audit.row import COLUMNS, Row

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


class CsvRows:
    """Writes rows as they come."""

    def __init__(self, stream: TextIO) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def write(self, row: Row) -> None:
        """Write one row."""
        self._writer.writerow([cell(getattr(row, name)) for name in COLUMNS])

    def finish(self, *, complete: bool) -> None:
        """Nothing is left to write."""


def cell(value: object) -> str:
    """One value as a spreadsheet may have it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case tuple():
            return cell("; ".join(value))
    text = plain(str(value), limit=4000)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
