"""Signing an asset: `sign(asset, recipe, signer)`.

Rules: the picture's data is never re-encoded; a manifest that is there already becomes the parent, never lost; what was
signed is read back and must hold before it leaves; a file appears whole under its name or not at all; every signature is
in the signing log before its file appears.
"""

import hashlib
import io
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.errors import SigningFailed
from assay.provenance.interrupts import held, let_through
from assay.provenance.media_type import MediaType
from assay.provenance.replacing import replacing
from assay.provenance.sidecar import sidecar_for
from assay.provenance.signing.checking import check_signed, fingerprint
from assay.provenance.signing.definition import manifest_definition, parts
from assay.provenance.signing.development import WARNING
from assay.provenance.signing.ingredients import Upstream, ingest, may_carry_manifest, upstream_of
from assay.provenance.signing.jxl import is_bare_jxl, jxl_container
from assay.provenance.signing.log import SigningLog
from assay.provenance.signing.recipe import Recipe
from assay.provenance.signing.signer import KeySigner, Signer, certificates_alone
from assay.provenance.signing.thumbnail import MEDIA_TYPE, thumbnail
from assay.provenance.signing.timestamp import TimestampAuthority, WithoutStamp, without_secrets
from assay.provenance.trust import default_policy
from assay.provenance.trust.development import DEVELOPMENT_LIST, development_anchor

if TYPE_CHECKING:
    from assay.provenance.trust import TrustPolicy

SIDECAR_ONLY = frozenset({MediaType.BMP})  # formats in which the SDK cannot embed


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What one signature made. `sidecar` is the manifest store where it stands beside the asset instead of in it."""

    asset: Asset
    manifest_label: str
    source_sha256: str
    signer: str
    development: bool
    timestamped: bool = False
    upstream: Upstream = Upstream.NONE  # the manifest that the source brought, and that is the parent now
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
    timestamp: TimestampAuthority | None = None,
    asset_sidecar: bytes | None = None,
    policy: "TrustPolicy | None" = None,
    log: SigningLog | None = None,
) -> Signed:
    """Sign `asset` and return the signed one; with `into` also write it there (a sidecar goes beside it as `.c2pa`).

    `asset_sidecar` is the manifest store that stood beside the source. `policy` says who is trusted when ingredients are
    taken in (default: this machine's lists). `log` defaults to the one in assay's state folder. BMP always gets a sidecar.

    Raises `SigningFailed` (with a signer's or authority's own reason), `RecipeRefused` or `OutputRefused`; then nothing was
    written.
    """
    detached = sidecar or asset.media_type in SIDECAR_ONLY
    anchors = _development_anchors()
    if parts(recipe) or asset_sidecar is not None or may_carry_manifest(asset):
        anchors = _anchors(policy) or anchors
    found = upstream_of(asset, anchors, sidecar=asset_sidecar)
    recipe = recipe.upon(asset, has_manifest=found.upstream is not Upstream.NONE, sidecar=asset_sidecar)
    job = _Job(asset, recipe, signer, anchors, embed=not detached)
    warnings = [WARNING] if signer.development else []
    if found.elsewhere:
        warnings.append(f"{found.elsewhere}: what is signed now does not carry it")
    if is_bare_jxl(asset):
        if detached:
            raise SigningFailed(
                f"{asset.name}: a bare JPEG XL codestream cannot have its manifest beside it",
                "sign it without --sidecar",
            )
        warnings.append(
            "the bare JPEG XL codestream was put into a container, bit for bit: only that can hold a manifest"
        )
    try:
        content, store = job.run(timestamp.url if timestamp else None)
    except SigningFailed as error:
        if timestamp is None or timestamp.without is WithoutStamp.FAIL or job.signer_failed:
            raise
        content, store = job.run(None)
        warnings.append(f"without time stamp: {error.message}")
        timestamp = None
    signed_asset = Asset(asset.name, content, asset.media_type, hashlib.sha256(content).hexdigest(), into)
    label = check_signed(
        signed_asset,
        signer,
        found,
        sources=parts(recipe),
        sidecar=store if detached else None,
        anchors=anchors,
        timestamped=timestamp is not None,
    )
    signed = Signed(
        asset=signed_asset,
        manifest_label=label,
        source_sha256=asset.sha256,
        signer=signer.name,
        development=signer.development,
        timestamped=timestamp is not None,
        upstream=found.upstream,
        sidecar=store if detached else None,
        path=into,
        sidecar_path=sidecar_for(into) if detached and into else None,
        warnings=tuple(warnings),
    )
    _write(signed, asset, recipe, overwrite=overwrite, log=log or SigningLog(), signer=signer)
    return signed


class _Job:
    """One asset and all that the SDK needs to sign it; may run twice, with and without a time stamp."""

    def __init__(
        self, asset: Asset, recipe: Recipe, signer: Signer, anchors: tuple[_c2pa.Anchors, ...], *, embed: bool
    ) -> None:
        self.asset = asset
        self.content = jxl_container(asset.content) if is_bare_jxl(asset) and embed else asset.content
        self.signer = signer
        self.anchors = anchors
        self.embed = embed
        self.definition: dict[str, Any] = manifest_definition(recipe)
        self.resources: dict[str, bytes] = {}
        unseen = None if recipe.parent_thumbnail else recipe.parent
        self.ingredients = [
            ingest(part, anchors, edge=0 if part.asset is unseen else recipe.thumbnail) for part in parts(recipe)
        ]
        self.signer_failed = False
        if small := thumbnail(asset, recipe.thumbnail):
            self.resources["thumbnail.jpg"] = small
            self.definition["thumbnail"] = {"format": MEDIA_TYPE, "identifier": "thumbnail.jpg"}

    @held()  # until the SDK's signer is gone too: what is raised in a `__del__` is dropped
    def run(self, timestamp_url: str | None) -> tuple[bytes, bytes]:
        """Return the signed bytes and the manifest store. Raises `SigningFailed`."""
        cause: list[BaseException] = []
        target = io.BytesIO()
        try:
            store = _c2pa.build(
                self.definition,
                _sdk_signer(self.signer, cause, timestamp_url),
                media_type=self.asset.media_type.value,
                source=io.BytesIO(self.content),
                target=target,
                sdk_context=_c2pa.context(self.anchors, verify_after_sign=False),  # `check_signed` does, and says more
                ingredients=self.ingredients,
                embed=self.embed,
                resources=self.resources,
            )
        except SigningFailed as error:
            if cause:  # the SDK swallows what the signer said
                if not isinstance(cause[0], Exception):  # the user's Ctrl-C
                    raise cause[0] from None
                self.signer_failed = True
                said = str(cause[0]) or type(cause[0]).__name__
                raise SigningFailed(f"{self.asset.name}: the signer failed: {said}") from cause[0]
            if timestamp_url:
                raise SigningFailed(
                    f"{self.asset.name}: signing with a time stamp from {without_secrets(timestamp_url)} failed: "
                    f"{without_secrets(error.message)}",
                    "try again later, name another authority, or choose to sign without a stamp",
                ) from error
            raise SigningFailed(f"{self.asset.name}: {error.message}", error.hint) from error
        return target.getvalue(), store


def _sdk_signer(signer: Signer, cause: list[BaseException], timestamp_url: str | None) -> Any:
    if isinstance(signer, KeySigner):
        return _c2pa.signer_from_key(signer.algorithm, signer.chain.encode(), signer.key_pem, tsa_url=timestamp_url)
    sign_with_cause = _remembering(signer.sign, cause)
    chain = certificates_alone(signer.chain)  # this may be a class of the caller's own
    return _c2pa.signer_from_callback(signer.algorithm, chain, sign_with_cause, tsa_url=timestamp_url)


def _remembering(sign: Callable[[bytes], bytes], cause: list[BaseException]) -> Callable[[bytes], bytes]:
    def call(message: bytes) -> bytes:
        try:
            with let_through():  # a key elsewhere may be slow
                return sign(message)
        except BaseException as error:
            cause.append(error)
            raise SigningFailed(
                "the signer failed"
            ) from error  # the SDK goes on signing after anything but an Exception

    return call


def _anchors(policy: "TrustPolicy | None") -> tuple[_c2pa.Anchors, ...]:
    return (policy or default_policy()).anchors()


def _development_anchors() -> tuple[_c2pa.Anchors, ...]:
    anchor = development_anchor()
    return (_c2pa.Anchors("manifest", DEVELOPMENT_LIST, anchor),) if anchor else ()


def _write(signed: Signed, source: Asset, recipe: Recipe, *, overwrite: bool, log: SigningLog, signer: Signer) -> None:
    """Write the files where a path is given; the log's entry comes after the bytes and before the names."""
    sources = tuple(a.path for a in (source, *(part.asset for part in parts(recipe))) if a.path)
    with ExitStack() as files:
        for path, content in ((signed.path, signed.asset.content), (signed.sidecar_path, signed.sidecar)):
            if path is not None and content is not None:
                files.enter_context(replacing(path, sources=sources, overwrite=overwrite)).write_bytes(content)
        prompt = recipe.prompt
        log.append(
            asset=source.name,
            path=str(signed.path.absolute()) if signed.path else "",
            source_sha256=signed.source_sha256,
            sha256=signed.sha256,
            manifest=signed.manifest_label,
            signer=signed.signer,
            certificate_sha256=fingerprint(signer.chain),
            development=signed.development,
            timestamped=signed.timestamped,
            opening={"promptSalt": prompt.salt.hex()} if prompt and not prompt.disclosed else {},
        )
