"""Invisible watermarks that generators write into their pictures, decoded locally.

Rules: a picture larger than any marked generator makes is looked at only in a thorough examination; a mark can be forged by
whoever runs its embedder, so it is MARKED, never PROVED; that none was found says nothing.
"""

from assay.detectors.evidence import Basis, Evidence, Finding, Origin, Severity, Silence, Trace
from assay.detectors.subject import Subject
from assay.detectors.watermarks.dwtdct import DwtDct, can_carry
from assay.detectors.watermarks.protocol import Decoded, Watermark
from assay.detectors.watermarks.spread import SpreadMark
from assay.detectors.watermarks.trustmark import TrustMark
from assay.provenance.errors import AssayError, UnsupportedFormat


class InvisibleWatermark:
    """Asks every decoder; the first mark that is read speaks."""

    name = "watermark"

    def __init__(
        self, decoders: tuple[Watermark, ...] = (DwtDct(),), thorough: tuple[Watermark, ...] | None = None
    ) -> None:
        """`thorough` are asked in a thorough examination only, because they take a second or more: assay's own mark, and TrustMark
        where it is installed."""
        self.decoders = decoders
        if thorough is None:
            trustmark = TrustMark()
            thorough = (SpreadMark(), trustmark) if trustmark.installed() else (SpreadMark(),)
        self.thorough = thorough

    def examine(self, subject: Subject) -> Evidence:
        """Decode the picture's pixels and look for known marks in them."""
        try:
            if reason := "" if subject.thorough else _unsuitable(subject):
                return Evidence.silent(self.name, Silence.INAPPLICABLE, reason)
            picture = subject.image
        except UnsupportedFormat:
            return Evidence.silent(
                self.name, Silence.INAPPLICABLE, f"{subject.asset.media_type} has no pixels to read."
            )
        except AssayError as error:
            return Evidence.silent(self.name, Silence.FAILED, error.message)
        for decoder in (*self.decoders, *self.thorough) if subject.thorough else self.decoders:
            if decoded := decoder.detect(picture, thorough=subject.thorough):
                return self._speak(decoded) if decoded.generator else self._tell(decoded)
        return Evidence.silent(self.name, Silence.ABSENT, "No known invisible watermark could be read from the pixels.")

    def _tell(self, decoded: Decoded) -> Evidence:
        statement = (
            f"The pixels carry a {decoded.scheme} watermark: an identifier by which a manifest may be found. "
            "By itself it does not say who made the picture."
        )
        finding = Finding("watermark-identifier", Severity.NOTE, statement)
        return Evidence.silent(
            self.name, Silence.INCONCLUSIVE, statement, findings=(finding,), traces=(_trace(decoded),)
        )

    def _speak(self, decoded: Decoded) -> Evidence:
        said = f"{decoded.matched} of {decoded.bits} bits"
        if decoded.unmarked:
            chance = f"{100 * decoded.chance:.2f} %"
            said += f"; read in none of {decoded.unmarked:,} unmarked pictures, so by chance in fewer than {chance}"
        return Evidence(
            signal=self.name,
            statement=f"The pixels carry the invisible watermark that {decoded.generator} writes into its pictures ({said}).",
            origin=Origin.SYNTHETIC,
            basis=Basis.MARKED,
            generator=decoded.generator,
            traces=(_trace(decoded),),
        )


def _trace(decoded: Decoded) -> Trace:
    agreed = f"{decoded.matched} of {decoded.bits} bits"
    return Trace(f"pixels {decoded.scheme}", f"{decoded.payload.hex()} ({agreed}; {decoded.place})")


def _unsuitable(subject: Subject) -> str:
    if not can_carry(subject.header):
        return "The picture is too small, or has no colour, for the watermarks known here."
    if subject.large:  # no generator that writes one of these marks makes such pictures
        return "The picture is larger than any that the generators with known watermarks make; a thorough examination looks."
    return ""
