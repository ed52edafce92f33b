"""From a path to a chain of custody: the file opened once, its manifest found inside, beside it, or at a host that was allowed.

Rules: a sidecar that merely shares the stem counts only if it binds this file or no other picture could be meant; a remote
manifest is fetched only from hosts named by the user, under caps, never from private addresses; the SDK fetches nothing.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.custody.chain import Answer, Custody, Gap
from assay.provenance.custody.locating import read_sidecar, sidecar_beside
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.fetching import FetchLimits, fetch
from assay.provenance.trust import TrustPolicy

REMOTE_LIMITS = FetchLimits(bytes=32 * 1024 * 1024, seconds=20.0)


@dataclass(frozen=True, slots=True)
class Examined:
    """One file and its chain. `manifest_store` is what was read from elsewhere: a sidecar, a remote host."""

    asset: Asset
    custody: Custody
    manifest_store: bytes | None = None


def examine(
    path: Path,
    policy: TrustPolicy,
    *,
    sidecar: Path | None = None,
    remote: FetchLimits | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Examined:
    """Open and verify one file. `remote` allows fetching from its `hosts`. Raises `AssayError` where it cannot be opened."""
    asset = Asset.open(path, limits=limits)
    if sidecar is not None:
        store = read_sidecar(sidecar)
        return Examined(asset, verify(asset, policy, sidecar=store, sidecar_name=f"the sidecar {sidecar.name}"), store)
    custody = verify(asset, policy)
    if custody.links or custody.place:  # it has a manifest of its own, readable or not
        return Examined(asset, custody)
    beside = sidecar_beside(path)
    if beside is not None:
        store = read_sidecar(beside)
        found = verify(asset, policy, sidecar=store, sidecar_name=f"the sidecar {beside.name}")
        if not _meant_for_another(found, path, beside):
            return Examined(asset, replace(found, residue=custody.residue), store)
        gap = Gap("foreign-sidecar", f"{beside.name} beside it was made for another file of that name")
        return Examined(asset, replace(custody, breaks=(*custody.breaks, gap)))
    if custody.remote_url and remote is not None:
        return _fetched(asset, custody, policy, remote)
    return Examined(asset, custody)


def _fetched(asset: Asset, custody: Custody, policy: TrustPolicy, remote: FetchLimits) -> Examined:
    url = custody.remote_url
    try:
        store = fetch(url, remote)
    except AssayError as error:
        gap = Gap("remote-manifest-not-fetched", f"its manifest was not fetched: {error.message}")
        headline = f"Its manifest is kept elsewhere and could not be fetched: {error.message}."
        return Examined(asset, replace(custody, headline=headline, breaks=(gap,)))
    found = verify(asset, policy, sidecar=store, sidecar_name=f"fetched from {url}")
    return Examined(asset, replace(found, remote_url=url, residue=custody.residue), store)


def _meant_for_another(found: Custody, path: Path, sidecar: Path) -> bool:
    """Whether the sidecar shares only the stem with this file, binds it not, and there is another it could mean."""
    if sidecar.name == path.name + ".c2pa" or not found.links:
        return False
    others = [other for other in path.parent.glob(f"{_literal(path.stem)}.*") if other not in (path, sidecar)]
    return found.links[-1].axes.intact.answer is Answer.NO and bool(others)


def _literal(stem: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in stem)
