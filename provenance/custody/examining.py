"""From a path to a chain of custody: the file opened once, its manifest found inside, beside it, or at a host that was allowed.

Rules: a sidecar that merely shares the stem counts only if it binds this file or no other picture could be meant; a remote
manifest is fetched only from hosts named by the user, under caps, never from private addresses; the SDK fetches nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.custody.chain import Answer, Custody, Gap
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.fetching import FetchLimits, fetch
from assay.provenance.sidecar import Beside, beside_of
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
    return examine_asset(
        asset, policy, beside=lambda: beside_of(path, sidecar), named=sidecar is not None, remote=remote
    )


def examine_asset(
    asset: Asset,
    policy: TrustPolicy,
    *,
    beside: Callable[[], Beside | None],
    named: bool = False,
    remote: FetchLimits | None = None,
) -> Examined:
    """The same for an asset in memory. `beside` looks for a sidecar; `named`: the user named it, so it comes first."""
    if named and (given := beside()) is not None:
        found = verify(asset, policy, sidecar=given.store, sidecar_name=f"the sidecar {given.name}")
        return Examined(asset, found, given.store)
    custody = verify(asset, policy)
    if custody.links or custody.place:  # it has a manifest of its own, readable or not
        return Examined(asset, custody)
    given = beside()
    if given is not None:
        found = verify(asset, policy, sidecar=given.store, sidecar_name=f"the sidecar {given.name}")
        if not _meant_for_another(found, given):
            return Examined(asset, replace(found, residue=custody.residue), given.store)
        gap = Gap(
            "foreign-sidecar",
            f"{given.name} beside it does not fit it: it belongs to another file of that name, or to this one before a change",
        )
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


def _meant_for_another(found: Custody, beside: Beside) -> bool:
    """Whether the sidecar shares only the stem with this file, binds it not, and there is another it could mean."""
    return not beside.sole and bool(found.links) and found.links[-1].axes.intact.answer is Answer.NO
