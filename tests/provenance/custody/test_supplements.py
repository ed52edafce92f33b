"""Time stamps and revocation answers that a later manifest brings for an earlier one, written by the C2PA library itself."""

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import custody_assets as made
import pytest
from revocation_answers import answer, ocsp_server, responder
from time_stamping import time_authority, time_stamper, token

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody.certifying import stamp_of
from assay.provenance.custody.chain import Answer, BottomLine, Custody
from assay.provenance.custody.supplementing import supplements
from assay.provenance.custody.verifying import verify
from assay.provenance.jumbf.boxes import Box
from assay.provenance.jumbf.containers import embedded_stores
from assay.provenance.jumbf.store import Kind, ManifestStore, StoredAssertion, StoredManifest, parse_store
from assay.provenance.media_type import MediaType
from assay.provenance.trust import Purpose, TrustPolicy

ROOT, TIME_ROOT = made.authority(), made.authority("Time Root")
STAMPER = time_stamper(TIME_ROOT)
SIGNERS = made.trust_list(ROOT)
TIMED = TrustPolicy(lists=(SIGNERS, made.trust_list(TIME_ROOT, purpose=Purpose.TIME_STAMPING)))


def store_of(content: bytes) -> ManifestStore:
    return parse_store(embedded_stores(content, MediaType.JPEG)[-1].store)


def writing(host: str, builder: Mapping[str, object], *, ocsp: bool = False) -> Any:
    """A context of the library that may ask one host and writes what `builder` says beside the usual."""
    given: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_c2pa.c2pa.Settings, "from_dict", lambda settings: given.append(settings))
        patched.setattr(_c2pa.c2pa, "Context", lambda settings: None)
        _c2pa.context.__wrapped__(TIMED.anchors(), allowed_hosts=(host,), ocsp=ocsp)
    given[0]["builder"] |= builder
    return _c2pa.c2pa.Context(_c2pa.c2pa.Settings.from_dict(given[0]))


def edit_of(source: bytes, context: Any, *, tsa_url: str | None = None) -> bytes:
    target = io.BytesIO()
    _c2pa.build(
        made.opened(),
        made.leaf(ROOT, "Editor").signer(tsa_url),
        media_type="image/jpeg",
        source=io.BytesIO(source),
        target=target,
        sdk_context=context,
        ingredients=(made.parent(source),),
    )
    return target.getvalue()


@dataclass(frozen=True)
class Saved:
    """`child` brings a time stamp for its parent, whose signer's certificate has expired since, and has none of its own."""

    parent: bytes
    child: bytes


@pytest.fixture(scope="module")
def saved() -> Saved:
    jpeg = made.encoded(made.picture())
    end = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0)
    parent = made.sign(jpeg, made.created(), made.leaf(ROOT, "Short-lived", end=end)).content
    with time_authority(STAMPER, datetime.now(UTC) - timedelta(seconds=1)) as authority:
        host = authority.url.split("/")[2]
        context = writing(
            host, {"auto_timestamp_assertion": {"enabled": True, "fetch_scope": "parent", "skip_existing": True}}
        )
        child = edit_of(parent, context, tsa_url=authority.url)
    own = child.rindex(b"sigTst2")  # the child's own stamp stands in its unprotected header: renamed, nobody reads it
    assert child.count(b"sigTst2") == 1
    while datetime.now(UTC) <= end + timedelta(seconds=1):
        time.sleep(0.1)
    return Saved(parent, child[:own] + b"sigTstX" + child[own + 7 :])


def test_an_expired_source_lives_on_the_stamp_that_a_later_manifest_brought(saved: Saved) -> None:
    assert verify(Asset.from_bytes(saved.parent), TIMED).bottom_line is BottomLine.INVALID
    custody = verify(Asset.from_bytes(saved.child), TIMED)
    assert custody.bottom_line is BottomLine.TRUSTED
    parent, child = custody.links
    assert child.certified_time is None
    assert parent.certified_time is not None
    assert parent.time_authority == "Test Time Stamper, stamped later"
    assert "a later manifest brought" in parent.axes.timely.statement


def test_its_authority_must_be_on_a_list_for_time_stamps(saved: Saved) -> None:
    custody = verify(Asset.from_bytes(saved.child), TrustPolicy(lists=(SIGNERS,)))
    assert custody.bottom_line is BottomLine.INVALID
    assert custody.links[0].certified_time is None
    assert custody.links[0].axes.timely.answer is Answer.NO


def test_a_stamp_serves_the_signature_it_is_over_and_no_other(saved: Saved) -> None:
    store = store_of(saved.child)
    parent, child = store.manifests
    brought = supplements(store).tokens[parent.label]
    assert stamp_of(parent, TIMED, brought=brought).certified  # type: ignore[union-attr]
    moved = stamp_of(child, TIMED, brought=brought)
    assert moved is not None
    assert not moved.certified


def test_a_stamp_as_the_specification_has_it_counts_too(saved: Saved) -> None:
    parent = store_of(saved.child).manifests[0]
    assert parent.signature is not None
    payload = cbor2.dumps(["CounterSignature", parent.signature.protected, b"", parent.signature.signature])
    brought = (token(payload, STAMPER, made.NOW - timedelta(hours=1)),)
    found = stamp_of(parent, TIMED, brought=brought)
    assert found is not None
    assert found.certified
    assert found.later


def test_a_stamp_of_its_own_comes_first(saved: Saved) -> None:
    jpeg = made.encoded(made.picture())
    with time_authority(STAMPER, made.NOW - timedelta(hours=1)) as authority:
        own = store_of(made.sign(jpeg, made.created(), made.leaf(ROOT), tsa_url=authority.url).content).manifests[0]
    assert own.signature is not None
    later = (token(own.signature.signature, STAMPER, made.NOW - timedelta(minutes=1)),)
    found = stamp_of(own, TIMED, brought=later)
    assert found is not None
    assert not found.later
    assert found.time == (made.NOW - timedelta(hours=1)).replace(microsecond=0)


def answered(*, revoked_at: datetime | None = None) -> Custody:
    """An edit that brings its parent's signer's revocation answer, written by the library after it asked the responder."""
    jpeg = made.encoded(made.picture())
    with ocsp_server() as server:
        old = made.leaf(ROOT, "Old Signer", ocsp_url=server.url)
        first = made.sign(jpeg, made.created(), old).content
        who = responder(ROOT)
        server.answer = lambda query: answer(old.certificate, ROOT, who, revoked_at=revoked_at)
        status = {"certificate_status_fetch": "all", "certificate_status_should_override": False}
        child = edit_of(first, writing(server.url.split("/")[2], status, ocsp=True))
    return verify(Asset.from_bytes(child), TIMED)


def test_a_good_answer_brought_later_is_told_of_the_link_it_is_about() -> None:
    custody = answered()
    assert [link.revocation_state for link in custody.links] == ["good", "not-asked"]
    assert custody.bottom_line is BottomLine.TRUSTED


def test_a_revocation_brought_later_takes_the_trust_away() -> None:
    custody = answered(revoked_at=made.NOW)
    assert [link.revocation_state for link in custody.links] == ["revoked", "not-asked"]
    assert custody.bottom_line is BottomLine.INVALID


def carrying(label: str, content: bytes) -> ManifestStore:
    assertion = StoredAssertion(label, content, (Box(b"cbor", 0, 0, len(content)),))
    return ManifestStore(
        (StoredManifest(label="urn:c2pa:carrier", kind=Kind.STANDARD, assertions=(assertion,)),), len(content)
    )


@pytest.mark.parametrize("label", ["c2pa.time-stamp", "c2pa.time-stamp__2", "c2pa.certificate-status"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        cbor2.dumps([1, 2]),
        cbor2.dumps({1: b"x", "urn:c2pa:a": "text", "ocspVals": 7}),
        cbor2.dumps({"ocspVals": [b"", b"junk", "text", 3]}),
        b"\x81" * 5000,
    ],
    ids=["empty", "broken", "list", "wrong types", "junk answers", "deep"],
)
def test_what_cannot_be_read_is_left_out(label: str, content: bytes) -> None:
    found = supplements(carrying(label, content))
    assert found.answers == {}
    assert "urn:c2pa:a" not in found.tokens


def test_the_number_of_tokens_is_bounded() -> None:
    many = {f"urn:c2pa:{number}": b"token" for number in range(5_000)}
    assert len(supplements(carrying("c2pa.time-stamp", cbor2.dumps(many))).tokens) == 256
