"""Where trust lists lie: snapshots inside the package, and dated editions over them in the user's state folder.

Rules: an edition is one metadata file that names its content by hash, so that replacing that file switches editions at
once; the edition before is kept; content that does not match its hash is refused; nothing here opens a connection.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from assay.provenance.home import home
from assay.provenance.trust.certificates import is_authority
from assay.provenance.trust.development import DEVELOPMENT_LIST, DEVELOPMENT_TITLE, development_anchor
from assay.provenance.trust.products import Product, read_products
from assay.provenance.trust.reading import TrustListRefused, moment, read_allowed, read_contents
from assay.provenance.trust.trust_list import ListKind, Purpose, TrustList

PRODUCTS = "products"  # the conforming-products list lies beside the trust lists and is updated like them
SWITCHED_OFF = "off"  # a file of this name in a list's folder
SNAPSHOTS = files("assay") / "provenance" / "trust" / "snapshots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One dated file of one list, with what is known of its origin. `disabled`: the user removed a shipped list."""

    id: str
    title: str
    kind: ListKind
    purposes: tuple[Purpose, ...]
    content: str  # file name
    source: str
    sha256: str
    licence: str = ""
    allowed: str = ""  # file name
    url: str = ""  # where updates come from; empty: never updated
    key: str = ""  # PEM public key whose signature (at url + ".sig") every update must carry
    issued: datetime | None = None
    next_update: datetime | None = None
    retrieved: datetime | None = None
    frozen: bool = False
    disabled: bool = False
    shipped: bool = False
    previous: str = ""  # content of the edition before

    @property
    def is_products(self) -> bool:
        """Whether this is the conforming-products list, which holds no certificates."""
        return self.id == PRODUCTS

    def read(self) -> bytes:
        """The content, checked against its hash. Raises `TrustListRefused`."""
        try:
            content = (
                (SNAPSHOTS / self.content).read_bytes()
                if self.shipped
                else (folder(self.id) / self.content).read_bytes()
            )
        except OSError as error:
            raise TrustListRefused(f"{self.id}: {self.content} cannot be read: {error.strerror}", _hint(self)) from None
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise TrustListRefused(f"{self.id}: {self.content} is not the file that was stored", _hint(self))
        return content


def folder(list_id: str = "") -> Path:
    """The user's folder of trust lists, or that of one list. It may not exist."""
    return home() / "trust" / list_id if list_id else home() / "trust"


def editions() -> tuple[Edition, ...]:
    """The edition in force of every list: shipped lists first (or the user's newer edition), then the user's own.

    Raises `TrustListRefused` where metadata cannot be read.
    """
    current = {edition.id: edition for edition in shipped_editions()}
    try:
        for path in sorted(folder().glob("*/list.json")):
            edition = _stored(path)
            shipped = current.get(edition.id)
            if shipped is None or _newer(edition, shipped):
                current[edition.id] = edition
        return tuple(replace(x, disabled=(folder(x.id) / SWITCHED_OFF).exists()) for x in current.values())
    except OSError as error:
        raise TrustListRefused(
            f"{folder()}: the trust lists cannot be read: {error.strerror}", "name another state folder with ASSAY_HOME"
        ) from None


def load_lists() -> tuple[TrustList, ...]:
    """Every trust list in force, parsed. Raises `TrustListRefused`."""
    return tuple(load(edition) for edition in editions() if not edition.disabled and not edition.is_products)


def load(edition: Edition) -> TrustList:
    """Parse one edition. Raises `TrustListRefused`."""
    return _parsed(edition, edition.read())


def load_products() -> tuple[Product, ...]:
    """The conforming products in force; none where the user removed that list. Raises `TrustListRefused`."""
    edition = next(edition for edition in editions() if edition.is_products)
    return () if edition.disabled else read_products(edition.id, edition.read())


def development_list() -> TrustList | None:
    """The list that holds this machine's development authority; None where there is none."""
    anchor = development_anchor()
    if anchor is None:
        return None
    contents = read_contents("development authority", anchor.encode())
    return TrustList(
        id=DEVELOPMENT_LIST,
        title=DEVELOPMENT_TITLE,
        kind=ListKind.DEVELOPMENT,
        purposes=(Purpose.CLAIM_SIGNING,),
        anchors=contents.certificates,
        sha256=hashlib.sha256(anchor.encode()).hexdigest(),
        source="made by assay on this machine",
    )


@lru_cache(maxsize=1)
def shipped_editions() -> tuple[Edition, ...]:
    """The snapshots inside the package."""
    return tuple(_edition(entry, shipped=True) for entry in json.loads((SNAPSHOTS / "lists.json").read_bytes()))


def metadata(edition: Edition) -> str:
    """An edition as its metadata file holds it. Whether it is switched off is no part of it."""
    entry: dict[str, Any] = {
        "id": edition.id,
        "title": edition.title,
        "kind": edition.kind.value,
        "purposes": [purpose.value for purpose in edition.purposes],
        "content": edition.content,
        "source": edition.source,
        "sha256": edition.sha256,
    }
    optional = ("licence", "allowed", "url", "key", "previous", "frozen")
    entry |= {name: getattr(edition, name) for name in optional if getattr(edition, name)}
    dates = {name: getattr(edition, name) for name in ("issued", "next_update", "retrieved")}
    entry |= {name: value.isoformat() for name, value in dates.items() if value is not None}
    return json.dumps(entry, indent=2) + "\n"


def _stored(path: Path) -> Edition:
    try:
        edition = _edition(json.loads(path.read_bytes()), shipped=False)
        if edition.id != path.parent.name:
            raise ValueError("it describes another list")
        return edition
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise TrustListRefused(
            f"{path}: cannot be read", f"remove the folder {path.parent}, or update the list"
        ) from None


def _edition(entry: Mapping[str, Any], *, shipped: bool) -> Edition:
    dates = {name: moment(entry[name]) if entry.get(name) else None for name in ("issued", "next_update", "retrieved")}
    source = str(entry["source"])
    return Edition(
        id=str(entry["id"]),
        title=str(entry["title"]),
        kind=ListKind(entry["kind"]),
        purposes=tuple(Purpose(purpose) for purpose in entry["purposes"]),
        content=str(entry["content"]),
        source=source,
        sha256=str(entry["sha256"]),
        licence=str(entry.get("licence", "")),
        allowed=str(entry.get("allowed", "")),
        url=str(entry.get("url", "")) or (source if shipped and not entry.get("frozen") else ""),
        key=str(entry.get("key", "")),
        frozen=bool(entry.get("frozen")),
        previous=str(entry.get("previous", "")),
        shipped=shipped,
        issued=dates["issued"],
        next_update=dates["next_update"],
        retrieved=dates["retrieved"],
    )


@lru_cache(maxsize=64)
def _parsed(edition: Edition, content: bytes) -> TrustList:
    contents = read_contents(edition.id, content)
    anchors = tuple(der for der in contents.certificates if is_authority(der))
    # A single signer's certificate on a list is believed as it is, and for nobody below it.
    allowed = frozenset(hashlib.sha256(der).digest() for der in contents.certificates if der not in anchors)
    if edition.allowed and edition.shipped:
        allowed |= read_allowed((SNAPSHOTS / edition.allowed).read_bytes())
    return TrustList(
        id=edition.id,
        title=edition.title,
        kind=edition.kind,
        purposes=edition.purposes,
        anchors=anchors,
        allowed=allowed,
        source=edition.source,
        licence=edition.licence,
        sha256=edition.sha256,
        issued=edition.issued or contents.issued,
        next_update=edition.next_update or contents.next_update,
        retrieved=edition.retrieved,
        frozen=edition.frozen,
        shipped=edition.shipped,
    )


def _newer(edition: Edition, shipped: Edition) -> bool:
    """Whether the user's edition is to be preferred: an upgraded package may carry a later one."""
    mine, theirs = edition.retrieved, shipped.retrieved
    return mine is None or theirs is None or mine >= theirs


def _hint(edition: Edition) -> str:
    return (
        "reinstall assay"
        if edition.shipped
        else f"run `assay trust update {edition.id}`, or remove {folder(edition.id)}"
    )
