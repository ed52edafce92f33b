"""When a time counts as certified, and the words when it does not."""

from datetime import timedelta
from pathlib import Path

import pytest
from custody_assets import NOW, authority, leaf
from hypothesis import given, settings
from hypothesis import strategies as st
from time_stamping import response, time_stamper, token
from trust_lists import policy, time_list, trust_list

from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError
from assay.provenance.jumbf.containers import embedded_stores
from assay.provenance.jumbf.store import parse_store
from assay.provenance.trust import best_time, certified_time, default_policy

ROOT = authority("Time Root")
STAMPER = time_stamper(ROOT)
BELIEVED = policy(time_list(ROOT))
MESSAGE = b"the stamped bytes"
THEN = (NOW - timedelta(hours=5)).replace(microsecond=0)


def test_a_believed_authority_certifies_the_time_it_states() -> None:
    stamp = certified_time(token(MESSAGE, STAMPER, THEN), MESSAGE, BELIEVED)
    assert (stamp.certified, stamp.time, stamp.authority_name) == (True, THEN, "Test Time Stamper")
    assert stamp.codes == ("timeStamp.validated", "timeStamp.trusted")


def test_a_whole_response_is_read_like_a_bare_token() -> None:
    assert certified_time(response(token(MESSAGE, STAMPER, THEN)), MESSAGE, BELIEVED).certified


def test_an_unknown_authority_states_a_time_that_counts_for_nothing() -> None:
    stamp = certified_time(token(MESSAGE, time_stamper(authority("Other")), THEN), MESSAGE, BELIEVED)
    assert (stamp.intact, stamp.certified, stamp.time) == (True, False, THEN)
    assert stamp.codes == ("timeStamp.validated", "timeStamp.untrusted")


def test_a_signers_root_certifies_no_time() -> None:
    stamp = certified_time(token(MESSAGE, STAMPER, THEN), MESSAGE, policy(trust_list(ROOT)))
    assert (stamp.intact, stamp.certified) == (True, False)


def test_a_claim_signer_certifies_no_time() -> None:
    stamp = certified_time(token(MESSAGE, leaf(ROOT), THEN), MESSAGE, policy(time_list(ROOT), trust_list(ROOT)))
    assert not stamp.certified


def test_a_stamp_for_another_signature_is_a_mismatch() -> None:
    stamp = certified_time(token(b"other bytes", STAMPER, THEN), MESSAGE, BELIEVED)
    assert (stamp.certified, stamp.codes) == (False, ("timeStamp.mismatch",))


def test_a_time_outside_the_authoritys_own_validity_does_not_count() -> None:
    stamp = certified_time(token(MESSAGE, STAMPER, NOW - timedelta(days=90)), MESSAGE, BELIEVED)
    assert (stamp.certified, stamp.codes[-1]) == (False, "timeStamp.outsideValidity")


def test_the_token_must_name_the_certificate_that_signed_it() -> None:
    stamp = certified_time(token(MESSAGE, STAMPER, THEN, named=b"another certificate"), MESSAGE, BELIEVED)
    assert (stamp.intact, stamp.codes) == (False, ("timeStamp.malformed",))


def test_a_time_written_over_after_stamping_breaks_the_token() -> None:
    written = f"{THEN:%Y%m%d%H%M%S}Z".encode()
    assert TOKEN.count(written) == 1
    moved = TOKEN.replace(written, f"{THEN - timedelta(hours=3):%Y%m%d%H%M%S}Z".encode())
    stamp = certified_time(moved, MESSAGE, BELIEVED)
    assert (stamp.intact, stamp.certified, stamp.codes) == (False, False, ("timeStamp.malformed",))


def test_a_signature_over_content_of_another_type_is_no_time_stamp() -> None:
    """An authority's key may have signed other things; only what it signed as a time stamp is one."""
    assert not certified_time(token(MESSAGE, STAMPER, THEN, signed_type="data"), MESSAGE, BELIEVED).intact


def test_the_best_of_several_is_chosen_and_none_of_none() -> None:
    good, foreign = token(MESSAGE, STAMPER, THEN), token(MESSAGE, time_stamper(authority("Other")), NOW)
    best = best_time([(b"junk", MESSAGE), (foreign, MESSAGE), (good, MESSAGE)], BELIEVED)
    assert best is not None
    assert (best.certified, best.time) == (True, THEN)
    assert best_time([], BELIEVED) is None


@pytest.mark.parametrize("junk", [b"", b"\x30\x80", b"\x30\x03\x02\x01\x00", b"A" * 100_000])
def test_what_is_no_token_is_malformed(junk: bytes) -> None:
    assert certified_time(junk, MESSAGE, BELIEVED).codes == ("timeStamp.malformed",)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_altered_byte_of_a_token_moves_the_certified_time(data: st.DataObject) -> None:
    content = bytearray(TOKEN)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    stamp = certified_time(bytes(content), MESSAGE, BELIEVED)
    assert not stamp.certified or stamp.time == THEN  # what the signature does not cover may vary


TOKEN = token(MESSAGE, STAMPER, THEN)


def test_public_samples_are_stamped_as_their_vendors_say(shared: Path) -> None:
    """32 distinct tokens of DigiCert's and Adobe's authorities; the five broken ones lie in files made to be broken."""
    believed, seen, intact, certified = default_policy(development=False), set(), 0, 0
    for path in sorted((shared / "c2pa").rglob("*")):
        try:
            asset = Asset.open(path)
            store = parse_store(embedded_stores(asset.content, asset.media_type)[-1].store)
        except (AssayError, IndexError):
            continue
        for manifest in store.manifests:
            for stamp in manifest.signature.stamps if manifest.signature else ():
                if stamp.der in seen or manifest.signature is None:
                    continue
                seen.add(stamp.der)
                told = certified_time(stamp.der, manifest.signature.stamped(stamp, manifest.claim), believed)
                intact += told.intact
                certified += told.certified
    assert len(seen) >= 32
    assert (intact, certified) >= (30, 30)
