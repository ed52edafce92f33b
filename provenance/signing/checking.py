"""Reading back what was signed, before anybody else sees it.

Rules: two readers must agree: the SDK on hashes, signature and the specification's rules; our own on where the store lies,
whose certificate signed, and that the history of the source is still there. What the SDK objects to in a source by itself
does not speak against what was made from it: that is the source's history, and recorded.
"""

from functools import lru_cache

from cryptography.hazmat.primitives import hashes

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError, SigningFailed
from assay.provenance.jumbf.containers import embedded_stores
from assay.provenance.jumbf.store import ManifestStore, parse_store
from assay.provenance.signing.definition import Part
from assay.provenance.signing.ingredients import Found, upstream_of
from assay.provenance.signing.signer import Signer, leaf_certificate

_UNTRUSTED = "signingCredential.untrusted"  # the one failure that makes nothing invalid


def check_signed(
    asset: Asset,
    signer: Signer,
    upstream: Found,
    *,
    sources: tuple[Part, ...],
    sidecar: bytes | None,
    anchors: tuple[_c2pa.Anchors, ...],
    timestamped: bool,
) -> str:
    """Return the new manifest's label. Raises `SigningFailed` where anything does not hold."""
    try:
        label = _by_the_sdk(asset, sources, sidecar, anchors)
        store = parse_store(_store(asset, sidecar), name=asset.name)
    except SigningFailed:
        raise
    except AssayError as error:
        raise SigningFailed(f"{asset.name}: what was signed cannot be read back: {error.message}") from error
    fault = _by_our_own(store, label, signer, upstream, timestamped=timestamped)
    if fault:
        raise SigningFailed(f"{asset.name}: after signing, {fault}")
    return label


def _by_the_sdk(
    asset: Asset, sources: tuple[Part, ...], sidecar: bytes | None, anchors: tuple[_c2pa.Anchors, ...]
) -> str:
    reading = _c2pa.read(asset, _c2pa.context(anchors), sidecar=sidecar)
    if reading is None:
        raise SigningFailed(f"{asset.name}: no manifest was found after signing")
    if reading.state == "Invalid":
        failures = _failures(reading)
        before = [upstream_of(source.asset, anchors, sidecar=source.sidecar).reading for source in sources]
        known = {failure for one in before if one for failure in _failures(one)}
        reasons = [f"{code}: {said}" for (code, url), said in failures.items() if (code, url) not in known]
        if reasons or not failures:
            raise SigningFailed(
                f"{asset.name}: the signature does not hold after signing: {'; '.join(reasons) or 'no reason given'}",
                "`assay keys check` looks at the certificates; else look at the recipe's actions",
            )
    return str(reading.report["active_manifest"])


def _failures(reading: _c2pa.Reading) -> dict[tuple[str, str], str]:
    """What makes it invalid, in the active manifest and since its ingredients were taken in: code and place → explanation."""
    results = reading.report.get("validation_results", {})
    deltas = (delta.get("validationDeltas", {}) for delta in results.get("ingredientDeltas", ()))
    return {
        (status["code"], status.get("url", "")): status.get("explanation", "")
        for statuses in (results.get("activeManifest", {}), *deltas)
        for status in statuses.get("failure", ())
        if status["code"] != _UNTRUSTED
    }


def _store(asset: Asset, sidecar: bytes | None) -> bytes:
    if sidecar is not None:
        return sidecar
    found = embedded_stores(asset.content, asset.media_type)
    if len(found) != 1:
        raise SigningFailed(f"{asset.name}: after signing, it holds {len(found)} manifest stores and not one")
    return found[0].store


def _by_our_own(store: ManifestStore, label: str, signer: Signer, upstream: Found, *, timestamped: bool) -> str:
    active = store.manifests[-1] if store.manifests else None
    if active is None or active.label != label or active.signature is None:
        return "the newest manifest in the file is not the one that was signed"
    if active.signature.signer_fingerprint != fingerprint(signer.chain):
        return "the certificate in the file is not the signer's"
    if timestamped and not active.signature.stamps:
        return "the time stamp is not in the file"
    if upstream.reading is not None and store.find(str(upstream.reading.report.get("active_manifest"))) is None:
        return "the manifest that the source carried is lost"
    return ""


@lru_cache(maxsize=16)
def fingerprint(chain: str) -> str:
    """SHA-256 of the leaf certificate of a PEM chain, in hexadecimal."""
    return leaf_certificate(chain).fingerprint(hashes.SHA256()).hex()
