"""Trusted signatures that leave out a part of the file, and files that go on behind what was signed."""

import hashlib
from collections.abc import Callable, Iterable
from decimal import Decimal

import cbor2
import custody_assets as made
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from signing_formats import EMBEDDABLE, small_picture

from assay.provenance.asset import Asset
from assay.provenance.custody.binding import unbound
from assay.provenance.custody.chain import Answer, BottomLine, Custody, Requirement
from assay.provenance.jumbf.boxes import Box, boxes
from assay.provenance.jumbf.containers import BMFF_UUID, png_chunks
from assay.provenance.jumbf.store import Kind, StoredAssertion, StoredManifest
from assay.provenance.media_type import MediaType

Judged = Callable[..., Custody]
LABEL = "urn:c2pa:11111111-1111-4111-8111-111111111111"
JPEG = made.encoded(made.picture(), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0", comment=b"a comment")
PNG = made.encoded(made.picture(), "PNG")
OTHER = made.encoded(made.picture(colour="#203040"))


def box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def jumb(uuid: bytes, label: str, *children: bytes) -> bytes:
    described = uuid + bytes.fromhex("00110010800000aa00389b71") + b"\x03" + label.encode() + b"\0"
    return box(b"jumb", box(b"jumd", described) + b"".join(children))


def store_with(label: str, binding: dict[str, object], signer: made.Credential) -> bytes:
    """A manifest store, written by hand, whose one manifest binds the file by this assertion, whatever the SDK would write."""
    created = {"action": "c2pa.created", "digitalSourceType": made.CAPTURED}
    stated = {label: binding, "c2pa.actions.v2": {"actions": [created], "allActionsIncluded": True}}
    assertions = {name: jumb(b"cbor", name, box(b"cbor", cbor2.dumps(content))) for name, content in stated.items()}
    claim = cbor2.dumps(
        {
            "instanceID": "xmp:iid:1",
            "claim_generator_info": {"name": "assay-tests", "version": "1"},
            "signature": f"self#jumbf=/c2pa/{LABEL}/c2pa.signature",
            "created_assertions": [
                {
                    "url": f"self#jumbf=/c2pa/{LABEL}/c2pa.assertions/{name}",
                    "hash": hashlib.sha256(content[8:]).digest(),
                }
                for name, content in assertions.items()
            ],
            "alg": "sha256",
        }
    )
    header = cbor2.dumps({1: -7, 33: [one.public_bytes(Encoding.DER) for one in signer.chain]})
    signed = signer.key.sign(cbor2.dumps(["Signature1", header, b"", claim]), ec.ECDSA(SHA256()))
    signature = b"".join(part.to_bytes(32, "big") for part in decode_dss_signature(signed))
    cose = cbor2.dumps(cbor2.CBORTag(18, [header, {"pad": b""}, None, signature]))
    manifest = jumb(
        b"c2ma",
        LABEL,
        jumb(b"c2as", "c2pa.assertions", *assertions.values()),
        jumb(b"c2cl", "c2pa.claim.v2", box(b"cbor", claim)),
        jumb(b"c2cs", "c2pa.signature", box(b"cbor", cose)),
    )
    return jumb(b"c2pa", "c2pa", manifest)


def app11(store: bytes) -> bytes:
    return b"\xff\xeb" + (len(store) + 10).to_bytes(2, "big") + b"JP\0\1\0\0\0\1" + store


def with_data_hash(signer: made.Credential, *left_out: tuple[int, int]) -> bytes:
    """JPEG, signed by a hash that leaves out these stretches of it."""
    kept = bytearray(JPEG)
    for start, end in sorted(left_out, reverse=True):
        del kept[start:end]

    def segment(size: int) -> bytes:
        ranges = [(2, size), *((start + size, end - start) for start, end in left_out)]
        binding = {
            "exclusions": [{"start": start, "length": length} for start, length in ranges],
            "name": "jumbf manifest",
            "alg": "sha256",
            "hash": hashlib.sha256(kept).digest(),
            "pad": b"",
        }
        return app11(store_with("c2pa.hash.data", binding, signer))

    size = len(segment(4_000))
    return JPEG[:2] + segment(size) + JPEG[2:]


def jpeg_boxes() -> list[tuple[str, int, int]]:
    names = {0xE0: "APP0", 0xE1: "APP1", 0xFE: "COM", 0xDB: "DQT", 0xC0: "SOF0", 0xC4: "DHT"}
    found, at = [("SOI", 0, 2)], 2
    while JPEG[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(JPEG[at + 2 : at + 4], "big")
        found.append((names[JPEG[at + 1]], at, end))
        at = end
    return [*found, ("SOS", at, len(JPEG) - 2), ("EOI", len(JPEG) - 2, len(JPEG))]


def png_boxes() -> list[tuple[str, int, int]]:
    return [("PNGh", 0, 8), *((kind.decode(), start - 8, end + 4) for kind, start, end in png_chunks(PNG))]


def box_hashes(content: bytes, listed: Iterable[tuple[str, int, int]], after: str, *excluded: str) -> dict[str, object]:
    """Hashes of these boxes of `content`, with the manifest behind the one named `after`."""
    found: list[dict[str, object]] = []
    for name, start, end in listed:
        entry = {"names": [name], "alg": "sha256", "hash": hashlib.sha256(content[start:end]).digest(), "pad": b""}
        found.append(entry | ({"excluded": True} if name in excluded else {}))
        if name == after:
            found.append({"names": ["C2PA"], "alg": "sha256", "hash": b"\0", "pad": b""})
    return {"alg": "sha256", "boxes": found}


def with_box_hashes(signer: made.Credential, *excluded: str, listed: int | None = None) -> bytes:
    """JPEG, signed by hashes of its boxes: without those `excluded`, or of the first so many alone."""
    binding = box_hashes(JPEG, jpeg_boxes()[:listed], "SOI", *excluded)
    return JPEG[:2] + app11(store_with("c2pa.hash.boxes", binding, signer)) + JPEG[2:]


def gaps(custody: Custody) -> dict[str, str]:
    return {gap.code: gap.statement for gap in custody.links[-1].breaks}


def proves_nothing(custody: Custody, because: str) -> bool:
    """Whether the signature is a trusted one, and for all that nothing is said of the picture."""
    (link,) = custody.links
    axes = link.axes
    return (
        (custody.sdk_state, custody.bottom_line) == ("Trusted", BottomLine.INVALID)
        and (axes.intact.answer, axes.authentic.answer, axes.trusted.answer) == (Answer.UNKNOWN, Answer.YES, Answer.YES)
        and because in custody.headline
        and not any(custody.meets(requirement) for requirement in Requirement)
    )


SCAN = (JPEG.index(b"\xff\xda") + 14, len(JPEG) - 2)
COMMENT = next((start, end) for name, start, end in jpeg_boxes() if name == "COM")


@pytest.mark.parametrize(
    "left_out",
    [[SCAN], [COMMENT, SCAN], [(COMMENT[0], COMMENT[1] + 1)], [(SCAN[1] - 1, SCAN[1])]],
    ids=["scan", "comment-and-scan", "one-byte-more-than-a-comment", "one-byte"],
)
def test_a_data_hash_that_leaves_out_picture_bytes(
    signer: made.Credential, judged: Judged, left_out: list[tuple[int, int]]
) -> None:
    assert proves_nothing(judged(with_data_hash(signer, *left_out)), "leaves out more than metadata")


def test_a_data_hash_that_leaves_out_metadata_is_named(signer: made.Credential, judged: Judged) -> None:
    assert gaps(judged(with_data_hash(signer))) == {}
    custody = judged(with_data_hash(signer, COMMENT).replace(b"a comment", b"a Comment"))
    assert custody.bottom_line is BottomLine.TRUSTED
    assert gaps(custody) == {
        "unbound-bytes": "its signature leaves out 13 bytes of metadata, which may have been changed since"
    }


def test_box_hashes_that_leave_out_the_picture(signer: made.Credential, judged: Judged) -> None:
    for excluded in ("SOS", "DQT", "APP0"):
        assert proves_nothing(judged(with_box_hashes(signer, excluded)), "leaves out more than metadata")
    custody = judged(with_box_hashes(signer, "APP1", "COM").replace(b"a comment", b"a Comment"))
    assert custody.bottom_line is BottomLine.TRUSTED
    assert "metadata (APP1, COM)" in gaps(custody)["unbound-bytes"]


@pytest.mark.parametrize("listed", [3, -2, -1])
def test_box_hashes_that_end_before_the_picture_does(signer: made.Credential, judged: Judged, listed: int) -> None:
    assert proves_nothing(judged(with_box_hashes(signer, listed=listed)), "leaves out more than metadata")


def test_behind_the_end_box_hashes_bind_nothing(signer: made.Credential, judged: Judged) -> None:
    signed = with_box_hashes(signer)
    custody = judged(signed)
    assert (custody.bottom_line, gaps(custody)) == (BottomLine.TRUSTED, {})
    assert custody.links[-1].axes.intact.statement == "its boxes are those that were signed"
    custody = judged(signed + b"more")
    assert custody.bottom_line is BottomLine.TRUSTED
    assert gaps(custody) == {"unbound-tail": "4 bytes behind the picture's end are bound by nothing"}
    for padding in (0, 3):
        assert proves_nothing(
            judged(signed + bytes(padding) + OTHER), "behind the picture that was signed lies another"
        )


def test_chunks_behind_the_end_of_a_png_are_named(signer: made.Credential, judged: Judged) -> None:
    found = png_boxes()
    store = store_with("c2pa.hash.boxes", box_hashes(PNG, found, "IHDR"), signer)
    chunk = len(store).to_bytes(4, "big") + b"caBX" + store + b"\0\0\0\0"
    signed = PNG[: found[1][2]] + chunk + PNG[found[1][2] :]
    assert gaps(judged(signed)) == {}
    custody = judged(signed + b"\0\0\0\x05tEXta\0cat\0\0\0\0")
    assert custody.bottom_line is BottomLine.TRUSTED
    assert set(gaps(custody)) == {"unbound-tail"}


def test_boxes_behind_the_last_that_was_hashed_of_jpeg_xl(signer: made.Credential, judged: Judged) -> None:
    pytest.importorskip("pillow_jxl")
    plain = made.encoded(made.picture(), "JXL")
    found = [(one.kind.decode(), one.offset, one.end) for one in boxes(plain, 0, len(plain))]
    signed = plain[:32] + store_with("c2pa.hash.boxes", box_hashes(plain, found, "ftyp"), signer) + plain[32:]
    assert gaps(judged(signed)) == {}
    custody = judged(signed + box(b"Exif", b"\0\0\0\0"))
    assert (custody.bottom_line, set(gaps(custody))) == (BottomLine.TRUSTED, {"unbound-tail"})
    assert proves_nothing(judged(signed + box(b"jxlp", b"\0\0\0\0")), "leaves out more than metadata")


def test_a_bmff_hash_that_leaves_out_the_picture(signer: made.Credential, judged: Judged) -> None:
    plain = small_picture(MediaType.AVIF).content
    first = int.from_bytes(plain[:4], "big")
    kept = [{"xpath": "/uuid", "data": [{"offset": 8, "value": BMFF_UUID}]}, {"xpath": "/ftyp"}]

    def signed(*more: str) -> bytes:
        def file(digest: bytes) -> bytes:
            binding = {
                "exclusions": [*kept, *({"xpath": path} for path in more)],
                "alg": "sha256",
                "hash": digest,
                "name": "jumbf manifest",
            }
            store = store_with("c2pa.hash.bmff.v3", binding, signer)
            return plain[:first] + box(b"uuid", BMFF_UUID + bytes(4) + b"manifest\0" + bytes(8) + store) + plain[first:]

        content, digest = file(bytes(32)), hashlib.sha256()
        for one in boxes(content, 0, len(content)):
            if f"/{one.kind.decode()}" not in ("/uuid", "/ftyp", *more):
                digest.update(one.offset.to_bytes(8, "big") + content[one.offset : one.end])
        return file(digest.digest())

    custody = judged(signed())
    assert (custody.bottom_line, gaps(custody)) == (BottomLine.TRUSTED, {})
    for path in ("/mdat", "/meta"):
        assert proves_nothing(judged(signed(path)), "leaves out more than metadata")


@pytest.mark.parametrize("kind", EMBEDDABLE)
def test_what_the_library_leaves_out_of_every_format_is_no_gap(
    kind: MediaType, signer: made.Credential, judged: Judged
) -> None:
    plain = small_picture(kind).content
    if kind is MediaType.JXL and plain[:2] == b"\xff\x0a":
        plain = made.encoded(made.picture(), "JXL")
    custody = judged(made.sign(plain, made.created(), signer, media_type=kind.value).content)
    assert custody.bottom_line is BottomLine.TRUSTED
    assert not {"unbound-bytes", "unbound-tail"} & set(gaps(custody))


NODES = st.recursive(
    st.none() | st.integers() | st.just(Decimal("9e999999")) | st.text(max_size=4) | st.binary(max_size=4),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(["exclusions", "start", "length", "boxes", "names", "excluded", "xpath", "data", "merkle"]),
            inside,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["data", "boxes", "bmff", "bmff.v3"]), st.sampled_from([JPEG, PNG, b"\xff\x0a", OTHER[:99]]), NODES
)
def test_any_binding_is_read_without_an_exception(name: str, content: bytes, node: object) -> None:
    buffer = cbor2.dumps(node)
    assertion = StoredAssertion(f"c2pa.hash.{name}", buffer, (Box(b"cbor", 0, 0, len(buffer)),))
    unbound(StoredManifest(label="a", kind=Kind.STANDARD, assertions=(assertion,)), Asset.from_bytes(content))


@pytest.mark.parametrize(
    ("name", "read"), [("data", True), ("data.v2", True), ("data__1", True), ("data.vendor", False)]
)
def test_a_version_is_told_from_somebody_elses_name(name: str, read: bool) -> None:
    """And what overflows leaves out nobody knows what."""
    endless = {"start": Decimal("9e999999"), "length": Decimal("9e999999")}
    buffer = cbor2.dumps({"exclusions": [endless, endless]})
    assertion = StoredAssertion(f"c2pa.hash.{name}", buffer, (Box(b"cbor", 0, 0, len(buffer)),))
    found = unbound(StoredManifest(label="a", kind=Kind.STANDARD, assertions=(assertion,)), Asset.from_bytes(JPEG))
    assert bool(found.picture) is read
