"""Taking in what a provider sent: is it an image, and what is the manifest worth that it brought along?

Rules: the bytes are kept as they are; what is no image never becomes an `Output`; the state is that of bytes and signature,
not of trust: who signed is for the verifier to say.
"""

import binascii
from typing import Any

from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError
from assay.provenance.generating.provider import Output, Pairs, ProviderFailed, Upstream
from assay.provenance.media_type import sniff
from assay.provenance.signing import ingredients
from assay.provenance.signing.ingredients import upstream_of
from assay.provenance.signing.recipe import NAMESPACE, SourceType


def received(
    content: bytes,
    *,
    provider: str,
    source_type: str = SourceType.TRAINED_ALGORITHMIC_MEDIA,
    revised_prompt: str = "",
    request_id: str = "",
    parameters: Pairs = (),
    sidecar: bytes | None = None,
) -> Output:
    """Wrap a provider's bytes, and the manifest store that stood beside them.

    Raises `ProviderFailed` where they are no image that assay knows.
    """
    try:
        kind = sniff(content)
        asset = Asset.from_bytes(content, name=provider + (kind.suffix if kind else ""))
    except AssayError as error:
        raise ProviderFailed(
            f"{provider} sent no usable image: {error.message}", "try again; nothing was kept"
        ) from error
    return Output(
        asset=asset,
        source_type=source_type,
        sidecar=sidecar,
        upstream=upstream(asset, sidecar=sidecar),
        revised_prompt=revised_prompt,
        request_id=request_id,
        parameters=parameters,
    )


def decoded(text: str, *, provider: str) -> bytes:
    """Bytes from base64. Raises `ProviderFailed`."""
    try:
        content = binascii.a2b_base64(text)
    except (binascii.Error, ValueError):
        content = b""
    # Python skips what is no base64, or takes a third longer to look for it: the length tells as well.
    if len(content) != len(text) // 4 * 3 - text[-2:].count("=") or len(text) % 4:
        raise ProviderFailed(f"{provider} sent an image that is no base64", "try again; nothing was kept")
    return content


def upstream(asset: Asset, *, sidecar: bytes | None = None) -> Upstream:
    """The state of the manifest that an asset carries, or that stands beside it."""
    found = upstream_of(asset, (), sidecar=sidecar)
    if found.reading is None:
        return Upstream.NONE if found.upstream is ingredients.Upstream.NONE else Upstream.UNREADABLE
    if found.reading.state != "Invalid":
        return Upstream.INTACT
    results = found.reading.report.get("validation_results", {}).get("activeManifest", {})
    failures = [str(status.get("code", "")) for status in results.get("failure", ())]
    broken = any(code.endswith((".mismatch", ".missing")) or code.startswith("claimSignature.") for code in failures)
    return Upstream.BROKEN if broken else Upstream.INVALID


def declares_trained(asset: Asset) -> bool:
    """Whether an intact manifest already says that a trained model made all of this picture."""
    return source_types(asset) == {SourceType.TRAINED_ALGORITHMIC_MEDIA}


def source_types(asset: Asset, *, sidecar: bytes | None = None) -> set[str]:
    """The digital source types that an intact manifest states, in the picture or beside it."""
    return {kind for action in _actions(asset, sidecar=sidecar) if (kind := action.get("digitalSourceType"))}


def stated(asset: Asset) -> dict[str, Any]:
    """The action parameters in assay's namespace that an intact manifest holds, without the namespace."""
    prefix = f"{NAMESPACE}."
    return {
        key.removeprefix(prefix): value
        for action in _actions(asset)
        for key, value in (action.get("parameters") or {}).items()
        if key.startswith(prefix)
    }


def _actions(asset: Asset, *, sidecar: bytes | None = None) -> list[dict[str, Any]]:
    """The actions of the active manifest, where it is intact."""
    reading = upstream_of(asset, (), sidecar=sidecar).reading
    if reading is None or reading.state == "Invalid":
        return []
    active = reading.report.get("manifests", {}).get(reading.report.get("active_manifest"), {})
    return [
        action
        for assertion in active.get("assertions", ())
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", ())
    ]
