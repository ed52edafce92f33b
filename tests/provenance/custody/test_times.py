"""Expired with and without a time stamp: certificates that die while the test waits, stamps from an authority on loopback."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import custody_assets as made
import pytest
from time_stamping import time_authority, time_stamper

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Answer, BottomLine, Custody, Requirement, Standing
from assay.provenance.custody.verifying import verify
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
    from dataclasses import replace

    from assay.provenance.custody.certifying import stamp_of
    from assay.provenance.jumbf.containers import embedded_stores
    from assay.provenance.jumbf.store import parse_store
    from assay.provenance.media_type import MediaType

    def stored(content: bytes):
        return parse_store(embedded_stores(content, MediaType.JPEG)[-1].store).manifests[-1]

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
