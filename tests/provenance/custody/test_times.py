"""Expired with and without a time stamp: certificates that die while the test waits, stamps from an authority on loopback."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import cbor2
import custody_assets as made
import pytest
from revocation_answers import answer
from time_stamping import time_authority, time_stamper, token

from assay.provenance.asset import Asset
from assay.provenance.custody.certifying import certify, stamp_of
from assay.provenance.custody.chain import Answer, BottomLine, Custody, Requirement, Standing
from assay.provenance.custody.supplementing import Supplements
from assay.provenance.custody.verifying import verify
from assay.provenance.jumbf.containers import embedded_stores
from assay.provenance.jumbf.cose import TimeStampToken
from assay.provenance.jumbf.store import StoredManifest, parse_store
from assay.provenance.media_type import MediaType
from assay.provenance.trust import Purpose, TrustPolicy

Judged = Callable[..., Custody]


@dataclass(frozen=True)
class Expired:
    """Files whose signer's certificate has expired since."""

    bare: bytes
    stamped: bytes
    child: bytes  # of `bare`, stamped while its parent's certificate was valid
    unstamped_child: bytes
    time_root: made.Credential


@pytest.fixture(scope="module")
def expired(root: made.Credential, signer: made.Credential, jpeg: bytes) -> Iterator[Expired]:
    end = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0)
    short = made.leaf(root, "Short-lived", end=end)
    time_root = made.authority("Time Root")
    lists = (made.trust_list(root), made.trust_list(time_root, purpose=Purpose.TIME_STAMPING))
    anchors = TrustPolicy(lists=lists).anchors()
    with time_authority(time_stamper(time_root), datetime.now(UTC) - timedelta(seconds=1)) as authority:
        bare = made.sign(jpeg, made.created(), short, anchors=anchors).content
        stamped = made.sign(jpeg, made.created(), short, anchors=anchors, tsa_url=authority.url).content
        source = (made.parent(bare),)
        child = made.sign(
            jpeg, made.opened(), signer, ingredients=source, anchors=anchors, tsa_url=authority.url
        ).content
        unstamped = made.sign(jpeg, made.opened(), signer, ingredients=source, anchors=anchors).content
    while datetime.now(UTC) <= end + timedelta(seconds=1):
        time.sleep(0.1)
    return Expired(bare, stamped, child, unstamped, time_root)


@pytest.fixture
def timed(root: made.Credential, expired: Expired) -> TrustPolicy:
    times = made.trust_list(expired.time_root, purpose=Purpose.TIME_STAMPING)
    return TrustPolicy(lists=(made.trust_list(root), times))


def stored(content: bytes) -> StoredManifest:
    return parse_store(embedded_stores(content, MediaType.JPEG)[-1].store).manifests[-1]


def beforehand(manifest: StoredManifest, time_root: made.Credential) -> bytes:
    """A stamp over what is public before anybody signs: the claim and the protected header."""
    assert manifest.signature is not None
    message = cbor2.dumps(["CounterSignature", manifest.signature.protected, b"", manifest.claim])
    return token(message, time_stamper(time_root), made.NOW - timedelta(hours=1))


def test_expired_without_a_stamp_is_invalid_and_not_tampered(expired: Expired, judged: Judged) -> None:
    custody = judged(expired.bare)
    assert custody.bottom_line is BottomLine.INVALID
    axes = custody.links[-1].axes
    assert (axes.intact.answer, axes.authentic.answer, axes.timely.answer) == (Answer.YES, Answer.YES, Answer.NO)
    assert "no time stamp says when it was used" in custody.headline
    assert "signingCredential.expired" in axes.timely.codes
    assert custody.meets(Requirement.INTACT)
    assert not custody.meets(Requirement.VALID)


def test_expired_with_a_trusted_stamp_is_trusted(expired: Expired, timed: TrustPolicy, judged: Judged) -> None:
    custody = judged(expired.stamped, timed)
    assert custody.bottom_line is BottomLine.TRUSTED
    link = custody.links[-1]
    assert link.certified_time is not None
    assert link.time_authority == "Test Time Stamper"
    assert "timeStamp.trusted" in link.axes.timely.codes
    assert link.claimed_time == ""


def test_expired_with_a_stamp_of_an_unknown_authority_is_invalid(expired: Expired, judged: Judged) -> None:
    custody = judged(expired.stamped)
    assert custody.bottom_line is BottomLine.INVALID
    assert custody.links[-1].certified_time is None
    assert "is not believed" in custody.links[-1].axes.timely.statement
    assert "timeStamp.untrusted" in custody.links[-1].axes.timely.codes


def test_an_authority_on_the_list_of_signers_certifies_no_time(
    root: made.Credential, expired: Expired, judged: Judged
) -> None:
    custody = judged(expired.stamped, TrustPolicy(lists=(made.trust_list(root, expired.time_root),)))
    assert custody.bottom_line is BottomLine.INVALID
    assert custody.links[-1].certified_time is None


def test_an_expired_source_lives_on_the_stamp_of_what_was_made_from_it(
    expired: Expired, timed: TrustPolicy, judged: Judged
) -> None:
    custody = judged(expired.child, timed)
    assert [link.now for link in custody.links] == [Standing.TRUSTED, Standing.TRUSTED]
    assert custody.bottom_line is BottomLine.TRUSTED
    assert custody.links[0].certified_time is None
    assert "something made from it was time-stamped" in custody.links[0].axes.timely.statement


def test_without_that_stamp_the_expired_source_makes_the_chain_invalid(
    expired: Expired, timed: TrustPolicy, judged: Judged
) -> None:
    custody = judged(expired.unstamped_child, timed)
    assert [link.now for link in custody.links] == [Standing.INVALID, Standing.TRUSTED]
    assert custody.links[0].recorded is Standing.TRUSTED
    assert custody.bottom_line is BottomLine.INVALID
    assert "parent.jpg" in custody.headline


def test_the_stamp_of_one_signature_does_not_serve_another(
    expired: Expired, timed: TrustPolicy, root: made.Credential, jpeg: bytes
) -> None:
    """The unprotected header is anybody's to write: a stamp moved there from another file is a mismatch."""
    stamped, bare = stored(expired.stamped), stored(expired.bare)
    assert stamped.signature is not None
    assert bare.signature is not None
    moved = replace(bare, signature=replace(bare.signature, stamps=stamped.signature.stamps))
    found = stamp_of(moved, timed)
    assert found is not None
    assert not found.certified
    assert found.codes == ("timeStamp.mismatch",)
    kept = stamp_of(stamped, timed)
    assert kept is not None
    assert kept.certified


def test_a_fixed_clock_judges_the_past(root: made.Credential, jpeg: bytes, signed: made.Signed) -> None:
    then = TrustPolicy(lists=(made.trust_list(root),), now=made.NOW - timedelta(days=30))
    custody = verify(Asset.from_bytes(signed.content), then)
    assert custody.links[-1].axes.timely.answer is Answer.NO


def test_a_stamp_that_may_be_older_than_the_signature_saves_no_expired_certificate(
    expired: Expired, timed: TrustPolicy, judged: Judged
) -> None:
    """The C2PA library takes such a stamp on a version 2 claim too."""
    manifest = stored(expired.bare)
    assert (manifest.claim_label, manifest.signature is not None) == ("c2pa.claim.v2", True)
    start = expired.bare.rindex(b"\xd2\x84", 0, expired.bare.index(manifest.signature.protected))
    stream = io.BytesIO(expired.bare[start:])
    protected, _, payload, signature = cbor2.CBORDecoder(stream).decode().value
    size, stamps = stream.tell(), {"tstTokens": [{"val": beforehand(manifest, expired.time_root)}]}

    def message(padding: int, more: int) -> bytes:
        header = {"sigTst": stamps, "pad": bytes(padding), "pad2": bytes(more)}
        return cbor2.dumps(cbor2.CBORTag(18, [protected, header, payload, signature]))

    sizes = (
        (n, more) for more in range(2) for n in range(size, 0, -1)
    )  # where a length takes a byte more, `pad` alone skips one
    new = next(made for pads in sizes if len(made := message(*pads)) == size)
    custody = judged(expired.bare[:start] + new + expired.bare[start + size :], timed)
    assert custody.sdk_state == "Trusted"
    assert custody.bottom_line is BottomLine.INVALID
    assert custody.links[-1].certified_time is None
    assert "over the claim alone" in custody.headline


def test_what_an_old_stamp_says_of_an_old_claim_is_told_as_that(
    expired: Expired, timed: TrustPolicy, root: made.Credential, signer: made.Credential, signed: made.Signed
) -> None:
    bare = stored(signed.content)
    assert bare.signature is not None
    old = replace(
        bare,
        claim_label="c2pa.claim",
        signature=replace(
            bare.signature,
            stamps=(TimeStampToken(1, beforehand(bare, expired.time_root)),),
            ocsp_responses=(answer(signer.certificate, root, root, revoked_at=made.NOW),),
        ),
    )
    stamp = stamp_of(old, timed)
    assert stamp is not None
    assert stamp.certified
    assert stamp.statement.startswith("its claim was certified by Test Time Stamper at")
    serial = str(signer.certificate.serial_number)
    found = certify(old, serial, timed, validated=True, stamp=stamp, inherited=None, brought=Supplements())
    assert found.revocation is not None
    assert "after the certified time of signing; that time is its claim's" in found.revocation.statement
