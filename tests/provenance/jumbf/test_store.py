import contextlib

import brotli
import cbor2
import custody_assets as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.provenance.errors import LimitExceeded
from assay.provenance.jumbf import store as room
from assay.provenance.jumbf.boxes import boxes, superbox
from assay.provenance.jumbf.cose import MAX_CERTIFICATES, claim_signature
from assay.provenance.jumbf.store import Kind, StoreUnreadable, active_alone, parse_store
from assay.provenance.limits import DEFAULT_LIMITS

CREDENTIAL = made.leaf(made.authority())
PARENT = made.sign(made.encoded(made.picture()), made.created(), CREDENTIAL)
SIGNED = made.sign(PARENT.content, made.opened(), CREDENTIAL, ingredients=(made.parent(PARENT.content),))


def box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def jumb(uuid: bytes, label: str, *children: bytes) -> bytes:
    described = uuid + bytes.fromhex("00110010800000aa00389b71") + b"\3" + label.encode() + b"\0"
    return box(b"jumb", box(b"jumd", described) + b"".join(children))


def test_manifests_come_in_stored_order_with_claim_assertions_and_chain() -> None:
    found = parse_store(SIGNED.store)
    assert len(found.manifests) == 2
    active = found.manifests[-1]
    assert active.kind is Kind.STANDARD
    assert active.claim_label == "c2pa.claim.v2"
    assert cbor2.loads(active.claim)["signature"].endswith("c2pa.signature")
    actions = active.find("c2pa.actions.v2")
    assert actions is not None
    assert cbor2.loads(actions.content)["actions"][0]["action"] == "c2pa.opened"
    assert found.find(active.label) is active
    assert active.signature is not None
    assert active.signature.chain_protected
    assert active.signature.algorithm == -7
    assert not active.defects


def test_the_active_manifest_can_stand_alone() -> None:
    (alone,) = parse_store(active_alone(SIGNED.store)).manifests
    active = parse_store(SIGNED.store).manifests[-1]
    assert (alone.label, alone.claim, alone.signature) == (active.label, active.claim, active.signature)
    assert [part.content for part in alone.assertions] == [part.content for part in active.assertions]
    assert active_alone(PARENT.store) == PARENT.store
    with pytest.raises(StoreUnreadable):
        active_alone(jumb(b"c2pa", "c2pa"))


def test_an_update_manifest_is_named_as_one() -> None:
    signed = made.sign(PARENT.content, made.manifest() | {"assertions": []}, CREDENTIAL, intent="UPDATE")
    assert [manifest.kind for manifest in parse_store(signed.store).manifests] == [Kind.STANDARD, Kind.UPDATE]


def test_a_compressed_manifest_is_unpacked_and_a_bomb_is_not() -> None:
    outer = next(boxes(PARENT.store, 0, len(PARENT.store)))
    inner = superbox(PARENT.store, outer)
    assert inner is not None
    manifest = PARENT.store[inner.children[0].offset : inner.children[0].end]
    for content, defects in (
        (manifest, ()),
        (b"\0" * (room.MAX_STORE + 1), ("it is compressed, and was not unpacked",)),
        (b"nonsense", ("what it unpacks to is no manifest",)),
    ):
        packed = jumb(b"c2cm", "urn:c2pa:packed", box(b"brob", b"jumb" + brotli.compress(content, quality=1)))
        (found,) = parse_store(jumb(b"c2pa", "c2pa", packed)).manifests
        assert found.defects == defects
        assert (found.signature is not None) == (not defects)


def test_bounds_hold_inside_a_compressed_manifest_too() -> None:
    deep = jumb(b"cbor", "leaf")
    for level in range(DEFAULT_LIMITS.nesting + 1):
        deep = jumb(b"cbor", f"level {level}", deep)
    packed = box(b"brob", b"jumb" + brotli.compress(jumb(b"c2ma", "urn:c2pa:deep", deep)))
    with pytest.raises(LimitExceeded, match="levels of boxes"):
        parse_store(jumb(b"c2pa", "c2pa", jumb(b"c2cm", "urn:c2pa:packed", packed)))


def test_bounds_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    many = jumb(b"c2pa", "c2pa", *(jumb(b"c2ma", f"m{n}") for n in range(room.MAX_MANIFESTS + 1)))
    with pytest.raises(LimitExceeded, match="1,025 manifests"):
        parse_store(many)
    monkeypatch.setattr(room, "MAX_STORE", 1000)
    with pytest.raises(LimitExceeded, match="bytes of manifest store"):
        parse_store(SIGNED.store)


def test_what_is_no_store_is_refused() -> None:
    for nonsense in (b"", b"jumb", SIGNED.store[8:], SIGNED.store[:-1], box(b"jumb", b"")):
        with pytest.raises(StoreUnreadable):
            parse_store(nonsense)


def test_a_repeated_label_is_noticed_and_the_last_one_counts() -> None:
    found = parse_store(jumb(b"c2pa", "c2pa", jumb(b"c2ma", "m"), jumb(b"c2um", "m")))
    assert found.repeated_labels == ("m",)
    assert found.find("m") is found.manifests[1]


@pytest.mark.parametrize(
    ("message", "defect"),
    [
        ([b"", {33: [b"x"] * (MAX_CERTIFICATES + 1)}, None, b"s"], "malformed or larger"),
        ([b"", {33: [1]}, None, b"s"], "malformed or larger"),
        ([b"", {33: 7}, None, b"s"], "no list"),
        ([b"", {33: [b"x" * 70_000]}, None, b"s"], "malformed or larger"),
        ([b"", [], None, b"s"], "not a COSE_Sign1"),
        ("text", "not a COSE_Sign1"),
        ({}, "not a COSE_Sign1"),
    ],
)
def test_a_malformed_signature_is_named_not_raised(message: object, defect: str) -> None:
    found = claim_signature(cbor2.dumps(message))
    assert found.chain == ()
    assert defect in found.defects[0]


def test_a_single_certificate_may_stand_without_a_list() -> None:
    assert claim_signature(cbor2.dumps([cbor2.dumps({1: -7, "x5chain": b"der"}), {}, None, b"s"])).chain == (b"der",)


def test_time_stamps_and_stapled_answers_are_taken_from_the_unprotected_header() -> None:
    stamp = {"tstTokens": [{"val": b"token"}, {"other": 1}, 7]}
    header = {"sigTst2": stamp, "sigTst": stamp, "rVals": {"ocspVals": [b"answer", 3]}}
    found = claim_signature(cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps({1: -7}), header, None, b"s"])))
    assert [(stamp.version, stamp.der) for stamp in found.stamps] == [(2, b"token"), (1, b"token")]
    assert found.ocsp_responses == (b"answer",)
    second, first = (cbor2.loads(found.stamped(stamp, b"claim")) for stamp in found.stamps)
    assert (first[0], first[3]) == ("CounterSignature", b"claim")
    assert (second[0], second[3]) == ("CounterSignature", cbor2.dumps(b"s"))


@given(st.integers(0, len(SIGNED.store) - 1), st.binary(min_size=1, max_size=8))
def test_an_altered_store_is_read_or_refused_and_nothing_else(at: int, altered: bytes) -> None:
    with contextlib.suppress(StoreUnreadable, LimitExceeded):
        parse_store(SIGNED.store[:at] + altered + SIGNED.store[at + len(altered) :])


@given(st.binary(max_size=300))
def test_any_bytes_give_a_claim_signature(content: bytes) -> None:
    assert claim_signature(content).chain == () or content


def test_of_several_certificate_chains_none_is_taken() -> None:
    def read(protected: dict[object, object], unprotected: dict[object, object]) -> tuple[tuple[bytes, ...], bool]:
        found = claim_signature(cbor2.dumps([cbor2.dumps({1: -7} | protected), unprotected, None, b"s"]))
        return found.chain, bool(found.defects)

    assert read({"x5chain": b"a", 33: b"b"}, {}) == ((), True)
    assert read({"x5chain": b"a", 33: b"b"}, {33: b"c"}) == ((), True)
    assert read({}, {"x5chain": b"a", 33: b"b"}) == ((), True)
    assert read({33: "no certificate"}, {33: b"c"}) == ((), True)
    assert read({33: b"a"}, {"x5chain": b"b"}) == ((b"a",), False)  # the protected one, as the specification has it
