"""Where in the picture the pixel evidence lies, drawn for a dossier, where there is such evidence.

Rules: drawn only where the pixel model speaks, for a map beside silence would be read as a statement.
"""

from typing import TYPE_CHECKING, Any

from assay.detectors.evidence import PIXELS
from assay.provenance.decoding import decode
from assay.provenance.errors import AssayError
from assay.scanning.scan import Report

if TYPE_CHECKING:
    from PIL.Image import Image

STEPS: tuple[dict[str, Any], ...] = (  # what was done to pixels for it, as an extract records it
    {"filter": "turn upright", "parameters": {"by": "EXIF Orientation"}},
    {"filter": "classify", "parameters": {"views": "the whole, and nine overlapping windows of half its size"}},
    {
        "filter": "average",
        "parameters": {"over": "views", "of": "log10 likelihood ratios of patches, bounded as the whole's"},
    },
    {"filter": "lay over the picture in grey", "parameters": {"kernel": "bicubic", "full_colour_at": 2.0}},
)


def legend() -> str:
    """What stands beside a map on a page: the words that are drawn below one."""
    from assay.detectors.heatmap import LEGEND  # numbers and networks come with it, so only where there is a map

    return LEGEND


def evidence_map(report: Report, model: str) -> "Image | None":
    """The map over the picture in grey; None where the pixel model says nothing or has no map."""
    if not any(piece.signal == PIXELS and piece.speaks for piece in report.evidence):
        return None
    from assay.detectors.classifier import load
    from assay.detectors.heatmap import heatmap, overlay

    try:
        picture = decode(report.asset)
        return overlay(picture, heatmap(load(model), picture))
    except AssayError:
        return None
