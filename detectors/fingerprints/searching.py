"""Finding the originals of a copy: fingerprints propose, a second look decides.

Rules: the thresholds are data (`operating_point.json`), chosen on other pictures than those whose error rates stand beside them;
a picture with too little in it is never matched by its looks; what was forgotten is never found.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from PIL import Image

from assay.detectors.evidence import Rate
from assay.detectors.fingerprints.aligning import agreement
from assay.detectors.fingerprints.grounds import REGIONS, View, crop_views, cut, first_views, framed_views, ground
from assay.detectors.fingerprints.index import index_of
from assay.detectors.fingerprints.iscc import ISCC, image_code
from assay.detectors.fingerprints.pdq import LEAST_QUALITY, PDQ, pdq
from assay.detectors.watermarks.protocol import Decoded
from assay.detectors.watermarks.spread import SpreadMark
from assay.provenance.asset import Asset
from assay.provenance.decoding import decode
from assay.provenance.errors import AssayError
from assay.provenance.repository import MARK, Fingerprint, RepositoryRefused

if TYPE_CHECKING:
    from assay.provenance.repository import Record, Repository

FRAMED = 64  # bits in which a frame's content may differ: its sides are known to the pixel (copies seen: at most 32)
WHOLE_PICTURE = "whole"  # the region of fingerprints that know no regions


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """From where on a match is believed, and how often that was wrong when it was measured.

    `within`: bits in which a candidate may differ; `looks`: candidates that get a second look, for each group of guesses;
    `agreement`: the least correlation. `false_matches`: searches for a picture that was not in the repository, and those
    that found something all the same, among `distractors` records.
    """

    within: int
    looks: int
    agreement: float
    false_matches: Rate
    distractors: int


@dataclass(frozen=True, slots=True)
class Match:
    """One record whose picture a copy shows. `distance` in bits of 256, `agreement` the correlation of the second look,
    `how` the guess at what was done to the copy."""

    record: "Record"
    distance: int
    agreement: float
    how: str


@lru_cache(maxsize=1)
def operating_point() -> OperatingPoint:
    """The one that is shipped."""
    source = files("assay").joinpath("detectors", "fingerprints", "operating_point.json")
    found = json.loads(source.read_text("utf-8"))
    return OperatingPoint(**found | {"false_matches": Rate(**found["false_matches"])})


def fingerprints(image: Image.Image) -> tuple[Fingerprint, ...]:
    """What is kept of a picture: PDQ of every region, and its ISCC Image-Code; nothing of one with too little in it.

    Raises `MissingExtra`.
    """
    picture = ground(image)
    found = []
    for region, box in REGIONS.items():
        value, quality = pdq(cut(picture, box))
        if quality >= LEAST_QUALITY:
            found.append(Fingerprint(PDQ, region, value))
    if found:
        found.append(Fingerprint(ISCC, WHOLE_PICTURE, image_code(image)))
    return tuple(found)


def mark_of(image: Image.Image) -> tuple[Fingerprint, ...]:
    """The payload of assay's own mark, to be kept of a picture whose manifest declares one; nothing where none is read."""
    payload = SpreadMark().read(image)
    return (Fingerprint(SpreadMark.name, MARK, payload),) if payload else ()


def marked(repository: "Repository", image: Image.Image) -> tuple[Decoded | None, tuple["Record", ...]]:
    """The mark that is read from a picture's pixels, and what is remembered under its payload. Nothing is computed where no
    marked picture is remembered."""
    if not repository.has_marks(SpreadMark.name):
        return None, ()
    decoded = SpreadMark().detect(image)
    return decoded, repository.by_mark(SpreadMark.name, decoded.payload) if decoded else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked of a repository about one picture: for each group of guesses its (region, PDQ value), the picture's ISCC
    Image-Code, and the payload of the mark in its pixels, empty where none was read."""

    groups: tuple[tuple[tuple[str, bytes], ...], ...]
    code: bytes
    mark: bytes = b""


def questions(image: Image.Image, *, marks: bool) -> Questions:
    """All that a search could come to ask about a picture. `marks`: whether its mark is read as well, which takes long.

    Raises `MissingExtra`.
    """
    picture = ground(image)
    groups = [
        tuple((view.region, value) for view, value in _hashed(picture, views))
        for views in (first_views(picture), crop_views(), framed_views(picture))
    ]
    mark = SpreadMark().detect(image) if marks else None
    return Questions(groups=tuple(groups), code=image_code(image), mark=mark.payload if mark else b"")


class Searcher:
    """Searches one repository. Used from one thread at a time."""

    def __init__(self, repository: "Repository", *, point: OperatingPoint | None = None) -> None:
        """Raises `MissingExtra` where pictures cannot be hashed."""
        self.repository = repository
        self.point = point or operating_point()
        self._indexes = {region: index_of(repository, PDQ, region) for region in REGIONS}

    def search(self, image: Image.Image, *, crops: bool = True, most: int = 10) -> tuple[Match, ...]:
        """The records that this picture may be a copy of, the best first. `crops`: try cut edges where nothing else fits.

        Raises `RepositoryRefused` where a record that had to be looked at is damaged.
        """
        picture = ground(image)
        matches = self._try(picture, first_views(picture))
        if not matches and crops:
            matches = self._try(picture, crop_views())
        if not matches:
            matches = self._try(picture, framed_views(picture), within=min(FRAMED, self.point.within))
        return tuple(sorted(matches, key=lambda match: -match.agreement)[:most])

    def candidates(self, asked: Questions) -> set[int]:
        """The numbers of all records that `search` would look at for the picture that these questions are about."""
        return {number for group in asked.groups for number, _, _ in self._proposed(group, self.point.within)}

    def _try(self, picture: Image.Image, views: tuple[View, ...], *, within: int | None = None) -> list[Match]:
        """Look at the nearest candidates of a group of guesses, each record once."""
        hashed = _hashed(picture, views)
        asked = [(view.region, value) for view, value in hashed]
        best = self._proposed(asked, within or self.point.within)
        looked = [self._look(picture, number, distance, hashed[at][0]) for number, distance, at in best]
        return [match for match in looked if match is not None]

    def _proposed(self, asked: Sequence[tuple[str, bytes]], within: int) -> list[tuple[int, int, int]]:
        """(record number, distance, which question) of the nearest candidates of a group, nearest first."""
        nearest: dict[int, tuple[int, int]] = {}
        for region, index in self._indexes.items():
            here = [at for at, (place, _) in enumerate(asked) if place == region]
            if not here:
                continue
            for hit in index.nearest([asked[at][1] for at in here], within=within, most=self.point.looks):
                known = nearest.get(hit.record)
                if known is None or hit.distance < known[0]:
                    nearest[hit.record] = (hit.distance, here[hit.query])
        best = sorted(nearest.items(), key=lambda item: item[1][0])[: self.point.looks]
        return [(number, distance, at) for number, (distance, at) in best]

    def _look(self, picture: Image.Image, number: int, distance: int, view: View) -> Match | None:
        record = self.repository.get(number)
        thumbnail = self.repository.thumbnail(record) if record else b""
        if record is None or not thumbnail:
            return None
        try:
            original = decode(Asset.from_bytes(thumbnail, name=record.name)).convert("L")
        except AssayError as error:
            raise RepositoryRefused(
                f"{self.repository.place}: the record of {record.sha256} is damaged: its small picture cannot be decoded",
                "forget that hash with `assay repository forget`, and add the picture again",
            ) from error
        fit = agreement(picture, view, original)
        return Match(record, distance, fit, view.name) if fit >= self.point.agreement else None


def _hashed(picture: Image.Image, views: tuple[View, ...]) -> list[tuple[View, bytes]]:
    """The guesses of which there is enough in the picture, with their PDQ values."""
    found = [(view, *pdq(cut(picture, view.box, view.turn))) for view in views]
    return [(view, value) for view, value, quality in found if quality >= LEAST_QUALITY]
