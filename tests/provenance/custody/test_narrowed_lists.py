"""The library is given only anchors that a file's certificates name: no verdict may depend on the ones left out."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import custody_assets as made
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from revocation_answers import answer, responder
from time_stamping import time_authority, time_stamper
from trust_lists import policy, trust_list

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody import verifying
from assay.provenance.custody.certifying import presented, stamp_of
from assay.provenance.custody.chain import BottomLine
from assay.provenance.jumbf.containers import embedded_stores
from assay.provenance.jumbf.cose import ClaimSignature
from assay.provenance.jumbf.store import ManifestStore, StoredAssertion, parse_store
from assay.provenance.media_type import MediaType
from assay.provenance.trust import Purpose, TrustPolicy

ROOT, OTHER, TIME = made.authority(), made.authority("Other Root"), made.authority("Time Root")
INTERMEDIATE = made.authority("Intermediate", ROOT)
SIGNER, DEEP, STRANGER = made.leaf(ROOT), made.leaf(INTERMEDIATE), made.leaf(made.authority("Nobody's Root"))
BARE = made.Credential(DEEP.key, DEEP.chain[:1])  # leaves its issuer out
CROWD = tuple(made.authority(f"Bystander {number}") for number in range(12))

SIGNED = {
    "by the root": (SIGNER, (ROOT,)),
    "below an intermediate": (DEEP, (ROOT,)),
    "below an intermediate on the list": (DEEP, (INTERMEDIATE, ROOT)),
    "issuer left out, on the list with its own": (BARE, (INTERMEDIATE, ROOT)),
    "issuer left out, its own unlisted": (BARE, (INTERMEDIATE,)),
    "issuer left out and unlisted": (BARE, (ROOT,)),
    "by a stranger": (STRANGER, (ROOT,)),
    "nobody else listed": (STRANGER, ()),
}


def store_of(content: bytes) -> ManifestStore:
    return parse_store(embedded_stores(content, MediaType.JPEG)[-1].store)


def presented_in(store: ManifestStore) -> frozenset[bytes] | None:
    return presented(store, {manifest.label: stamp_of(manifest, policy()) for manifest in store.manifests})


def handed_over(monkeypatch: pytest.MonkeyPatch, content: bytes, believed: TrustPolicy) -> tuple[_c2pa.Anchors, ...]:
    """What the library was given while `content` was verified."""
    given: list[tuple[_c2pa.Anchors, ...]] = []
    made_context = _c2pa.context
    with monkeypatch.context() as patched:
        patched.setattr(_c2pa, "context", lambda anchors: given.append(anchors) or made_context(anchors))
        verifying.verify(Asset.from_bytes(content), believed)
    return given[0]


@pytest.mark.parametrize("case", SIGNED)
def test_the_answer_is_that_of_the_whole_list(case: str, jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    signer, listed = SIGNED[case]
    believed = policy(
        trust_list(*CROWD, *listed), trust_list(*CROWD, list_id="time", purposes=(Purpose.TIME_STAMPING,))
    )
    asset = Asset.from_bytes(made.sign(jpeg, made.created(), signer).content)
    narrowed = verifying.verify(asset, believed)
    monkeypatch.setattr(verifying, "presented", lambda *_: None)
    assert verifying.verify(asset, believed) == narrowed


def test_every_link_and_every_stamp_keeps_its_anchors(jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    believed = policy(
        trust_list(*CROWD, ROOT, OTHER), trust_list(*CROWD, TIME, list_id="time", purposes=(Purpose.TIME_STAMPING,))
    )
    with time_authority(time_stamper(TIME), made.NOW - timedelta(seconds=5)) as authority:
        first = made.sign(jpeg, made.created(), made.leaf(OTHER), tsa_url=authority.url).content
    content = made.sign(jpeg, made.opened(), DEEP, ingredients=(made.parent(first),)).content
    custody = verifying.verify(Asset.from_bytes(content), believed)
    assert custody.bottom_line is BottomLine.TRUSTED
    assert custody.links[0].certified_time
    given = handed_over(monkeypatch, content, believed)
    pems = "".join(anchors.anchors_pem for anchors in given)
    assert all(kept.pem in pems for kept in (ROOT, OTHER, TIME))
    assert not any(bystander.pem in pems for bystander in CROWD)


def test_anchors_nobody_names_are_left_out(jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    content = made.sign(jpeg, made.created(), SIGNER).content
    (given,) = handed_over(monkeypatch, content, policy(trust_list(*CROWD, ROOT)))
    assert given.anchors_pem == ROOT.pem


def test_a_leaf_that_is_listed_itself_is_handed_over(jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    content = made.sign(jpeg, made.created(), STRANGER).content
    (given,) = handed_over(monkeypatch, content, policy(trust_list(*CROWD, STRANGER)))
    assert given.anchors_pem == STRANGER.pem


@pytest.mark.parametrize(
    "change",
    [
        {"defects": ("odd",)},
        {"signature": None},
        {"signature": ClaimSignature(ocsp_responses=(b"no answer",))},
        {"assertions": (StoredAssertion("cawg.identity__2", b""),)},
        {"assertions": (StoredAssertion("c2pa.time-stamp", b""),)},
        {"assertions": (StoredAssertion("c2pa.certificate-status", b""),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_where_certificates_may_lie_elsewhere_nothing_is_left_out(change: Mapping[str, object], jpeg: bytes) -> None:
    store = store_of(made.sign(jpeg, made.created(), SIGNER).content)
    leaf = SIGNER.certificate.public_bytes(Encoding.DER)
    assert presented_in(store) == {leaf}
    odd = replace(store.manifests[0], **change)
    assert presented_in(ManifestStore((odd,), store.size)) is None
    twice = ManifestStore((store.manifests[0], store.manifests[0]), store.size)
    assert presented_in(twice) is None


@pytest.mark.parametrize("kind", ["direct", "delegated"])
def test_certificates_in_a_stapled_answer_are_seen(kind: str, jpeg: bytes) -> None:
    store = store_of(made.sign(jpeg, made.created(), SIGNER).content)
    manifest = store.manifests[0]
    assert manifest.signature is not None
    who = ROOT if kind == "direct" else responder(ROOT)
    stapled = answer(SIGNER.certificate, ROOT, who)
    changed = replace(manifest, signature=replace(manifest.signature, ocsp_responses=(stapled,)))
    found = presented_in(ManifestStore((changed,), store.size))
    expected = {one.certificate.public_bytes(Encoding.DER) for one in (SIGNER, *(() if kind == "direct" else (who,)))}
    assert found == expected
