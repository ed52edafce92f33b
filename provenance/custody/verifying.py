"""`verify(asset, policy) -> Custody`: every link of the chain judged, one bottom line.

Rules: one extraction, one reading by the SDK, one parse; bounds are checked before the SDK sees the store; no network; bad
content is an answer and never an exception. The numbered comments follow C2PA 2.2 §15.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody import reading
from assay.provenance.custody.binding import Unbound, unbound
from assay.provenance.custody.certifying import Certified, certify, inherited_times, presented, stamp_of, vouching
from assay.provenance.custody.chain import Answer, Axes, Axis, BottomLine, Custody, Gap, Ingredient, Link
from assay.provenance.custody.history import Draft, bottom_line, headline, link_gaps, oldest_first, store_gaps, unbroken
from assay.provenance.custody.identities import IDENTITY, X509, identities
from assay.provenance.custody.judging import judge_link, signer
from assay.provenance.custody.locating import Located, locate
from assay.provenance.custody.reading import Node, mapping, sequence, text
from assay.provenance.custody.rubric import rubric_signals
from assay.provenance.custody.statuses import Found, found_statuses, recorded_standing
from assay.provenance.custody.supplementing import Supplements, supplements
from assay.provenance.errors import AssayError
from assay.provenance.jumbf.containers import Embedded
from assay.provenance.jumbf.store import Kind, ManifestStore, StoredManifest, parse_store
from assay.provenance.trust import NO_IDENTITY_LIST, CertifiedTime, Purpose, TrustPolicy, default_policy

_NO_MANIFEST = "No manifest: the file carries no signed statement of its origin, which is no evidence of anything."
_NOTHING_UPDATED = Axis(Answer.UNKNOWN, "it binds no bytes of its own, and what it updates is not in the file")


def verify(
    asset: Asset, policy: TrustPolicy | None = None, *, sidecar: bytes | None = None, sidecar_name: str = "sidecar"
) -> Custody:
    """Walk and judge the chain of custody of one asset. Raises nothing on account of the asset's content.

    `sidecar` is a manifest store kept apart from the file; where it is given, a store inside the file is not looked at.
    """
    policy = default_policy() if policy is None else policy
    # 1. Find the manifest store (§15.3): in the sidecar named, else in the file.
    located = locate(asset) if sidecar is None else Located((Embedded(sidecar_name, 0, sidecar),), apart=True)
    if not located.stores:
        return _without_store(asset, located)
    # 2. Take it apart under limits before anything else reads it.
    try:
        store = parse_store(located.stores[-1].store, name=asset.name)
        # 3. The SDK checks hashes, signatures and the specification's rules (§15.5 to §15.12). It need not parse anchors that
        #    no certificate in the store names.
        brought = supplements(store)
        stamps = {
            one.label: stamp_of(one, policy, brought=brought.tokens.get(one.label, ())) for one in store.manifests
        }
        named = presented(store, stamps) if len(located.stores) == 1 else None
        read = _c2pa.read(asset, _c2pa.context(policy.anchors(named)), sidecar=sidecar)
    except AssayError as error:
        return _unreadable(asset, located, error.message)
    if read is None:
        return _unreadable(asset, located, "it lies where the C2PA library does not look")
    manifests = {label: mapping(manifest) for label, manifest in mapping(read.report.get("manifests")).items()}
    active = text(read.report.get("active_manifest"))
    if active not in manifests:
        return _unreadable(asset, located, "it names no active manifest")
    return _Walk(asset, policy, located, store, brought, stamps, read, manifests, active).custody()


@dataclass(slots=True)
class _Walk:
    """One walk over the graph of manifests, from the oldest to the active one."""

    asset: Asset
    policy: TrustPolicy
    located: Located
    store: ManifestStore
    brought: Supplements
    stamps: Mapping[str, CertifiedTime | None]
    read: _c2pa.Reading
    manifests: dict[str, Node]
    active: str

    def custody(self) -> Custody:
        # 4. Order the graph of ingredients (§15.11), oldest first.
        ingredients = {label: reading.ingredients(manifest) for label, manifest in self.manifests.items()}
        sources = {label: tuple(i.manifest for i in found) for label, found in ingredients.items()}
        order = oldest_first(self.active, sources)
        statuses = found_statuses(
            self.active,
            self.read.report,
            ((i.manifest, i.recorded) for label in order for i in ingredients[label]),
            sources=sources,
        )
        # 5. Certify times first: a later link's time stamp may save an earlier one (§10.3.2.5, §15.8).
        stored = {label: self.store.find(label) for label in order}
        inherited = inherited_times(order, sources, vouching(self.stamps, statuses))
        taken_in = {i.manifest: i for label in order for i in ingredients[label] if i.manifest}
        bound = self._bound(ingredients, stored)
        drafts: dict[str, Draft] = {}
        axes: dict[str, Axis] = {}
        links: list[Link] = []
        for label in order:
            # 6. Judge the certificate chain on lists for claim signing alone (§14.4, §14.5).
            info = mapping(self.manifests[label].get("signature_info"))
            found = statuses.get(label, Found())
            certified = certify(
                stored[label],
                text(info.get("cert_serial_number")),
                self.policy,
                validated=found.has("claimSignature.validated"),
                stamp=self.stamps.get(label),
                inherited=inherited.get(label),
                brought=self.brought,
            )
            parent = drafts.get(_parent(ingredients[label])) if _updates(stored[label]) else None
            left_out = unbound(stored[label], self.asset) if label in bound else Unbound()
            draft = self._draft(
                label,
                stored[label],
                ingredients[label],
                found,
                certified,
                taken_in.get(label),
                bound=label in bound,
                unbound=left_out.picture,
                updated=parent.judged.intact if parent else None,
            )
            # 7. A link holds only as far as everything it was made from does.
            gaps = (*link_gaps(draft, stored[label], self.manifests), *left_out.gaps)
            axes[label] = unbroken(draft, drafts, axes, gaps)
            drafts[label] = draft
            links.append(self._link(draft, stored[label], certified, axes[label], gaps))
        # 8. The weakest link speaks for the whole.
        chain = tuple(drafts[label] for label in order)
        whole = store_gaps(self.store, order, stores=len(self.located.stores))
        line = bottom_line(chain, axes, whole)
        return Custody(
            asset_name=self.asset.name,
            asset_sha256=self.asset.sha256,
            bottom_line=line,
            headline=headline(chain, axes, line, whole, apart=self.located.apart),
            links=tuple(links),
            breaks=whole,
            residue=self.located.residue,
            sdk_state=self.read.state,
            place=self.located.stores[-1].place,
            apart=self.located.apart,
            remote_url=self.read.remote_url or "",
            warnings=_warnings(self.policy, links),
            store=self.store,
        )

    def _bound(
        self, ingredients: Mapping[str, tuple[Ingredient, ...]], stored: Mapping[str, StoredManifest | None]
    ) -> frozenset[str]:
        """The manifests about the bytes of this very file: the active one and, where that is an update, what it updates."""
        found, label = {self.active}, self.active
        while _updates(stored.get(label)) and (parent := _parent(ingredients[label])) in ingredients:
            if parent in found:
                break
            found.add(parent)
            label = parent
        return frozenset(found)

    def _draft(
        self,
        label: str,
        stored: StoredManifest | None,
        ingredients: tuple[Ingredient, ...],
        found: Found,
        certified: Certified,
        taken_in: Ingredient | None,
        *,
        bound: bool,
        unbound: str,
        updated: Axis | None,
    ) -> Draft:
        manifest = self.manifests[label]
        kind = stored.kind if stored else Kind.STANDARD
        old = taken_in is not None and not taken_in.label.startswith("c2pa.ingredient.v3")
        judged = judge_link(
            found,
            certified,
            bound=bound,
            apart=self.located.stores[-1].place if self.located.apart else "",
            unbound=unbound,
            updated=updated or (_NOTHING_UPDATED if _updates(stored) else None),
            old_record=old,
            defects=stored.defects if stored else ("it is not in the store",),
        )
        claim, assertions = _claim(stored), reading.assertions(manifest)
        return Draft(
            label=label,
            title=text(manifest.get("title")) or (taken_in.title if taken_in else ""),
            kind=kind,
            assertions=assertions,
            actions=reading.actions(manifest),
            all_actions_included=reading.all_actions_included(assertions),
            claim=claim,
            claim_version=2 if manifest.get("claim_version") == 2 else 1,
            redacted=tuple(url for url in sequence(claim.get("redacted_assertions")) if isinstance(url, str)),
            ingredients=ingredients,
            found=found,
            judged=judged,
            signer=signer(certified.judgement),
            recorded=None if label == self.active else recorded_standing(found.recorded),
        )

    def _link(
        self, draft: Draft, stored: StoredManifest | None, certified: Certified, history: Axis, gaps: tuple[Gap, ...]
    ) -> Link:
        manifest, judged, revoked = self.manifests[draft.label], draft.judged, certified.revocation
        return Link(
            label=draft.label,
            kind=draft.kind.value,
            title=draft.title,
            media_type=text(manifest.get("format")),
            claim_generator=reading.claim_generator(manifest),
            signer=draft.signer,
            actions=draft.actions,
            ingredients=draft.ingredients,
            identities=identities(manifest, draft.found.now, stored, self.policy)
            if IDENTITY in draft.assertions
            else (),
            claimed_time=reading.claimed_time(draft.actions),
            certified_time=certified.certified_time,
            time_authority=certified.stamp.authority_name if certified.stamp else "",
            revocation=revoked.statement if revoked else "",
            revocation_state=revoked.state.value if revoked else "",
            axes=Axes(judged.intact, judged.authentic, judged.trusted, judged.timely, history),
            now=judged.standing,
            recorded=draft.recorded,
            statuses=draft.found.now,
            breaks=gaps,
            assertions=tuple(assertion.label for assertion in stored.assertions) if stored else (),
            soft_bindings=reading.soft_bindings(draft.assertions),
            permissions=reading.permissions(draft.assertions),
            rubric=rubric_signals(
                draft.actions, draft.ingredients, stored, draft.claim, all_actions_included=draft.all_actions_included
            ),
            thumbnail=text(mapping(manifest.get("thumbnail")).get("identifier")),
        )


def _updates(stored: StoredManifest | None) -> bool:
    return stored is not None and stored.kind in (Kind.UPDATE, Kind.TIME_STAMP)


def _parent(ingredients: tuple[Ingredient, ...]) -> str:
    """The manifest of what was opened, updated or changed; empty where none is named."""
    return next((one.manifest for one in ingredients if one.relationship == "parentOf"), "")


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
    signed = any(identity.kind == X509 for link in links for identity in link.identities)
    if signed and not policy.lists_for(Purpose.IDENTITY):
        warnings.append(NO_IDENTITY_LIST)
    return tuple(warnings)


def _without_store(asset: Asset, located: Located) -> Custody:
    headline_, breaks = _NO_MANIFEST, tuple[Gap, ...]()
    if located.remote_url:
        headline_ = f"Its manifest is kept at {located.host} and was not fetched: nothing can be said of it."
        breaks = (Gap("remote-manifest-not-fetched", f"its manifest is kept at {located.host} and was not fetched"),)
    elif located.residue:
        headline_ = f"No manifest, but traces of one that was removed or hidden: {located.residue[0]}."
    return Custody(
        asset_name=asset.name,
        asset_sha256=asset.sha256,
        bottom_line=BottomLine.NO_MANIFEST,
        headline=headline_,
        breaks=breaks,
        residue=located.residue,
        remote_url=located.remote_url,
    )


def _unreadable(asset: Asset, located: Located, reason: str) -> Custody:
    reason = reason.removeprefix(f"{asset.name}: ").removeprefix("its manifest cannot be read: ")
    return Custody(
        asset_name=asset.name,
        asset_sha256=asset.sha256,
        bottom_line=BottomLine.UNREADABLE,
        headline=f"There is a manifest, and it cannot be read: {reason}.",
        breaks=(Gap("unreadable-manifest", reason, grave=True),),
        residue=located.residue,
        place=located.stores[-1].place,
        apart=located.apart,
    )
