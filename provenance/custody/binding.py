"""What of a file's bytes the hash that binds its manifest to them leaves out (C2PA 2.2 §9.2, §18.5 to §18.7).

Rules: the C2PA library checks the hashes; read here is only what they were told not to cover. Metadata may be left out, and is
named; where more is left out, or what is left out cannot be told, nobody can say that the picture is the one that was signed.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

import cbor2

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Gap
from assay.provenance.jumbf.boxes import boxes
from assay.provenance.jumbf.containers import BMFF_UUID, asides, end_of_picture
from assay.provenance.jumbf.store import StoredManifest
from assay.provenance.media_type import MediaType, sniff

_PICTURE: Final = "its signature leaves out more than metadata, so that the picture may have been changed since"
_ANOTHER: Final = "behind the picture that was signed lies another, which its signature leaves out"
_BOXES_ASIDE: Final = frozenset({"APP1", "APP13", "COM", "eXIf", "tEXt", "zTXt", "iTXt", "tIME", "Exif", "xml "})
_MOST_ASIDES: Final = 65_536  # stretches of metadata in one file
_LONGEST: Final = 4 * 1024 * 1024  # bytes of the assertion; a picture of 64 MB hashed in pieces of 1 kB takes 2 MB
_VERSION: Final = re.compile(r"\.v\d+$")
_LAST_BOX: Final = {MediaType.JPEG: "EOI", MediaType.PNG: "IEND", MediaType.GIF: "3B"}
# Boxes without a part of the picture, which the C2PA library itself leaves out; the first version of its hash also left out
# where the parts lie, because a manifest that comes between moves them.
_BMFF_ASIDE: Final = frozenset({"/ftyp", "/mfra", "/free", "/skip"})
_BMFF_PLACES: Final = "/meta/iloc"


@dataclass(frozen=True, slots=True)
class Unbound:
    """What a manifest does not bind: `picture` says why nobody can tell whether it is the one that was signed."""

    picture: str = ""
    gaps: tuple[Gap, ...] = ()


def unbound(stored: StoredManifest | None, asset: Asset) -> Unbound:
    """What the manifest of this very file leaves out of it."""
    found = []
    for assertion in stored.assertions if stored else ():
        label = assertion.label.partition("__")[0]
        reader = _READERS.get(_VERSION.sub("", label))
        if reader is None:
            continue
        if len(assertion.content) > _LONGEST:
            return Unbound(_PICTURE)
        try:
            content: Any = cbor2.loads(assertion.content, max_depth=16)
            found.append(reader(content, asset, label))
        except (cbor2.CBORDecodeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            found.append(Unbound(_PICTURE))
    return Unbound(
        next((one.picture for one in found if one.picture), ""), tuple(gap for one in found for gap in one.gaps)
    )


def _data(content: Mapping[str, Any], asset: Asset, _: str) -> Unbound:
    ranges = [(one["start"], one["start"] + one["length"]) for one in content.get("exclusions") or ()]
    if len(ranges) <= 1:  # the library holds a single one against the place of the manifest store
        return Unbound()
    left = _kinds(asset, ranges)
    if left.picture:
        return Unbound(_PICTURE)
    return Unbound("", (_left_out(f"{left.metadata:,} bytes of metadata"),) if left.metadata else ())


def _boxes(content: Mapping[str, Any], asset: Asset, _: str) -> Unbound:
    """Boxes behind the last that is listed are not looked at by the library, nor is anything behind the end of the format."""
    excluded = {
        name: None for box in content["boxes"] if box.get("excluded") for name in box["names"] if name != "C2PA"
    }
    if not _BOXES_ASIDE.issuperset(excluded):
        return Unbound(_PICTURE)
    gaps = [_left_out(f"metadata ({', '.join(excluded)})")] if excluded else []
    names = [name for box in content["boxes"] for name in box["names"]]
    if asset.media_type is MediaType.JXL:
        present = tuple(boxes(asset.content, 0, len(asset.content)))
        end = present[min(len(names), len(present)) - 1].end
        if _kinds(asset, [(end, len(asset.content))]).picture:
            return Unbound(_PICTURE)
    elif names[-1:] != [_LAST_BOX.get(asset.media_type)]:
        return Unbound(_PICTURE)
    else:
        end = end_of_picture(asset.content, asset.media_type) or 0
        if sniff(asset.content[end:].lstrip(b"\0")):
            return Unbound(_ANOTHER)
    if size := len(asset.content) - end:
        gaps.append(Gap("unbound-tail", f"{size:,} bytes behind the picture's end are bound by nothing"))
    return Unbound("", tuple(gaps))


def _bmff(content: Mapping[str, Any], asset: Asset, label: str) -> Unbound:
    metadata = places = False
    for one in content.get("exclusions") or ():
        path = one["xpath"]
        if path in _BMFF_ASIDE or (path == "/mdat" and content.get("merkle")):  # hashed in pieces, of their own
            continue
        if path == "/uuid":
            metadata |= not any(part["offset"] == 8 and part["value"] == BMFF_UUID for part in one.get("data") or ())
        elif path == _BMFF_PLACES and label == "c2pa.hash.bmff":
            places = True
        else:
            return Unbound(_PICTURE)
    what = ["metadata (uuid)"] * metadata + ["where the parts of the picture lie (iloc)"] * places
    return Unbound("", tuple(map(_left_out, what)))


_READERS: Final[dict[str, Callable[[Mapping[str, Any], Asset, str], Unbound]]] = {
    "c2pa.hash.data": _data,
    "c2pa.hash.boxes": _boxes,
    "c2pa.hash.bmff": _bmff,
}


def _left_out(what: str) -> Gap:
    return Gap("unbound-bytes", f"its signature leaves out {what}, which may have been changed since")


class _Kinds(NamedTuple):
    """How many bytes are metadata, and how many neither that nor the manifest store."""

    metadata: int
    picture: int


def _kinds(asset: Asset, ranges: Iterable[tuple[int, int]]) -> _Kinds:
    known = islice(asides(asset.content, asset.media_type), _MOST_ASIDES)  # what comes after counts as picture
    aside = list(_apart((one.start, one.end, one.metadata) for one in known))
    metadata = picture = at = 0
    for start, end, _ in _apart((start, end, False) for start, end in ranges):
        picture += end - start
        while at < len(aside) and aside[at][0] < end:
            common = max(0, min(end, aside[at][1]) - max(start, aside[at][0]))
            picture -= common
            metadata += common * aside[at][2]
            if aside[at][1] > end:  # the next range may lie in it too
                break
            at += 1
    return _Kinds(metadata, picture)


def _apart(ranges: Iterable[tuple[int, int, bool]]) -> Iterator[tuple[int, int, bool]]:
    """In order, and each without what those before it have."""
    reach = 0
    for start, end, mark in sorted(ranges):
        if end > max(start, reach):
            yield max(start, reach), end, mark
            reach = end
