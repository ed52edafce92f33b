"""How the picture was compressed: the last encoder by its tables, earlier compressions by what they left in the pixels.

Rules: compression says nothing of origin, so this signal never speaks; large pictures are decoded only in a thorough examination.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assay.detectors.evidence import Evidence, Finding, Severity, Silence, Trace
from assay.detectors.subject import Subject
from assay.detectors.traces.jpeg import Encoder, Family, chroma_subsampling, identify, tables_in
from assay.provenance.disclosure.jpeg import Picture
from assay.provenance.errors import AssayError
from assay.provenance.media_type import MediaType

if TYPE_CHECKING:
    from assay.detectors.traces.recompression import Grid

_LOSSLESS = (MediaType.PNG, MediaType.BMP, MediaType.TIFF)
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)


@dataclass(slots=True)
class _Notes:
    """What is collected while looking."""

    sentences: list[str] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


class CompressionTrace:
    """Tells encoder family, quality, chroma subsampling, earlier compressions and crops since."""

    name = "trace-compression"

    def examine(self, subject: Subject) -> Evidence:
        """Read tables and frame header of a JPEG; look for earlier grids and steps in the pixels."""
        kind, notes = subject.asset.media_type, _Notes()
        tables: tuple[tuple[int, ...], ...] = ()
        if kind is MediaType.JPEG and subject.metadata.pictures:
            picture = subject.metadata.pictures[0]
            tables = tables_in(picture)
            _tell_encoder(picture, identify(tables), notes)
        elif kind not in _LOSSLESS:
            return Evidence.silent(
                self.name, Silence.INAPPLICABLE, f"{kind} has no JPEG grid of its own to compare with."
            )
        try:
            _tell_history(subject, tables, notes)
        except AssayError as error:
            notes.sentences.append(f"The pixels could not be examined: {error.message}.")
        if not notes.sentences:
            return Evidence.silent(self.name, Silence.ABSENT, "The pixels show no trace of JPEG compression.")
        return Evidence.silent(
            self.name,
            Silence.INCONCLUSIVE,
            " ".join(notes.sentences),
            findings=tuple(notes.findings),
            traces=tuple(notes.traces),
        )


def encoder_in_words(encoder: Encoder) -> str:
    """The encoder as the end of "last written …"."""
    match encoder.family:
        case Family.LIBJPEG | Family.MOZJPEG:
            return f"with {encoder.family}'s tables at quality {encoder.quality}"
        case Family.PHOTOSHOP:
            return f"with Photoshop's tables ({encoder.setting}), about quality {encoder.quality}"
        case Family.CAMERA:
            return f"with tables as in {encoder.setting} (others may have them, too), about quality {encoder.quality}"
        case Family.OTHER:
            return f"with tables of its own, as cameras and some editors have, about quality {encoder.quality}"


def _tell_encoder(picture: Picture, encoder: Encoder | None, notes: _Notes) -> None:
    if encoder is None or picture.frame is None:
        notes.sentences.append("The JPEG's tables or frame header cannot be read.")
        return
    offset = next((segment.offset for segment in picture.segments if segment.marker == 0xDB), None)
    chroma = chroma_subsampling([(part.horizontal, part.vertical) for part in picture.frame.components])
    progressive = "progressive" if picture.frame.marker in _PROGRESSIVE else "sequential"
    exact = "" if encoder.exact else "about "
    notes.sentences.append(f"The JPEG was last written {encoder_in_words(encoder)}, chroma {chroma}, {progressive}.")
    notes.traces += [
        Trace(
            "JPEG DQT",
            f"{encoder.family} {exact}{encoder.quality}" + f" ({encoder.setting})" * bool(encoder.setting),
            offset,
        ),
        Trace("JPEG SOF", f"{chroma}, {progressive}"),
    ]


def _tell_history(subject: Subject, tables: tuple[tuple[int, ...], ...], notes: _Notes) -> None:
    from assay.detectors.traces import recompression

    if subject.large:
        notes.sentences.append("The picture is large: a thorough examination looks for earlier compressions.")
        return
    pixels = recompression.luminance(subject.image)
    shifted = recompression.grid_of(pixels, ignore=(0, 0) if tables else None)
    if tables:
        earlier = recompression.quality_before_last(recompression.coefficients(pixels), tables[0])
        if earlier.strength >= recompression.GAPS:
            _tell_earlier(f"about quality {earlier.quality}", earlier.strength, notes)
        if shifted.strength >= recompression.LINES:
            _tell_crop(shifted, notes)
        return
    before = recompression.quality_before_decoding(recompression.coefficients(pixels, shifted.across, shifted.down))
    fits = before.strength >= recompression.FITS
    if not fits and shifted.strength < recompression.LINES:
        return
    _tell_earlier(f"about quality {before.quality}" if fits else "unknown quality", before.strength, notes)
    if (shifted.across, shifted.down) != (0, 0):
        _tell_crop(shifted, notes)


def _tell_earlier(quality: str, strength: float, notes: _Notes) -> None:
    statement = f"The picture was compressed as JPEG before, at {quality}."
    notes.sentences.append(statement)
    notes.findings.append(Finding("compressed-before", Severity.NOTE, statement))
    notes.traces.append(Trace("pixels DCT", f"{quality} (strength {strength:.0f})"))


def _tell_crop(grid: "Grid", notes: _Notes) -> None:
    statement = "An earlier JPEG grid lies askew in the picture: it was cropped, or put into another picture, after compression."
    notes.sentences.append(statement)
    notes.findings.append(Finding("cropped-after-compression", Severity.NOTE, statement))
    notes.traces.append(Trace("pixels 8×8 grid", f"offset {grid.across}, {grid.down} (strength {grid.strength:.0f})"))
