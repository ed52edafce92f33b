"""Taking pictures in as ingredients, with whatever manifest they bring.

Rules: a manifest that is there is carried over, embedded or from a sidecar; one that cannot be parsed is recorded as such,
never dropped in silence; one that is kept elsewhere is not fetched, and that is said; what we found at ingest is what the
SDK found, not what we hoped.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody.locating import locate
from assay.provenance.errors import AssayError
from assay.provenance.jumbf.containers import embedded_stores, jpeg_segments
from assay.provenance.media_type import MediaType
from assay.provenance.sidecar import read_sidecar, sidecars_of
from assay.provenance.signing.definition import Part
from assay.provenance.signing.jxl import is_bare_jxl
from assay.provenance.signing.thumbnail import MEDIA_TYPE, thumbnail

_STORE_LABEL = re.compile(b"c2pa")  # in clear in every store; only JPEG XL may compress it. Twice as fast as `in`.
_PLAIN_BYTES = "application/octet-stream"
_REMOTE_REFERENCE = b"dcterms:provenance"  # the XMP property that names a manifest elsewhere


class Upstream(StrEnum):
    """What manifest a picture brings."""

    NONE = "none"
    READABLE = "readable"  # it may still be broken, untrusted or expired: its record says so
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Found:
    """The manifest a picture brings, the SDK's reading of it, or the reason why there is none."""

    upstream: Upstream
    reading: _c2pa.Reading | None = None
    reason: str = ""
    elsewhere: str = ""  # where it brings none and names a remote one: who keeps that, in words


def upstream_of(asset: Asset, anchors: tuple[_c2pa.Anchors, ...], *, sidecar: bytes | None = None) -> Found:
    """Look for a manifest in `asset` or its `sidecar`."""
    if sidecar is None and not may_carry_manifest(asset):
        return Found(Upstream.NONE)
    try:
        reading = _c2pa.read(asset, _c2pa.context(anchors), sidecar=sidecar)
    except _c2pa.ManifestUnreadable as error:
        located = locate(asset)
        if sidecar is None and located.remote_url and not located.residue:
            return Found(Upstream.NONE, elsewhere=f"its manifest is kept at {located.host} and was not fetched")
        # The reason is written into the manifest, and the name may be a path of this machine.
        return Found(Upstream.UNREADABLE, reason=error.message.removeprefix(f"{asset.name}: "))
    return Found(Upstream.READABLE, reading) if reading else Found(Upstream.NONE)


def may_carry_manifest(asset: Asset) -> bool:
    """Whether the SDK could find a manifest: a cheap question that may be answered yes too often, never no."""
    content = asset.content
    end = len(content)
    if asset.media_type is MediaType.JXL:
        return not is_bare_jxl(asset)
    if asset.media_type is MediaType.JPEG:  # the SDK looks before the first scan only
        scan = max((after for _, _, after in jpeg_segments(content)), default=end)
        end = scan if content[scan : scan + 2] == b"\xff\xda" else end
    return bool(_STORE_LABEL.search(content, 0, end)) or content.find(_REMOTE_REFERENCE, 0, end) >= 0


def own_sidecar(asset: Asset) -> bytes | None:
    """The manifest store that stands beside an asset's file, where it is this asset's own; else None.

    Two pictures of one folder may share a stem, so a store counts only if its hard binding matches.
    """
    if asset.path is None or embedded_stores(asset.content, asset.media_type):
        return None
    for path in sidecars_of(asset.path):
        try:
            store = read_sidecar(path)
            if _binds(store, asset):
                return store
        except AssayError:  # unreadable, too large, or no manifest store: none of ours
            continue
    return None


def _binds(store: bytes, asset: Asset) -> bool:
    reading = _c2pa.read(asset, _c2pa.context(), sidecar=store)
    results = reading.report.get("validation_results", {}).get("activeManifest", {}) if reading else {}
    return any(re.fullmatch(r"assertion\..*Hash\.match", status["code"]) for status in results.get("success", ()))


def ingest(part: Part, anchors: tuple[_c2pa.Anchors, ...], *, edge: int = 0) -> _c2pa.IngredientSource:
    """Describe one ingredient for the SDK; `edge` is its thumbnail's long side in pixels, 0 for none."""
    found = upstream_of(part.asset, anchors, sidecar=part.sidecar)
    definition: dict[str, Any] = dict(part.definition)
    media_type = part.asset.media_type.value
    resources: dict[str, bytes] = {}
    label = definition["label"]
    if is_bare_jxl(part.asset):
        media_type = _PLAIN_BYTES  # the SDK knows the container only
    if found.elsewhere:
        media_type = _PLAIN_BYTES  # of an image the SDK asks for the manifest
        definition["description"] = found.elsewhere
    if found.upstream is Upstream.UNREADABLE:
        # The SDK refuses such bytes as an image; as plain bytes it takes them, and our record says what they were.
        media_type = _PLAIN_BYTES
        definition["description"] = "carried a manifest that could not be parsed"
        status = {"code": "general.error", "explanation": found.reason}
        definition["validation_results"] = {"activeManifest": {"success": [], "informational": [], "failure": [status]}}
    elif found.reading is not None and part.sidecar is not None:
        media_type = _PLAIN_BYTES  # in an image the SDK looks for another one
        resources[f"{label}.c2pa"] = part.sidecar
        definition |= {
            "active_manifest": found.reading.report["active_manifest"],
            "manifest_data": {"format": "application/c2pa", "identifier": f"{label}.c2pa"},
            "validation_results": found.reading.report["validation_results"],
        }
    if small := thumbnail(part.asset, edge):
        resources[f"{label}.jpg"] = small
        definition["thumbnail"] = {"format": MEDIA_TYPE, "identifier": f"{label}.jpg"}
    return _c2pa.IngredientSource(definition, media_type, part.asset.content, resources)
