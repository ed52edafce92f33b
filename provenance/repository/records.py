"""The nouns of the repository: what is kept of one signed picture.

Rules: a record is never changed once it is kept; the picture itself is not in it, only its hash, a thumbnail and fingerprints.
"""

from dataclasses import dataclass, field
from typing import Any

from assay.provenance.custody.chain import BottomLine

FACTS = "id, kept, sha256, name, media_type, width, height, manifest, signer, bottom_line"  # columns of a `Record`
MARK = "mark"  # the region of payloads that were read from the pixels


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One perceptual fingerprint, or the payload of a mark. `algorithm` names how it was made, `region` which part of the
    picture was looked at (`MARK`: its pixels were marked)."""

    algorithm: str
    region: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepsake:
    """What is to be kept of one picture whose manifest binds its bytes.

    `manifest` is the label of the active manifest, `store` the whole manifest store, `bottom_line` the chain's when it was
    kept. `thumbnail` is a small JPEG, empty where there is no decoder. `width` and `height` are pixels as stored.
    """

    sha256: str
    name: str
    media_type: str
    width: int
    height: int
    manifest: str
    signer: str
    bottom_line: BottomLine
    store: bytes = field(repr=False)
    thumbnail: bytes = field(default=b"", repr=False)
    fingerprints: tuple[Fingerprint, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of one kept picture, without the large parts. `kept` is this machine's clock, RFC 3339 in UTC."""

    id: int
    kept: str
    sha256: str
    name: str
    media_type: str
    width: int
    height: int
    manifest: str
    signer: str
    bottom_line: BottomLine


def record_of(row: tuple[Any, ...]) -> Record:
    """The record of a row of `FACTS`."""
    facts = dict(zip(FACTS.split(", "), row, strict=True))
    return Record(**facts | {"bottom_line": BottomLine(facts["bottom_line"])})


def storable(value: str) -> str:
    """Text as every database can keep it: file names and labels may hold anything."""
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
