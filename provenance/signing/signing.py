"""Signing an asset: `sign(asset, recipe, signer)`.

Rules: the picture's data is never re-encoded; a manifest that is there already becomes the parent, never lost; what was
signed is read back and must hold before it leaves; a file appears whole under its name or not at all; every signature is
written to the signing log first.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.errors import SigningFailed
from assay.provenance.media_type import MediaType
from assay.provenance.replacing import replacing
from assay.provenance.signing.development import DEVELOPMENT_LIST, WARNING, development_anchor
from assay.provenance.signing.recipe import Recipe
from assay.provenance.signing.signer import KeySigner, Signer

SIDECAR_SUFFIX = ".c2pa"
SIDECAR_ONLY = frozenset({MediaType.BMP})  # formats in which the SDK cannot embed


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What one signature made. `sidecar` is the manifest store where it stands beside the asset instead of in it."""

    asset: Asset
    manifest_label: str
    source_sha256: str
    signer: str
    development: bool
    sidecar: bytes | None = field(default=None, repr=False)
    path: Path | None = None
    sidecar_path: Path | None = None
    warnings: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The hash of the signed file (with a sidecar: of the unchanged asset)."""
        return self.asset.sha256


def sign(
    asset: Asset,
    recipe: Recipe,
    signer: Signer,
    *,
    into: Path | None = None,
    sidecar: bool = False,
    overwrite: bool = False,
) -> Signed:
    """Sign `asset` and return the signed one; with `into` also write it there (a sidecar goes beside it as `.c2pa`).

    Raises `SigningFailed` (with a signer's or authority's own reason), `RecipeRefused` or `OutputRefused`; then nothing was
    written. BMP always gets a sidecar.
    """
    detached = sidecar or asset.media_type in SIDECAR_ONLY
    recipe = recipe.upon(asset, has_manifest=_has_manifest(asset))
    signed_bytes, store = _build(asset, recipe, signer, embed=not detached)
    signed_asset = Asset(asset.name, signed_bytes, asset.media_type, hashlib.sha256(signed_bytes).hexdigest(), into)
    label = _verified(signed_asset, store if detached else None)
    signed = Signed(
        asset=signed_asset,
        manifest_label=label,
        source_sha256=asset.sha256,
        signer=signer.name,
        development=signer.development,
        sidecar=store if detached else None,
        path=into,
        sidecar_path=into.with_suffix(SIDECAR_SUFFIX) if detached and into else None,
        warnings=(WARNING,) if signer.development else (),
    )
    if into is not None:
        _write(signed, asset, into, overwrite=overwrite)
    return signed


def _build(asset: Asset, recipe: Recipe, signer: Signer, *, embed: bool) -> tuple[bytes, bytes]:
    cause: list[Exception] = []
    if isinstance(signer, KeySigner):
        sdk_signer = _c2pa.signer_from_key(signer.algorithm, signer.chain.encode(), signer.key_pem())
    else:
        sdk_signer = _c2pa.signer_from_callback(signer.algorithm, signer.chain, _remembering(signer.sign, cause))
    target = io.BytesIO()
    try:
        store = _c2pa.build(
            recipe.definition(),
            sdk_signer,
            media_type=asset.media_type.value,
            source=io.BytesIO(asset.content),
            target=target,
            sdk_context=_c2pa.context(_anchors(), thumbnail=recipe.thumbnail),
            ingredients=[
                _c2pa.IngredientSource(definition, part.media_type.value, part.content)
                for part, definition in recipe.ingredient_definitions()
            ],
            embed=embed,
        )
    except SigningFailed as error:
        if cause:  # the SDK swallows what the signer said
            raise SigningFailed(f"the signer failed: {type(cause[0]).__name__}: {cause[0]}") from cause[0]
        raise SigningFailed(f"{asset.name}: {error.message}", error.hint) from error
    return target.getvalue(), store


def _remembering(sign: Callable[[bytes], bytes], cause: list[Exception]) -> Callable[[bytes], bytes]:
    def call(message: bytes) -> bytes:
        try:
            return sign(message)
        except Exception as error:
            cause.append(error)
            raise

    return call


def _anchors() -> tuple[_c2pa.Anchors, ...]:
    anchor = development_anchor()
    return (_c2pa.Anchors("manifest", DEVELOPMENT_LIST, anchor),) if anchor else ()


def _has_manifest(asset: Asset) -> bool:
    if asset.media_type in SIDECAR_ONLY:
        return False
    try:
        return _c2pa.read(asset, _c2pa.context()) is not None
    except _c2pa.ManifestUnreadable:
        return True


def _verified(asset: Asset, sidecar: bytes | None) -> str:
    """Read the signed asset back; return the active manifest's label. Raises `SigningFailed`."""
    reading = _c2pa.read(asset, _c2pa.context(_anchors()), sidecar=sidecar)
    if reading is None:
        raise SigningFailed(f"{asset.name}: no manifest was found after signing")
    if reading.state == "Invalid":
        active = reading.report.get("validation_results", {}).get("activeManifest", {})
        codes = ", ".join(sorted({status["code"] for status in active.get("failure", ())})) or "unknown reasons"
        raise SigningFailed(f"{asset.name}: the signature does not hold after signing: {codes}")
    return str(reading.report["active_manifest"])


def _write(signed: Signed, source: Asset, into: Path, *, overwrite: bool) -> None:
    sources = (source.path,) if source.path else ()
    with replacing(into, sources=sources, overwrite=overwrite) as temporary:
        temporary.write_bytes(signed.asset.content)
        if signed.sidecar is not None and signed.sidecar_path is not None:
            with replacing(signed.sidecar_path, sources=sources, overwrite=overwrite) as beside:
                beside.write_bytes(signed.sidecar)
