"""Whether what EXIF says of a photograph agrees with itself, with the picture, and with how the file was written.

Rules: every check that fails is a finding with both values in it, never a verdict; each has an innocent explanation, and the
sentence leaves room for it.
"""

import re
from datetime import datetime, timedelta

from assay.detectors.evidence import Finding, Severity
from assay.detectors.traces.jpeg import Encoder, Family
from assay.provenance.disclosure.exif import Exif

# Makers whose cameras write a maker note into every JPEG (ExifTool, documentation of tag MakerNotes)
_MAKER_NOTE = ("canon", "nikon", "olympus", "om digital", "fujifilm", "panasonic", "pentax", "apple", "sony")
_EDITOR = re.compile(
    r"photoshop|lightroom|camera raw|gimp|snapseed|pixelmator|affinity|capture one|darktable|rawtherapee|picsart|meitu"
    r"|facetune|vsco|canva|luminar|paint\.net|acdsee|faceapp|remini|photoscape|paintshop|picasa|photodirector|facelab",
    re.IGNORECASE,
)
_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")
_DAY = re.compile(r"(\d{4}):(\d\d):(\d\d)")


def camera_of(exif: Exif) -> str:
    """Maker and model as one name; empty where EXIF names neither."""
    make, model = exif.text("Make", "IFD0"), exif.text("Model", "IFD0")
    return model if make and model.lower().startswith(make.lower().split()[0]) else f"{make} {model}".strip()


def dimensions(exif: Exif, width: int, height: int) -> tuple[Finding, ...]:
    """EXIF's own size against the picture's."""
    across, down = exif.number("ExifImageWidth", "Exif"), exif.number("ExifImageHeight", "Exif")
    if not across or not down or {across, down} == {width, height}:
        return ()
    statement = (
        f"EXIF says {across:.0f}×{down:.0f} pixels, the picture has {width}×{height}: it was resized or cropped by software "
        "that left the field as it was."
    )
    return (Finding("dimensions-differ", Severity.NOTE, statement),)


def dates(exif: Exif) -> tuple[Finding, ...]:
    """The times of capture, change and satellite fix against one another."""
    found = []
    taken_text, changed_text = exif.text("DateTimeOriginal", "Exif"), exif.text("DateTime", "IFD0")
    taken, changed = _moment(taken_text), _moment(changed_text)
    if taken_text and taken is None:
        found.append(Finding("date-impossible", Severity.NOTE, f"The time of capture, {taken_text}, is no date."))
    if taken and changed and changed < taken - timedelta(days=1):
        statement = f"EXIF says that the file was changed ({changed_text}) before the picture was taken ({taken_text})."
        found.append(Finding("dates-contradict", Severity.WARNING, statement))
    day = _DAY.fullmatch(exif.text("GPSDateStamp", "GPS"))
    if taken and day:
        fixed = _moment(f"{day.group()} 12:00:00")
        if fixed and abs(fixed - taken) > timedelta(days=2):
            statement = f"The satellite fix is of {day.group()}, the time of capture is {taken_text}."
            found.append(Finding("dates-contradict", Severity.WARNING, statement))
    return tuple(found)


def software(exif: Exif, creator_tool: str) -> tuple[Finding, ...]:
    """Editing software that names itself in EXIF or XMP."""
    for name in (exif.text("Software", "IFD0"), exif.text("ProcessingSoftware", "IFD0"), creator_tool):
        if _EDITOR.search(name):
            return (Finding("edited-with", Severity.NOTE, f"The metadata name editing software: {name}."),)
    return ()


def writing(exif: Exif, encoder: Encoder | None) -> tuple[Finding, ...]:
    """How the file was written, against the camera that EXIF names."""
    camera = camera_of(exif)
    if not camera:
        return ()
    found = []
    if encoder and encoder.family in (Family.PHOTOSHOP, Family.MOZJPEG):
        statement = (
            f"EXIF names a camera ({camera}), but the file was last written by {encoder.family}, which is no camera's."
        )
        found.append(Finding("written-by-software", Severity.NOTE, statement))
    maker = exif.text("Make", "IFD0").lower()
    if maker.startswith(_MAKER_NOTE) and exif.get("MakerNote", "Exif") is None:
        statement = f"The maker note that cameras of {exif.text('Make', 'IFD0')} write is missing: the metadata were rewritten or copied."
        found.append(Finding("maker-note-missing", Severity.NOTE, statement))
    return tuple(found)


def _moment(text: str) -> datetime | None:
    found = _DATE.fullmatch(text)
    if not found:
        return None
    try:
        return datetime(*(int(part) for part in found.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
