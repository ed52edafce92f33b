"""The metadata of a picture that is being re-encoded: what goes along, what is taken out, what the new format cannot carry.

Rules: EXIF, XMP and the colour profile are carried over where the format allows; nothing is lost without being named; a
position is taken out everywhere, maker notes and all else that cannot be read for one included; so is what points to a
manifest, for that is the old file's.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import TiffImageFile

from assay.provenance.media_type import MediaType
from assay.provenance.text import plain

_ORIENTATION = ExifTags.Base.Orientation
_MAKER_NOTE = 0x927C  # opaque, and some makers write positions into it
_STRUCTURE = frozenset(  # TIFF tags that describe the encoding, not the picture; the encoder writes its own
    {
        *(254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 277, 278, 279, 280, 281, 284, 292, 293, 317, 318, 319, 320),
        *(
            322,
            323,
            324,
            325,
            330,
            332,
            336,
            338,
            339,
            347,
            512,
            513,
            514,
            529,
            530,
            531,
            532,
            33723,
            34377,
            34675,
            700,
        ),
        *(0xCD41,),  # the C2PA manifest store: it binds the original's bytes, never these
    }
)
POSITION = re.compile(  # keys, with whatever namespace
    r"gps|latitude|longitude|geolocation|geohash|(?:^|[^a-z])(?:lat|lon|lng|geo|coordinates)$", re.IGNORECASE
)
_KEY = re.compile(r"""<([\w:.-]+)|\s(?!xmlns:)([\w:.-]+)\s*=\s*["']""")  # in XMP: an element or an attribute
_TERMS = b"http://purl.org/dc/terms/"
_REFERENCE = re.compile(  # in XMP, to the manifest of the bytes that were: an attribute or an element
    rb"""\s[\w.-]+:provenance\s*=\s*(?:"[^"<>]*"|'[^'<>]*')|<([\w.-]+:provenance)\b[^<>]*(?:/>|>[^<>]*</\1\s*>)"""
)
_CARRIES: dict[MediaType, tuple[str, ...]] = {
    MediaType.JPEG: ("exif", "xmp", "icc_profile"),
    MediaType.PNG: ("exif", "xmp", "icc_profile"),
    MediaType.WEBP: ("exif", "xmp", "icc_profile"),
    MediaType.AVIF: ("exif", "xmp", "icc_profile"),
    MediaType.TIFF: ("exif", "xmp", "icc_profile"),
    MediaType.GIF: (),
}


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says beside its pixels. `others` names what assay cannot carry over at all."""

    exif: Image.Exif
    xmp: bytes
    profile: bytes
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, image: Image.Image) -> "Metadata":
        """Collect from a decoded picture."""
        exif, malformed = _exif(image)
        xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        if isinstance(image, TiffImageFile):
            xmp = xmp or image.tag_v2.get(700, b"")
        xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
        xmp, references = _REFERENCE.subn(b"", xmp) if _TERMS in xmp else (xmp, 0)
        others = ["malformed EXIF"] if malformed else []
        if image.info.get("photoshop") or exif.get(33723) or exif.get(34377):
            others.append("IPTC")
        if image.info.get("comment"):
            others.append("comment")
        if not isinstance(image, TiffImageFile) and getattr(image, "n_frames", 1) > 1:  # see `deriving`
            others.append("further pictures in the file")
        if references:
            others.append("reference to a manifest")
        others += [f"text “{plain(key, limit=40)}”" for key in getattr(image, "text", {}) if key != "XML:com.adobe.xmp"]
        return cls(exif, xmp, image.info.get("icc_profile") or b"", tuple(others))

    @property
    def has_position(self) -> bool:
        """Whether a position is stated, or might be in what cannot be read."""
        stated = ExifTags.IFD.GPSInfo in self.exif and bool(self.exif.get_ifd(ExifTags.IFD.GPSInfo))
        return stated or self._note() or self._located()

    def without_position(self) -> "Metadata":
        """The same without any position: no GPS directory, no maker notes, and no XMP where a key tells one."""
        exif = Image.Exif()
        exif.load(self.exif.tobytes())
        _without(exif, _MAKER_NOTE)
        if ExifTags.IFD.GPSInfo in exif:
            del exif[ExifTags.IFD.GPSInfo]
        return replace(self, exif=exif, xmp=b"" if self._located() else self.xmp)

    def without_profile(self, *, converted: bool) -> "Metadata":
        """The same for pixels that the profile no longer describes; unless they were `converted` by it, it is missed."""
        missed = () if converted or not self.profile else ("colour profile",)
        return replace(self, profile=b"", others=(*self.others, *missed))

    def for_format(self, target: MediaType) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Keyword arguments for Pillow's encoder of `target`, and the names of what is left behind."""
        offered: dict[str, Any] = {"exif": self._upright_exif(), "xmp": self.xmp, "icc_profile": self.profile}
        offered = {name: value for name, value in offered.items() if value}
        carried = {name: value for name, value in offered.items() if name in _CARRIES[target]}
        names = {"exif": "EXIF", "xmp": "XMP", "icc_profile": "colour profile"}
        lost = (*(names[name] for name in offered if name not in carried), *self.others)
        if target is MediaType.PNG and "xmp" in carried:
            text = PngInfo()
            text.add_itxt("XML:com.adobe.xmp", carried.pop("xmp").decode("utf-8", "replace"))
            carried["pnginfo"] = text
        if target is MediaType.TIFF and "xmp" in carried:
            exif = self._upright()
            exif[700] = carried.pop("xmp")
            carried["exif"] = exif
        return carried, lost

    def _note(self) -> bool:
        return ExifTags.IFD.Exif in self.exif and _MAKER_NOTE in self.exif.get_ifd(ExifTags.IFD.Exif)

    def _located(self) -> bool:
        """Whether the XMP tells a position, or speaks of GPS anywhere."""
        text = self.xmp.decode("utf-8", "replace")
        return "gps" in text.lower() or any(POSITION.search(element or name) for element, name in _KEY.findall(text))

    def _upright_exif(self) -> bytes:
        exif = self._upright()
        return exif.tobytes() if len(exif) else b""

    def _upright(self) -> Image.Exif:
        """The EXIF directories for the new pixels: upright, without the old encoding's tags, size and thumbnail."""
        exif = Image.Exif()
        exif.load(self.exif.tobytes())
        for tag in (*_STRUCTURE, _ORIENTATION):
            if tag in exif:
                del exif[tag]
        _without(exif, 0xA002, 0xA003)  # the old width and height
        return exif


def _exif(image: Image.Image) -> tuple[Image.Exif, bool]:
    """The picture's EXIF, or an empty one and true where it cannot be read, or not be written again."""
    try:
        exif = image.getexif()
        exif.tobytes()
    except Exception:  # Pillow raises whatever it likes on malformed EXIF
        return Image.Exif(), True
    return exif, False


def _without(exif: Image.Exif, *tags: int) -> None:
    """Take tags out of the Exif directory. One that is not there is not asked for: Pillow would make it, and an empty one
    cannot be written to TIFF."""
    if ExifTags.IFD.Exif not in exif:
        return
    directory = exif.get_ifd(ExifTags.IFD.Exif)
    for tag in tags:
        directory.pop(tag, None)
    if not directory:
        del exif[ExifTags.IFD.Exif]
