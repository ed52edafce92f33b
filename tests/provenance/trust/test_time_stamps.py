"""When a time counts as certified, and the words when it does not."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import algos, cms, parser, tsp
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
from assay.provenance.trust.der import Malformed, encoded, only
from assay.provenance.trust.tokens import Token, issuer_and_serial, pss_parameters, read_token

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
FOREIGN = token(MESSAGE, time_stamper(authority("Other")), THEN)
ELSEWHERE = token(b"other bytes", STAMPER, THEN)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from((FOREIGN, ELSEWHERE)), st.data())
def test_no_damage_raises_or_makes_a_token_count(stamp: bytes, data: st.DataObject) -> None:
    """Bytes replaced, left out, put in or cut off, also in a token of ours that stamps something else."""
    content = bytearray(stamp)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(1, len(content))) :]
    assert not certified_time(bytes(content), MESSAGE, BELIEVED).certified


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(TOKEN)))
def test_a_token_cut_anywhere_and_continued_at_will_never_counts(tail: bytes, kept: int) -> None:
    changed = TOKEN[:kept] + tail
    assert changed == TOKEN or not certified_time(changed, MESSAGE, BELIEVED).certified


@pytest.mark.parametrize("wrap", [bytes, response])
def test_the_reader_sees_what_asn1crypto_sees(wrap: Callable[[bytes], bytes]) -> None:
    for stamp in (TOKEN, token(MESSAGE, STAMPER, THEN, nonce=2**62 + 1)):
        _assert_same_fields(read_token(wrap(stamp)), stamp)


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("salt", [20, 32, 64, 200])
def test_pss_parameters_are_those_that_were_written(name: str, salt: int) -> None:
    mask = {"algorithm": "mgf1", "parameters": {"algorithm": name}}
    written = algos.RSASSAPSSParams(
        {"hash_algorithm": {"algorithm": name}, "mask_gen_algorithm": mask, "salt_length": salt}
    )
    digest, masked, length = pss_parameters(written.dump())
    assert digest.hash is not None
    assert masked.hash is not None
    assert (digest.hash.name, masked.hash.name, length) == (name, name, salt)


def test_pss_parameters_left_to_their_defaults_are_sha1_and_refused() -> None:
    with pytest.raises(Malformed):
        pss_parameters(b"\x30\x00")


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x04\x80\x00\x00",  # indefinite length
        b"\x04\x81\x01A",  # not the shortest form
        b"\x04\x82\x00\x80" + b"A" * 128,  # a leading zero
        b"\x04\x02A",  # beyond its holder
        b"\x04\x01AB",  # something follows
        b"\x04",
        b"\x04\x84\xff\xff",
        b"\x04\x85\x01\x00\x00\x00\x00",
    ],
)
def test_what_is_not_der_is_refused(wrong: bytes) -> None:
    with pytest.raises(Malformed):
        only(wrong, 0x04)


@given(st.sampled_from((0x02, 0x04, 0x30, 0xA0)), st.binary(max_size=70_000) | st.integers(0, 70_000).map(bytes))
def test_what_is_written_is_read_back(tag: int, content: bytes) -> None:
    assert only(encoded(tag, content), tag) == content
    assert parser.parse(encoded(tag, content), strict=True)[4] == content


def _bare(der: bytes) -> bytes | None:
    """The token in what a claim stores, as asn1crypto takes it apart; None where it cannot."""
    try:
        if cms.ContentInfo.load(der, strict=True)["content_type"].native == "signed_data":
            return der
    except ValueError:
        pass
    try:
        return bytes(tsp.TimeStampResp.load(der, strict=True)["time_stamp_token"].dump())
    except ValueError:
        return None


def _assert_same_fields(read: Token, stamp: bytes) -> None:
    signed = cms.ContentInfo.load(stamp, strict=True)["content"]
    (signer,) = signed["signer_infos"]
    content = signed["encap_content_info"]["content"]
    told, nonce = content.parsed, read.information.nonce
    assert read.der == stamp
    assert read.content == content.contents
    assert read.information.time == told["gen_time"].contents
    assert read.information.imprint == told["message_imprint"]["hashed_message"].native
    assert read.information.hash.oid == told["message_imprint"]["hash_algorithm"]["algorithm"].contents
    assert (int.from_bytes(nonce, "big", signed=True) if nonce else None) == told["nonce"].native
    certificates = [choice.chosen for choice in signed["certificates"]]
    assert read.certificates == tuple(certificate.dump() for certificate in certificates)
    for certificate in certificates:
        number = certificate["tbs_certificate"]["serial_number"].contents
        assert issuer_and_serial(certificate.dump()) == (certificate.issuer.dump(), number)
    assert (read.signer.issuer, read.signer.serial) == (
        signer["sid"].chosen["issuer"].dump(),
        signer["sid"].chosen["serial_number"].contents,
    )
    assert read.signer.signed == b"\x31" + signer["signed_attrs"].dump()[1:]
    assert read.signer.attributes == {
        attribute["type"].contents: attribute["values"].contents for attribute in signer["signed_attrs"]
    }
    assert read.signer.digest.oid == signer["digest_algorithm"]["algorithm"].contents
    assert read.signer.algorithm.oid == signer["signature_algorithm"]["algorithm"].contents
    assert read.signer.signature == signer["signature"].native


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
                if (bare := _bare(stamp.der)) is not None:
                    _assert_same_fields(read_token(stamp.der), bare)
                told = certified_time(stamp.der, manifest.signature.stamped(stamp, manifest.claim), believed)
                intact += told.intact
                certified += told.certified
    assert len(seen) >= 32
    assert (intact, certified) >= (30, 30)
