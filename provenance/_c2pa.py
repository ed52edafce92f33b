"""The only room that knows the C2PA SDK (c2pa-python); everything above it sees plain dictionaries and bytes.

Rules: every Reader and Builder gets a context of ours, and that context reaches no network unless named hosts are allowed;
the SDK makes no thumbnails (its own are large and blown up); SDK exceptions leave this room as `AssayError`; a signal waits for
the end of a call, for what its handler raises within the SDK's callbacks is dropped, and the file read as if it ended there.
"""

import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, BinaryIO

import c2pa

from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError, SigningFailed
from assay.provenance.interrupts import held

# Extended key usages accepted for claim signing; the SDK alone accepts e-mail protection only (0.91).
ACCEPTED_EKUS = (
    "1.3.6.1.5.5.7.3.4",  # emailProtection
    "1.3.6.1.5.5.7.3.36",  # documentSigning
    "1.3.6.1.4.1.311.76.59.1.9",  # Microsoft C2PA signing
    "1.3.6.1.4.1.62558.2.1",  # c2pa-kp-claimSigning
    "1.3.6.1.5.5.7.3.8",  # timeStamping
    "1.3.6.1.5.5.7.3.9",  # OCSPSigning
)
# What the SDK writes before its words: the kind of error, as its library calls it.
_KINDS = frozenset({"Remote", *(name for name in vars(c2pa.C2paError) if name[0].isupper())})


class ManifestUnreadable(AssayError):
    """There is a manifest store, and it cannot be parsed."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Trust anchors of one list, as the SDK takes them. `kind` is manifest, tsa or cawg; `uri` names the list."""

    kind: str
    uri: str
    anchors_pem: str
    allowed_pem: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the SDK says of a file that has a manifest store: its JSON report, its state, the remote address it names."""

    report: dict[str, Any]
    state: str
    remote_url: str | None


@dataclass(frozen=True, slots=True)
class IngredientSource:
    """An ingredient for the builder: its JSON description, its bytes, and the resources its description refers to."""

    description: dict[str, Any]
    media_type: str
    content: bytes
    resources: Mapping[str, bytes] = field(default_factory=dict)


@lru_cache(maxsize=64)
def context(
    anchors: tuple[Anchors, ...] = (),
    *,
    allowed_hosts: tuple[str, ...] = (),
    ocsp: bool = False,
    verify_after_sign: bool = True,
) -> c2pa.Context:
    """The project's SDK context; without `allowed_hosts` (host or host:port) no Reader makes a connection.

    A time-stamping authority is asked all the same: it belongs to the signer. `verify_after_sign` may be False where the
    caller reads the result back anyway.
    """
    settings: dict[str, Any] = {
        "trust": {
            "trust_config": "\n".join(ACCEPTED_EKUS) + "\n",
            "anchors": [
                {"trust_anchors": a.anchors_pem, "trust_kind": a.kind, "trust_uri": a.uri}
                | ({"allowed_list": a.allowed_pem} if a.allowed_pem else {})
                for a in anchors
            ],
        },
        "verify": {
            "remote_manifest_fetch": bool(allowed_hosts),
            "ocsp_fetch": ocsp,
            "verify_trust": True,
            "verify_after_sign": verify_after_sign,
        },
        "core": {"allowed_network_hosts": list(allowed_hosts)},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if not anchors:
        del settings["trust"]["anchors"]
    return c2pa.Context(c2pa.Settings.from_dict(settings))


if hasattr(os, "register_at_fork"):  # a context made before a fork is refused by the SDK in the child
    os.register_at_fork(after_in_child=context.cache_clear)


@held()
def read(asset: Asset, sdk_context: c2pa.Context, *, sidecar: bytes | None = None) -> Reading | None:
    """Read an asset's manifest store; None where there is none. Raises `ManifestUnreadable`."""
    try:
        with c2pa.Reader(
            asset.media_type.value, io.BytesIO(asset.content), manifest_data=sidecar, context=sdk_context
        ) as reader:
            report = json.loads(reader.json())
            if not isinstance(report, dict):
                raise ValueError("no object")
            return Reading(report, report.get("validation_state") or "Invalid", reader.get_remote_url())
    except c2pa.C2paError.ManifestNotFound:
        return None
    except (RecursionError, ValueError) as error:
        raise ManifestUnreadable(f"{asset.name}: the C2PA library's report on it cannot be read") from error
    except c2pa.C2paError as error:
        raise ManifestUnreadable(f"{asset.name}: its manifest cannot be read: {_reason(error)}") from error


@held()
def crjson(asset: Asset, sdk_context: c2pa.Context, *, sidecar: bytes | None = None) -> str:
    """The SDK's crJSON report, verbatim. Raises `ManifestUnreadable`, also where there is no manifest."""
    try:
        with c2pa.Reader(
            asset.media_type.value, io.BytesIO(asset.content), manifest_data=sidecar, context=sdk_context
        ) as reader:
            return str(reader.crjson())
    except c2pa.C2paError as error:
        raise ManifestUnreadable(f"{asset.name}: its manifest cannot be read: {_reason(error)}") from error


def signer_from_key(algorithm: str, chain_pem: bytes, key_pem: bytes, *, tsa_url: str | None = None) -> c2pa.Signer:
    """An SDK signer over a PKCS#8 key in memory. `algorithm` is es256, ps256, ed25519 …"""
    try:
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, chain_pem, key_pem, tsa_url))
    except c2pa.C2paError as error:
        raise SigningFailed(f"the key or certificate chain is refused: {_reason(error)}") from None


def signer_from_callback(
    algorithm: str, chain_pem: str, sign: Callable[[bytes], bytes], *, tsa_url: str | None = None
) -> c2pa.Signer:
    """An SDK signer that calls `sign` with the bytes to be signed; ECDSA signatures may be raw r||s or DER."""
    try:
        return c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg[algorithm.upper()], chain_pem, tsa_url)
    except c2pa.C2paError as error:
        raise SigningFailed(f"the key or certificate chain is refused: {_reason(error)}") from None


@held()
def build(
    manifest: dict[str, Any],
    signer: c2pa.Signer,
    *,
    media_type: str,
    source: BinaryIO,
    target: BinaryIO,
    sdk_context: c2pa.Context,
    ingredients: Sequence[IngredientSource] = (),
    intent: str | None = None,
    embed: bool = True,
    remote_url: str | None = None,
    resources: Mapping[str, bytes] | None = None,
) -> bytes:
    """Sign `source` into `target` (opened w+b) and return the manifest store's bytes. Raises `SigningFailed`.

    `intent` is EDIT, UPDATE or None. With `embed=False` the target is a plain copy and the returned store is a sidecar.
    """
    try:
        with c2pa.Builder(_json(manifest), context=sdk_context) as builder:
            if intent is not None:
                builder.set_intent(c2pa.C2paBuilderIntent[intent])
            if not embed:
                builder.set_no_embed()
            if remote_url:
                builder.set_remote_url(remote_url)
            for identifier, content in (resources or {}).items():
                builder.add_resource(identifier, io.BytesIO(content))
            for ingredient in ingredients:
                for identifier, content in ingredient.resources.items():
                    builder.add_resource(identifier, io.BytesIO(content))
                builder.add_ingredient(
                    _json(ingredient.description), ingredient.media_type, io.BytesIO(ingredient.content)
                )
            return bytes(builder.sign(signer, media_type, source, target))
    except c2pa.C2paError as error:
        raise SigningFailed(f"signing failed: {_reason(error)}") from error


def _json(description: Mapping[str, Any]) -> str:
    """JSON for the SDK, which takes text only: what is none (a file name in another encoding) becomes question marks."""
    return json.dumps(description, ensure_ascii=False).encode("utf-8", "replace").decode()


def _reason(error: Exception) -> str:
    """The first line of what the SDK says, without the names of its own kinds of errors that stand before it."""
    said = (str(error).strip().splitlines() or [""])[0]
    while (parts := said.partition(":"))[1] and parts[0] in _KINDS:
        said = parts[2].strip()
    return said[:300] or "no reason is given"
