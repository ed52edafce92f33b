"""`verify(asset, policy) -> Custody`: every link of the chain judged, one bottom line.

Rules: one extraction, one reading by the SDK, one parse; bounds are checked before the SDK sees the store; no network; bad
content is an answer and never an exception. The numbered comments follow C2PA 2.2 §15.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import cbor2

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody import reading
from assay.provenance.custody.chain import Axes, BottomLine, Custody, Gap, Link
from assay.provenance.custody.history import (
    Draft,
    bottom_line,
    headline,
    link_gaps,
    oldest_first,
    store_gaps,
    unbroken,
)
from assay.provenance.custody.judging import judge_link, signer
from assay.provenance.custody.statuses import Found, found_statuses, recorded_standing
from assay.provenance.errors import AssayError
from assay.provenance.jumbf.containers import Embedded, embedded_stores
from assay.provenance.jumbf.store import Kind, ManifestStore, StoredManifest, parse_store
from assay.provenance.trust import Purpose, TrustJudgement, TrustPolicy, default_policy, judge

Node = dict[str, Any]


def verify(
    asset: Asset, policy: TrustPolicy | None = None, *, sidecar: bytes | None = None, sidecar_name: str = "sidecar"
) -> Custody:
    """Walk and judge the chain of custody of one asset. Raises nothing on account of the asset's content.

    `sidecar` is a manifest store kept apart from the file; where it is given, a store inside the file is not looked at.
    """
    policy = default_policy() if policy is None else policy
    # 1. Find the manifest store (§15.3): in the sidecar named, else in the file.
    stores = (
        (Embedded(sidecar_name, 0, sidecar),)
        if sidecar is not None
        else embedded_stores(asset.content, asset.media_type)
    )
    if not stores:
        return _without_store(asset)
    # 2. Take it apart under limits before anything else reads it.
    try:
        store = parse_store(stores[-1].store, name=asset.name)
        # 3. The SDK checks hashes, signatures and rules of the specification (§15.5 to §15.12).
        read = _c2pa.read(asset, _c2pa.context(policy.anchors()), sidecar=sidecar)
    except AssayError as error:
        return _unreadable(asset, stores[-1].place, error)
    if read is None:
        return _unreadable(asset, stores[-1].place, AssayError("its manifest store is not where the format keeps it"))
    return _custody(asset, policy, read, store, stores)


def _custody(
    asset: Asset, policy: TrustPolicy, read: _c2pa.Reading, store: ManifestStore, stores: tuple[Embedded, ...]
) -> Custody:
    manifests: dict[str, Node] = {
        label: reading.mapping(manifest) for label, manifest in reading.mapping(read.report.get("manifests")).items()
    }
    active = reading.text(read.report.get("active_manifest"))
    if active not in manifests:
        return _unreadable(asset, stores[-1].place, AssayError("it names no active manifest"))
    ingredients = {label: reading.ingredients(manifest) for label, manifest in manifests.items()}
    # 4. Walk the graph of ingredients (§15.11), oldest first.
    order = oldest_first(active, {label: tuple(i.manifest for i in found) for label, found in ingredients.items()})
    taken_in = {i.manifest: i for label in order for i in ingredients[label] if i.manifest}
    records = ((i.manifest, i.recorded) for label in order for i in ingredients[label])
    statuses = found_statuses(active, read.report, records)
    drafts: dict[str, Draft] = {}
    axes: dict[str, Any] = {}
    links: list[Link] = []
    for label in order:
        manifest, stored = manifests[label], store.find(label)
        found = statuses.get(label, Found())
        # 5. Judge the certificate chain at the certified time on lists for claim signing alone (§14.4, §14.5).
        stamped = _certified_time(manifest, found)
        judgement = _judgement(stored, manifest, policy, stamped)
        kind = stored.kind if stored else Kind.STANDARD
        old = label in taken_in and not taken_in[label].label.startswith("c2pa.ingredient.v3")
        judged = judge_link(found, judgement, active=label == active, binds=kind is Kind.STANDARD, old_record=old)
        who = signer(judgement)
        actions = reading.actions(manifest)
        claim = _claim(stored)
        draft = Draft(
            label=label,
            title=reading.text(manifest.get("title")) or (taken_in[label].title if label in taken_in else ""),
            kind=kind,
            actions=tuple(action.label for action in actions),
            all_actions_included=reading.all_actions_included(manifest),
            claim_version=2 if manifest.get("claim_version") == 2 else 1,
            redacted=tuple(u for u in reading.sequence(claim.get("redacted_assertions")) if isinstance(u, str)),
            ingredients=ingredients[label],
            found=found,
            judged=judged,
            who=who.who,
            recorded=None if label == active else recorded_standing(found.recorded),
        )
        # 6. A link holds only as far as everything it was made from does.
        gaps = link_gaps(draft, stored, manifests)
        axes[label] = unbroken(draft, drafts, axes, gaps)
        drafts[label] = draft
        links.append(
            Link(
                label=label,
                kind=kind.value,
                title=draft.title,
                media_type=reading.text(manifest.get("format")),
                claim_generator=reading.claim_generator(manifest),
                signer=who,
                actions=actions,
                ingredients=draft.ingredients,
                claimed_time=reading.claimed_time(manifest),
                certified_time=stamped,
                axes=Axes(judged.intact, judged.authentic, judged.trusted, judged.timely, axes[label]),
                now=judged.standing,
                recorded=draft.recorded,
                statuses=found.now,
                breaks=gaps,
                assertions=stored.assertions if stored else (),
                soft_bindings=reading.soft_bindings(manifest),
                permissions=reading.permissions(manifest),
                thumbnail=reading.text(reading.mapping(manifest.get("thumbnail")).get("identifier")),
            )
        )
    # 7. The weakest link speaks for the whole.
    chain = tuple(drafts[label] for label in order)
    compressed = sum(manifest.kind is Kind.COMPRESSED for manifest in store.manifests)
    whole = store_gaps(store, order, stores=len(stores), compressed=compressed)
    line = bottom_line(chain, axes, whole)
    return Custody(
        asset_name=asset.name,
        asset_sha256=asset.sha256,
        bottom_line=line,
        headline=headline(chain, axes, line, whole),
        links=tuple(links),
        breaks=whole,
        sdk_state=read.state,
        place=stores[-1].place,
        remote_url=read.remote_url or "",
        warnings=_warnings(policy, links),
        store=stores[-1].store,
    )


def _judgement(
    stored: StoredManifest | None, manifest: Node, policy: TrustPolicy, stamped: datetime | None
) -> TrustJudgement | None:
    """Judge the chain in the store; None unless it is the one the SDK looked at, told by the leaf's serial number."""
    if stored is None or stored.signature is None or not stored.signature.chain:
        return None
    judgement = judge(stored.signature.chain, Purpose.CLAIM_SIGNING, policy, at=stamped)
    serial = reading.text(reading.mapping(manifest.get("signature_info")).get("cert_serial_number"))
    same = serial.isdecimal() and judgement.holder.serial and int(serial) == int(judgement.holder.serial, 16)
    return judgement if same else None


def _certified_time(manifest: Node, found: Found) -> datetime | None:
    if not found.has("timeStamp.trusted"):
        return None
    try:
        return datetime.fromisoformat(reading.text(reading.mapping(manifest.get("signature_info")).get("time")))
    except ValueError:
        return None


def _claim(stored: StoredManifest | None) -> Mapping[str, Any]:
    try:
        claim = cbor2.loads(stored.claim, max_depth=32) if stored and stored.claim else {}
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError):
        return {}
    return claim if isinstance(claim, Mapping) else {}


def _warnings(policy: TrustPolicy, links: list[Link]) -> tuple[str, ...]:
    warnings = list(policy.warnings())
    if any(link.signer.development for link in links):
        warnings.append("signed with this machine's own development authority: it proves nothing to anybody else")
    return tuple(warnings)


def _without_store(asset: Asset) -> Custody:
    return Custody(
        asset_name=asset.name,
        asset_sha256=asset.sha256,
        bottom_line=BottomLine.NO_MANIFEST,
        headline="No manifest: the file carries no signed statement of its origin, which is no evidence of anything.",
    )


def _unreadable(asset: Asset, place: str, error: AssayError) -> Custody:
    reason = error.message.removeprefix(f"{asset.name}: ")
    return Custody(
        asset_name=asset.name,
        asset_sha256=asset.sha256,
        bottom_line=BottomLine.UNREADABLE,
        headline=f"There is a manifest, and it cannot be read: {reason}.",
        breaks=(Gap("unreadable-manifest", reason, grave=True),),
        place=place,
    )
