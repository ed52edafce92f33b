"""Conditions that a gate (CI, an upload hook) can fail on, told from one outcome.

Rules: pure; a condition's name is the same string in the command line, documents and docs; importing this imports no scanner,
for the names are wanted where nothing is scanned.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from assay.detectors.evidence import Basis, Origin
from assay.provenance.custody.chain import BottomLine, Custody
from assay.provenance.errors import UnsupportedFormat

if TYPE_CHECKING:
    from assay.scanning.scan import Failure, Report

_AI = (Origin.SYNTHETIC, Origin.COMPOSITE)


def _synthetic(report: "Report") -> bool:
    return report.verdict.origin in _AI


def _undisclosed(report: "Report") -> bool:
    """Held to be generated, and the file itself does not say so."""
    says_so = any(piece.basis in (Basis.DECLARED, Basis.PROVED) for piece in report.verdict.grounds)
    return _synthetic(report) and not says_so


def _tampered(report: "Report") -> bool:
    broken = (BottomLine.TAMPERED, BottomLine.BROKEN_HISTORY)
    return isinstance(report.custody, Custody) and report.custody.bottom_line in broken


def _unreadable(report: "Report") -> bool:
    """Formats that assay reads but never decodes (SVG, DNG) are not broken files."""
    return report.undecoded is not None and not isinstance(report.undecoded, UnsupportedFormat)


CONDITIONS: dict[str, tuple[str, "Callable[[Report], bool]"]] = {
    "synthetic": ("held to be generated, wholly or in part", _synthetic),
    "undisclosed": ("held to be generated, and the file does not say so", _undisclosed),
    "tampered": ("not what was signed, or made from something that is not", _tampered),
    "contested": ("the evidence contradicts itself", lambda report: report.verdict.contested),
    "unreadable": ("could not be opened or decoded", _unreadable),
}


def conditions(outcome: "Report | Failure") -> frozenset[str]:
    """The names of all conditions that hold for one outcome."""
    from assay.scanning.scan import Failure

    if isinstance(outcome, Failure):
        return frozenset({"unreadable"})
    return frozenset(name for name, (_, holds) in CONDITIONS.items() if holds(outcome))
