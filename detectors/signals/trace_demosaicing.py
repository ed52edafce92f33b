"""The two-pixel period that a camera's colour filter array leaves, looked for where a picture may still have its native size.

Rules: it informs and never decides, because resizing removes it and upsampling networks can imitate it; large pictures are
decoded only in a thorough examination.
"""

from assay.detectors.evidence import Evidence, Finding, Severity, Silence, Trace
from assay.detectors.subject import Subject
from assay.provenance.decoding import can_decode
from assay.provenance.errors import AssayError, UnsupportedFormat


class DemosaicingTrace:
    """Tells whether green shows the chessboard of interpolation. Looks only in a thorough examination."""

    name = "trace-demosaicing"

    def examine(self, subject: Subject) -> Evidence:
        """Measure the chessboard period of green in the middle of the picture."""
        from assay.detectors.traces.demosaicing import chessboard

        if not subject.thorough:
            return Evidence.silent(
                self.name, Silence.INAPPLICABLE, "Interpolation is looked for in a thorough examination."
            )
        try:
            header = subject.header if can_decode(subject.asset.media_type) else None
            if header is None or header.mode in ("1", "L", "LA", "P"):
                return Evidence.silent(self.name, Silence.INAPPLICABLE, "The picture has no colour pixels to examine.")
            period = chessboard(subject.image)
        except UnsupportedFormat:
            return Evidence.silent(self.name, Silence.INAPPLICABLE, "The format has no pixels to examine.")
        except AssayError as error:
            return Evidence.silent(self.name, Silence.FAILED, error.message)
        if period is None:
            return Evidence.silent(self.name, Silence.INAPPLICABLE, "The picture is too small to show interpolation.")
        trace = Trace(
            "pixels green",
            f"chessboard {period.over_spectrum:.0f} over the spectrum, {period.over_blocks:.1f} over blocks",
        )
        if not period.visible:
            statement = "No interpolation of a colour filter array is visible; resizing and compression remove it."
            return Evidence.silent(self.name, Silence.INCONCLUSIVE, statement, traces=(trace,))
        statement = (
            "Green pixels show the period of two that interpolation from a camera's colour filter array leaves; "
            "some upsampling leaves it, too."
        )
        finding = Finding("interpolated-colour", Severity.NOTE, statement)
        return Evidence.silent(self.name, Silence.INCONCLUSIVE, statement, findings=(finding,), traces=(trace,))
