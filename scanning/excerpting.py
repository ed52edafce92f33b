"""Searching a database for a picture that only a confined process may open: it asks, its parent excerpts, it compares.

Rules: the parent decodes nothing of the picture and believes nothing but the form of what the child asks; the child gets
the few records that a search could look at, and searches these as it would search them all.
"""

import json
from typing import Any

from assay.detectors.fingerprints.grounds import REGIONS
from assay.detectors.fingerprints.searching import Questions, Searcher, questions
from assay.detectors.watermarks.spread import SpreadMark
from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.decoding import decode
from assay.provenance.repository import Excerpt, Repository
from assay.scanning import resolving

_GROUPS, _VALUES = 3, 128  # no picture asks more; each value is a search of its own in the parent
_BYTES = 64  # of a value


def marks_are_kept(repository: Repository) -> bool:
    """Whether it is worth the child's time to read the picture's mark."""
    return repository.has_marks(SpreadMark.name)


def asked(asset: Asset, *, marks: bool, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """In the child: what to ask the repository about this picture. Raises what decoding and hashing raise."""
    found = questions(decode(asset, limits=limits), marks=marks)
    groups = [[(region, value.hex()) for region, value in group] for group in found.groups]
    return json.dumps({"groups": groups, "code": found.code.hex(), "mark": found.mark.hex()}).encode()


def heard(message: bytes) -> Questions:
    """In the parent: the same again. Raises `ValueError` on anything that `asked` does not write."""
    said: dict[str, Any] = json.loads(message)
    if not isinstance(said, dict) or not isinstance(groups := said.get("groups"), list) or len(groups) > _GROUPS:
        raise ValueError("malformed questions")
    read = []
    for group in groups:
        if not isinstance(group, list) or len(group) > _VALUES:
            raise ValueError("malformed questions")
        read.append(tuple((_region(region), _value(value, 32)) for region, value in group))
    code, mark = _value(said.get("code"), 32), _value(said.get("mark"))
    return Questions(groups=tuple(read), code=code, mark=mark)


def same_bytes(repository: Repository, sha256: str, *, most: int) -> bytes:
    """An excerpt of what is kept of these very bytes, which makes all else superfluous; empty where nothing is."""
    records = repository.by_sha256(sha256)[:most]
    return Excerpt.of(repository, [record.id for record in records]).packed() if records else b""


def alike(repository: Repository, said: Questions, *, hint: tuple[str, str], most: int) -> bytes:
    """An excerpt of the records that a search could look at. `hint`: a soft binding by which the caller asks besides; one that
    cannot be read is refused by the child."""
    try:
        codes = resolving.hinted(hint)
    except resolving.QueryRefused:
        codes = ()
    numbers = Searcher(repository).candidates(said)
    numbers |= {record.id for record in repository.by_mark(SpreadMark.name, said.mark)[:most]} if said.mark else set()
    numbers |= set(resolving.near(repository, (said.code, *codes), most))
    return Excerpt.of(repository, numbers).packed()


def _region(name: object) -> str:
    if not isinstance(name, str) or name not in REGIONS:
        raise ValueError("an unknown region")
    return name


def _value(text: object, length: int | None = None) -> bytes:
    if not isinstance(text, str) or len(text) > 2 * _BYTES:
        raise ValueError("malformed value")
    value = bytes.fromhex(text)
    if length is not None and len(value) != length:
        raise ValueError("a value of another length")
    return value
