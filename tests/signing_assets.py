"""Small pictures to sign, and what the SDK reads of them under the development anchor."""

import io
from typing import Any

from PIL import Image

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.signing import open_signer
from assay.provenance.trust.development import DEVELOPMENT_LIST, development_anchor


def picture(image_format: str = "PNG", name: str = "picture") -> Asset:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((48, 32)).convert("RGB").save(buffer, image_format)
    return Asset.from_bytes(buffer.getvalue(), name=f"{name}.{image_format.lower()}")


def read(asset: Asset, sidecar: bytes | None = None) -> _c2pa.Reading:
    open_signer("dev:")
    anchor = development_anchor()
    assert anchor is not None
    anchors = (_c2pa.Anchors("manifest", DEVELOPMENT_LIST, anchor),)
    reading = _c2pa.read(asset, _c2pa.context(anchors), sidecar=sidecar)
    assert reading is not None
    return reading


def active(reading: _c2pa.Reading) -> dict[str, Any]:
    manifest: dict[str, Any] = reading.report["manifests"][reading.report["active_manifest"]]
    return manifest


def actions(reading: _c2pa.Reading) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = active(reading)["assertions"][0]["data"]["actions"]
    return found
