"""What assay refuses to open: one table of limits, each with a default, a setting and a message.

Rules: a limit is checked before what it bounds is parsed; what a file's container bounds raises `LimitExceeded`, what its
metadata bounds is cut and noted as a flaw. The setting is `ASSAY_LIMITS` in the environment ("bytes=1G,frames=20000"), which
child processes inherit, or a `Limits` of one's own where a function takes one.
"""

import os
import re
from dataclasses import dataclass, field, fields
from typing import Final

from assay.provenance.errors import AssayError

SETTING: Final = "ASSAY_LIMITS"
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_VALUE: Final = re.compile(r"(\d{1,15})([kmg]?)", re.IGNORECASE)
_MEBIBYTE: Final = 1024**2


def _limit(default: int, bounds: str, beyond: str) -> int:
    made: int = field(default=default, metadata={"bounds": bounds, "beyond": beyond})
    return made


_REFUSED = "the file is refused: `LimitExceeded`"
_UNDECODED = "the picture is not decoded: `LimitExceeded`; what the file says is still read"
_UNREADABLE = "the manifest is unreadable: `unreadable-manifest`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Each field's metadata says what it bounds, with its unit, and what happens beyond it."""

    bytes: int = _limit(256 * _MEBIBYTE, "bytes of the file", _REFUSED)
    pixels: int = _limit(178_000_000, "pixels of the first frame, told by the header", _UNDECODED)
    frames: int = _limit(10_000, "frames of an animation or a sequence, pages of a TIFF", _UNDECODED)
    store: int = _limit(64 * _MEBIBYTE, "bytes of a manifest store, also unpacked", _UNREADABLE)
    manifests: int = _limit(1_024, "manifests of a store", _UNREADABLE)
    ingredients: int = _limit(4_096, "ingredient assertions of a store", _UNREADABLE)
    boxes: int = _limit(65_536, "boxes of a store, on all levels", _UNREADABLE)
    nesting: int = _limit(16, "levels of boxes within a store", _UNREADABLE)
    pieces: int = _limit(65_536, "segments, chunks or boxes of a file", "flaw `too-many-pieces`; the rest is not read")
    metadata: int = _limit(
        16 * _MEBIBYTE, "bytes of one block of XMP, EXIF, IIM or text", "flaw `metadata-too-large`; it is cut"
    )
    inflated: int = _limit(
        32 * _MEBIBYTE, "bytes that all compressed text of a file may become", "flaw `compression-bomb`; it is cut"
    )
    tags: int = _limit(32_768, "EXIF entries of a file", "flaw; the rest is not read")
    elements: int = _limit(400_000, "XML elements and attributes of a file", "flaw; the rest is not read")
    fields: int = _limit(20_000, "XMP properties and IIM datasets of a file", "flaw; the rest is not read")

    @classmethod
    def read(cls, setting: str) -> "Limits":
        """The defaults with those named in `setting` replaced: `name=number`, with K, M or G for powers of 1024.

        Raises `LimitsRefused`.
        """
        names = {entry.name for entry in fields(cls)}
        chosen: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in setting.split(","))):
            name, _, value = (word.strip() for word in part.partition("="))
            if name not in names:
                raise LimitsRefused(f"{SETTING}: there is no limit {name!r}", f"there are {', '.join(sorted(names))}")
            found = _VALUE.fullmatch(value)
            if found is None or not int(found[1]):
                raise LimitsRefused(f"{SETTING}: {value!r} is no value for {name}", "such as 500, 64K, 256M, 1G")
            chosen[name] = int(found[1]) * _UNITS[found[2].lower()]
        return cls(**chosen)


class LimitsRefused(AssayError):
    """The setting names a limit that there is not, or gives it no number."""


def _of_environment() -> tuple[Limits, LimitsRefused | None]:
    try:
        return Limits.read(os.environ.get(SETTING, "")), None
    except LimitsRefused as error:  # importing must not fail: `check_setting` says it at the door
        return Limits(), error


DEFAULT_LIMITS, _refused = _of_environment()


def check_setting() -> None:
    """Raise `LimitsRefused` where the environment's setting could not be read."""
    if _refused is not None:
        raise _refused
