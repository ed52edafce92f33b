"""A manifest store, taken apart: its manifests in order, and each one's claim, assertions and signature as bytes.

Rules: one pass, no recursion, bounded in size and in the number of manifests; a compressed manifest is unpacked under the
same bound; what cannot be read is named in `defects` and the rest goes on.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import brotli

from assay.provenance.errors import AssayError, LimitExceeded
from assay.provenance.jumbf.boxes import Box, Superbox, boxes, superbox
from assay.provenance.jumbf.cose import ClaimSignature, claim_signature
from assay.provenance.limits import DEFAULT_LIMITS

MAX_STORE: Final = DEFAULT_LIMITS.store  # bytes; a 40-fold edit with full-size thumbnails has 47 MB
MAX_MANIFESTS: Final = DEFAULT_LIMITS.manifests


_Parts = dict[int, Superbox | None]  # by the offset of each box; None: it is no superbox


class StoreUnreadable(AssayError):
    """These bytes are no C2PA manifest store."""


class Kind(StrEnum):
    """What sort of manifest a superbox holds (C2PA 2.2 §11.1.4)."""

    STANDARD = "standard"
    UPDATE = "update"
    COMPRESSED = "compressed"
    TIME_STAMP = "time-stamp"


_KINDS: Final = {b"c2ma": Kind.STANDARD, b"c2um": Kind.UPDATE, b"c2cm": Kind.COMPRESSED, b"c2tm": Kind.TIME_STAMP}


@dataclass(frozen=True, slots=True)
class StoredAssertion:
    """One assertion as stored: its label, and its content boxes in `buffer` (cut out only when asked for)."""

    label: str
    buffer: bytes = field(repr=False)
    boxes: tuple[Box, ...] = field(default=(), repr=False)

    @property
    def content(self) -> bytes:
        """The first content box: CBOR or JSON for most assertions."""
        return self.buffer[self.boxes[0].start : self.boxes[0].end] if self.boxes else b""

    @property
    def picture(self) -> tuple[str, bytes] | None:
        """(media type, bytes) of an embedded file, such as a thumbnail (ISO 19566-5, annex B.3); None where it is none."""
        by_kind = {box.kind: self.buffer[box.start : box.end] for box in self.boxes}
        described, data = by_kind.get(b"bfdb"), by_kind.get(b"bidb")
        if described is None or data is None:
            return None
        return described[1:].partition(b"\0")[0].decode("ascii", "replace"), data


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredManifest:
    """One manifest as stored. `claim` is CBOR; `databoxes` are the parts that claims of version 1 kept apart."""

    label: str
    kind: Kind
    claim_label: str = ""
    claim: bytes = field(default=b"", repr=False)
    assertions: tuple[StoredAssertion, ...] = ()
    databoxes: tuple[StoredAssertion, ...] = ()
    signature: ClaimSignature | None = None
    defects: tuple[str, ...] = ()

    def find(self, label: str) -> StoredAssertion | None:
        """The assertion (or data box) with this label."""
        return next((part for part in (*self.assertions, *self.databoxes) if part.label == label), None)


@dataclass(frozen=True, slots=True)
class ManifestStore:
    """The manifests of one store in their stored order; the last is the active one."""

    manifests: tuple[StoredManifest, ...]
    size: int

    def find(self, label: str) -> StoredManifest | None:
        """The manifest with this label, or None; of two with one label, the last, as validators do."""
        return next((manifest for manifest in reversed(self.manifests) if manifest.label == label), None)

    def picture(self, url: str) -> tuple[str, bytes] | None:
        """(media type, bytes) of a thumbnail by its absolute JUMBF URL; None where there is none."""
        label, _, rest = url.removeprefix("self#jumbf=/c2pa/").partition("/")
        manifest = self.find(label)
        part = manifest.find(rest.rpartition("/")[2]) if manifest else None
        return part.picture if part else None

    @property
    def repeated_labels(self) -> tuple[str, ...]:
        """Labels that more than one manifest bears."""
        labels = [manifest.label for manifest in self.manifests]
        return tuple(dict.fromkeys(label for label in labels if labels.count(label) > 1))


def parse_store(data: bytes, *, name: str = "manifest store") -> ManifestStore:
    """Take a store's bytes apart. Raises `StoreUnreadable`, or `LimitExceeded` beyond the bounds above."""
    if len(data) > MAX_STORE:
        raise LimitExceeded(name, "bytes of manifest store", found=len(data), limit=MAX_STORE)
    outer = next(boxes(data, 0, len(data)), None)
    store = superbox(data, outer) if outer else None
    if store is None or store.uuid[:4] != b"c2pa":
        raise StoreUnreadable(f"{name}: its manifest store is malformed", "get another copy of the file")
    if len(store.children) > MAX_MANIFESTS:
        raise LimitExceeded(name, "manifests", found=len(store.children), limit=MAX_MANIFESTS)
    parts = _bounded(data, store, name)
    found = (parts[box.offset] for box in store.children)
    return ManifestStore(tuple(_manifest(data, box, parts, name) for box in found if box is not None), len(data))


def active_alone(data: bytes) -> bytes:
    """A store that holds the active manifest and no other; what it names as ingredients is not in it.

    Raises `StoreUnreadable`, or `LimitExceeded` beyond the bounds above.
    """
    if not parse_store(data).manifests:
        raise StoreUnreadable("the manifest store holds no manifest")
    outer = next(boxes(data, 0, len(data)))
    description, *_, active = boxes(data, outer.start, outer.end)
    content = data[description.offset : description.end] + data[active.offset : active.end]
    return (len(content) + 8).to_bytes(4, "big") + b"jumb" + content


def _bounded(data: bytes, store: Superbox, name: str) -> _Parts:
    """Every box of the store, read once and counted, with levels and ingredients, before anything recursive (the SDK is) sees
    it."""
    waiting, count, ingredients, found = [(store, 1)], 0, 0, _Parts()
    while waiting:
        parent, depth = waiting.pop()
        if depth > DEFAULT_LIMITS.nesting:
            raise LimitExceeded(name, "levels of boxes", found=depth, limit=DEFAULT_LIMITS.nesting)
        count += len(parent.children)
        if count > DEFAULT_LIMITS.boxes:
            raise LimitExceeded(name, "boxes in its manifest store", found=count, limit=DEFAULT_LIMITS.boxes)
        ingredients += parent.label.startswith("c2pa.ingredient")
        if ingredients > DEFAULT_LIMITS.ingredients:
            raise LimitExceeded(name, "ingredients", found=ingredients, limit=DEFAULT_LIMITS.ingredients)
        for box in parent.children:
            found[box.offset] = child = superbox(data, box)
            if child is not None:
                waiting.append((child, depth + 1))
    return found


def _manifest(data: bytes, box: Superbox, parts: _Parts, name: str) -> StoredManifest:
    kind = _KINDS.get(box.uuid[:4])
    if kind is None:
        return StoredManifest(label=box.label, kind=Kind.STANDARD, defects=("its kind of manifest is not known here",))
    if kind is Kind.COMPRESSED:
        return _compressed(data, box, name)
    claim_label, claim, signature = "", b"", None
    assertions: tuple[StoredAssertion, ...] = ()
    databoxes: tuple[StoredAssertion, ...] = ()
    for child in box.children:
        part = parts[child.offset]
        match part.label if part else "":
            case "c2pa.claim" | "c2pa.claim.v2" if part:
                claim_label, claim = part.label, _content(data, part)
            case "c2pa.signature" if part:
                signature = claim_signature(_content(data, part))
            case "c2pa.assertions" if part:
                assertions = _assertions(data, part, parts)
            case "c2pa.databoxes" if part:
                databoxes = _assertions(data, part, parts)
            case _:
                pass
    defects = [] if signature else ["it has no claim signature"]
    if not claim:
        defects.append("it has no claim")
    if not assertions:
        defects.append("it has no assertions")
    return StoredManifest(
        label=box.label,
        kind=kind,
        claim_label=claim_label,
        claim=claim,
        assertions=assertions,
        databoxes=databoxes,
        signature=signature,
        defects=(*defects, *(signature.defects if signature else ())),
    )


def _assertions(data: bytes, box: Superbox, parts: _Parts) -> tuple[StoredAssertion, ...]:
    found = (parts[child.offset] for child in box.children)
    return tuple(StoredAssertion(part.label, data, part.children) for part in found if part)


def _compressed(data: bytes, box: Superbox, name: str) -> StoredManifest:
    """Unpack the one `brob` box: the type of the box inside, then Brotli data (C2PA 2.2 §11.2.2)."""
    packed = next((child for child in box.children if child.kind == b"brob"), None)
    unpacked = _unbrotli(data[packed.start + 4 : packed.end]) if packed else None
    if unpacked is None:
        return StoredManifest(
            label=box.label, kind=Kind.COMPRESSED, defects=("it is compressed, and was not unpacked",)
        )
    inner = next(boxes(unpacked, 0, len(unpacked)), None)
    found = superbox(unpacked, inner) if inner else None
    if found is None or found.uuid[:4] not in (b"c2ma", b"c2um"):  # never again a compressed one
        return StoredManifest(label=box.label, kind=Kind.COMPRESSED, defects=("what it unpacks to is no manifest",))
    return _manifest(unpacked, found, _bounded(unpacked, found, name), name)


def _unbrotli(packed: bytes) -> bytes | None:
    decompressor, parts, size = brotli.Decompressor(), list[bytes](), 0
    try:
        while not decompressor.is_finished():
            part = decompressor.process(packed, output_buffer_limit=1 << 20)
            if not (part or packed):  # truncated: nothing goes in, nothing comes out
                return None
            parts.append(part)
            size += len(part)
            packed = b""
            if size > MAX_STORE:
                return None
    except brotli.error:
        return None
    return b"".join(parts)


def _content(data: bytes, box: Superbox) -> bytes:
    return data[box.children[0].start : box.children[0].end] if box.children else b""
