"""What the metadata say of a camera, and whether it agrees with itself and with the picture.

Rules: any of these fields can be copied from a photograph into any file, so this signal never speaks of origin; what it
finds are facts to ask about.
"""

from assay.detectors.evidence import Evidence, Finding, Severity, Silence, Trace
from assay.detectors.subject import Subject
from assay.detectors.traces import consistency, profile
from assay.detectors.traces.jpeg import identify, tables_in
from assay.provenance.disclosure.block import Carrier
from assay.provenance.disclosure.exif import Exif
from assay.provenance.errors import AssayError
from assay.provenance.media_type import MediaType

_TOLD = (
    ("Make", "IFD0"),
    ("Model", "IFD0"),
    ("LensModel", "Exif"),
    ("DateTimeOriginal", "Exif"),
    ("Software", "IFD0"),
    ("GPSDateStamp", "GPS"),
)
_GAIN_MAPS = (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"http://ns.apple.com/HDRGainMap/1.0/")
_DEPTH = (
    b"http://ns.google.com/photos/1.0/depthmap/",
    b"http://ns.google.com/photos/dd/1.0/",
    b"http://ns.apple.com/depthData/1.0/",
)


class CameraTrace:
    """Tells camera, lens, time, maker note, position, further pictures and colour profile, and what contradicts what."""

    name = "trace-camera"

    def examine(self, subject: Subject) -> Evidence:
        """Compare the camera's fields with one another, with the thumbnail, the picture's size and the encoder."""
        traces = _container(subject)
        exif = subject.metadata.exif
        camera = consistency.camera_of(exif) if exif else ""
        if exif is None or not (camera or exif.get("DateTimeOriginal", "Exif") or exif.thumbnail):
            statement = "The metadata name no camera; most sites remove them."
            return Evidence.silent(self.name, Silence.ABSENT, statement, traces=tuple(traces))
        traces = [*_fields(exif), *traces]
        findings = list(_findings(subject, exif))
        named = (
            f"The metadata name a camera ({camera})"
            if camera
            else "The metadata name no camera, but hold camera fields"
        )
        doubt = (
            f"{len(findings)} detail{'s do' if len(findings) > 1 else ' does'} not fit, see the findings"
            if findings
            else ""
        )
        statement = f"{named}; {doubt or 'nothing in them contradicts the picture'}. Anybody can write such fields."
        return Evidence.silent(
            self.name, Silence.INCONCLUSIVE, statement, findings=tuple(findings), traces=tuple(traces)
        )


def _fields(exif: Exif) -> list[Trace]:
    found = [
        Trace(f"EXIF {name}", entry.text, entry.offset)
        for name, directory in _TOLD
        if (entry := exif.get(name, directory)) and entry.text
    ]
    if note := exif.get("MakerNote", "Exif"):
        found.append(Trace("EXIF MakerNote", f"{note.count} bytes", note.offset))
    if position := exif.get("GPSLatitude", "GPS"):
        found.append(Trace("EXIF GPSLatitude", "a position is recorded", position.offset))
    return found


def _container(subject: Subject) -> list[Trace]:
    """Further pictures, gain map, depth and colour profile: what phones and cameras put beside the picture."""
    metadata, found = subject.metadata, []
    if len(metadata.pictures) > 1:
        found.append(Trace("JPEG pictures", str(len(metadata.pictures)), metadata.pictures[1].start))
    for block in metadata.blocks:
        if block.carrier is Carrier.MPF:
            found.append(Trace("JPEG MPF", f"{len(block.content)} bytes", block.offset))
        elif block.carrier is Carrier.XMP and any(space in block.content for space in _GAIN_MAPS):
            found.append(Trace("XMP gain map", "the file says that it holds an HDR gain map", block.offset))
        elif block.carrier is Carrier.XMP and any(space in block.content for space in _DEPTH):
            found.append(Trace("XMP depth", "the file says that it holds a depth map", block.offset))
        elif block.carrier is Carrier.ICC and block.primary and (name := profile.description(block.content)):
            found.append(Trace("ICC profile", name, block.offset))
    return found


def _findings(subject: Subject, exif: Exif) -> tuple[Finding, ...]:
    pictures = subject.metadata.pictures
    encoder = identify(tables_in(pictures[0])) if subject.asset.media_type is MediaType.JPEG and pictures else None
    tool = next((field.value for field in subject.metadata.named(Carrier.XMP, "xmp:CreatorTool") if field.primary), "")
    found = [*consistency.dates(exif), *consistency.software(exif, tool), *consistency.writing(exif, encoder)]
    try:
        found += consistency.dimensions(exif, *subject.header.size)
        found += _thumbnail(subject, exif)
    except AssayError:
        pass  # other signals tell that the picture cannot be decoded
    return tuple(found)


def _thumbnail(subject: Subject, exif: Exif) -> tuple[Finding, ...]:
    from assay.detectors.traces import thumbnail

    if not exif.thumbnail:
        return ()
    compared = thumbnail.compare(subject, exif.thumbnail)
    if compared is None:
        return ()
    if compared.shape > thumbnail.SAME_SHAPE:
        statement = (
            "The embedded thumbnail has another shape than the picture: the picture was cropped after the thumbnail was made, "
            "or the thumbnail is another picture's."
        )
        return (Finding("thumbnail-shape-differs", Severity.NOTE, statement),)
    if compared.likeness < thumbnail.ALIKE:
        statement = (
            f"The embedded thumbnail shows something else than the picture (correlation {compared.likeness:.2f}): "
            "the picture was changed, or the metadata were copied from another."
        )
        return (Finding("thumbnail-differs", Severity.WARNING, statement),)
    return ()
