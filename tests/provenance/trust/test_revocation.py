"""Revocation: who may say so, when it counts, and that silence is never good news."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from custody_assets import NOW, Credential, authority, leaf
from hypothesis import given, settings
from hypothesis import strategies as st
from revocation_answers import Responder, answer, ocsp_server, responder
from trust_lists import chain, policy, trust_list

from assay.provenance.trust import Purpose, Revocation, RevocationState, judge, revocation

ROOT = authority("Root")
ISSUER = authority("Issuer", ROOT)
SIGNER = leaf(ISSUER)
RESPONDER = responder(ISSUER)
BELIEVED = policy(trust_list(ROOT))
LAST_WEEK = NOW - timedelta(days=7)


def looked_up(stapled: bytes | tuple[bytes, ...], **options: object) -> Revocation:
    answers = (stapled,) if isinstance(stapled, bytes) else stapled
    judgement = judge(chain(SIGNER), Purpose.CLAIM_SIGNING, BELIEVED)
    return revocation(judgement, chain(SIGNER), BELIEVED, stapled=answers, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("signer", "delegated"), [(ISSUER, False), (RESPONDER, True)])
def test_a_revocation_counts_whether_the_issuer_or_its_responder_signed_it(signer: Credential, delegated: bool) -> None:
    told = looked_up(answer(SIGNER.certificate, ISSUER, signer, revoked_at=LAST_WEEK))
    assert (told.state, told.delegated, told.source) == (RevocationState.REVOKED, delegated, "stapled")
    assert told.codes == ("signingCredential.ocsp.revoked",)
    assert told.reason == "keyCompromise"


@pytest.mark.parametrize("signer", [ISSUER, RESPONDER])
def test_a_good_answer_is_good(signer: Credential) -> None:
    told = looked_up(answer(SIGNER.certificate, ISSUER, signer))
    assert (told.state, told.codes) == (RevocationState.GOOD, ("signingCredential.ocsp.notRevoked",))


def test_a_revocation_after_the_certified_time_leaves_the_signature_good_and_is_told() -> None:
    stapled = answer(SIGNER.certificate, ISSUER, RESPONDER, revoked_at=LAST_WEEK)
    told = looked_up(stapled, at=LAST_WEEK - timedelta(days=1))
    assert told.state is RevocationState.GOOD
    assert "after the certified time" in told.statement
    assert looked_up(stapled, at=LAST_WEEK + timedelta(days=1)).state is RevocationState.REVOKED


def test_a_revocation_that_was_lifted_is_none() -> None:
    lifted = x509.ReasonFlags.remove_from_crl
    told = looked_up(answer(SIGNER.certificate, ISSUER, RESPONDER, revoked_at=LAST_WEEK, reason=lifted))
    assert told.state is RevocationState.GOOD


def test_unknown_stays_unknown() -> None:
    told = looked_up(answer(SIGNER.certificate, ISSUER, RESPONDER, unknown=True))
    assert (told.state, told.codes) == (RevocationState.UNKNOWN, ("signingCredential.ocsp.unknown",))


def test_nothing_attached_and_nobody_asked_is_told_as_that() -> None:
    told = looked_up(())
    assert (told.state, told.codes) == (RevocationState.NOT_ASKED, ("signingCredential.ocsp.skipped",))


def other_signers() -> dict[str, bytes]:
    stranger = authority("Issuer", ROOT)  # the same name, another key
    unauthorised = leaf(ISSUER, "Not a responder")
    expired = responder(ISSUER, start=NOW - timedelta(days=9), end=NOW - timedelta(days=8))
    good = {"certificate": SIGNER.certificate, "issuer": ISSUER}
    return {
        "by a stranger": answer(**good, signer=stranger),  # type: ignore[arg-type]
        "by a responder of another issuer": answer(**good, signer=responder(stranger)),  # type: ignore[arg-type]
        "by a certificate without the usage": answer(**good, signer=unauthorised),  # type: ignore[arg-type]
        "by an expired responder": answer(**good, signer=expired),  # type: ignore[arg-type]
        "by the signer itself": answer(**good, signer=SIGNER),  # type: ignore[arg-type]
        "about another certificate": answer(leaf(ISSUER).certificate, ISSUER, RESPONDER),
        "out of date": answer(
            SIGNER.certificate, ISSUER, RESPONDER, this_update=LAST_WEEK, next_update=NOW - timedelta(days=1)
        ),
        "from the future": answer(
            SIGNER.certificate,
            ISSUER,
            RESPONDER,
            this_update=NOW + timedelta(days=1),
            next_update=NOW + timedelta(days=2),
        ),
        "junk": b"\x30\x82\x00",
        "too large": b"\x30" * 100_000,
    }


@pytest.mark.parametrize(("why", "stapled"), list(other_signers().items()))
def test_an_answer_that_proves_nothing_is_not_good(why: str, stapled: bytes) -> None:
    assert looked_up(stapled).state is RevocationState.UNUSABLE, why


def test_a_revocation_among_good_answers_wins() -> None:
    good = answer(SIGNER.certificate, ISSUER, RESPONDER)
    bad = answer(SIGNER.certificate, ISSUER, ISSUER, revoked_at=LAST_WEEK)
    assert looked_up((b"junk", good, bad)).state is RevocationState.REVOKED


def test_an_answer_of_its_day_serves_a_signature_of_that_day() -> None:
    stapled = answer(
        SIGNER.certificate,
        ISSUER,
        RESPONDER,
        this_update=NOW - timedelta(hours=30),
        next_update=NOW - timedelta(hours=10),
    )
    assert looked_up(stapled, at=NOW - timedelta(hours=20)).state is RevocationState.GOOD
    assert looked_up(stapled).state is RevocationState.UNUSABLE


GOOD = answer(SIGNER.certificate, ISSUER, RESPONDER)


@pytest.mark.parametrize("own", [(), (GOOD,), (b"junk",)], ids=["silent", "good", "junk"])
@pytest.mark.parametrize("signer", [ROOT, responder(ROOT)], ids=["by the root", "by its responder"])
def test_a_revoked_issuer_is_told_by_name_and_weighs_as_much(own: tuple[bytes, ...], signer: Credential) -> None:
    told = looked_up((*own, answer(ISSUER.certificate, ROOT, signer, revoked_at=LAST_WEEK)))
    assert (told.state, told.authority) == (RevocationState.REVOKED, "Issuer")
    assert told.codes == ("signingCredential.untrusted",)
    assert told.statement.startswith("the certificate of its issuer “Issuer” was revoked on")


def test_an_issuer_revoked_after_the_certified_time_leaves_the_signature_good() -> None:
    stapled = (GOOD, answer(ISSUER.certificate, ROOT, ROOT, revoked_at=LAST_WEEK))
    told = looked_up(stapled, at=LAST_WEEK - timedelta(hours=1))
    assert told.state is RevocationState.GOOD
    assert "its issuer “Issuer”: revoked on" in told.statement


def test_an_issuer_that_its_responder_does_not_know_is_unknown() -> None:
    told = looked_up((GOOD, answer(ISSUER.certificate, ROOT, ROOT, unknown=True)))
    assert (told.state, told.authority) == (RevocationState.UNKNOWN, "Issuer")


def test_an_issuer_nobody_was_asked_about_is_told_beside_a_good_answer() -> None:
    told = looked_up(GOOD)
    assert told.state is RevocationState.GOOD
    assert "its issuer “Issuer”: revocation was not looked at" in told.statement


def test_an_answer_about_the_issuer_is_none_about_the_certificate() -> None:
    told = looked_up(answer(ISSUER.certificate, ROOT, ROOT))
    assert told.state is RevocationState.NOT_ASKED
    assert "its issuer “Issuer”: not revoked as of" in told.statement


def test_an_issuer_does_not_answer_for_itself_nor_the_anchor_at_all() -> None:
    told = looked_up((GOOD, answer(ISSUER.certificate, ROOT, ISSUER, revoked_at=LAST_WEEK)))
    assert told.state is RevocationState.GOOD
    assert "its issuer “Issuer”: there is a revocation answer, but it proves nothing" in told.statement
    told = looked_up((GOOD, answer(ROOT.certificate, ROOT, ROOT, revoked_at=LAST_WEEK)))
    assert told.state is RevocationState.GOOD  # it is on the list: whoever keeps the list strikes it off


def test_a_number_that_certificate_and_issuer_share_hides_no_revocation() -> None:
    """Serial numbers are the issuer's to choose: of two issuers, two certificates may have one number."""
    number = ISSUER.certificate.serial_number
    signer = leaf(ISSUER, serial=number)
    judgement = judge(chain(signer), Purpose.CLAIM_SIGNING, BELIEVED)
    stapled = (answer(signer.certificate, ISSUER, ISSUER, revoked_at=LAST_WEEK),)
    told = revocation(judgement, chain(signer), BELIEVED, stapled=stapled)
    assert (told.state, told.authority) == (RevocationState.REVOKED, "")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_altered_byte_of_a_revocation_makes_it_good(data: st.DataObject) -> None:
    content = bytearray(REVOKED)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    assert looked_up(bytes(content)).state is not RevocationState.GOOD


REVOKED = answer(SIGNER.certificate, ISSUER, ISSUER, revoked_at=LAST_WEEK)


@pytest.fixture
def server() -> Iterator[Responder]:
    with ocsp_server() as running:
        yield running


def asked(server: Responder, *, private: bool = True, online: bool = True, known: bool = True) -> Revocation:
    signer = leaf(ISSUER, ocsp_url=server.url)
    lists = (trust_list(ROOT),) if known else ()
    believed = policy(
        *lists, online_revocation=online, private_hosts=frozenset({"127.0.0.1"} if private else frozenset())
    )
    if server.answer(b"") == b"good":
        server.answer = lambda query: answer(signer.certificate, ISSUER, ISSUER)
    elif server.answer(b"") == b"revoked":
        server.answer = lambda query: answer(signer.certificate, ISSUER, ISSUER, revoked_at=LAST_WEEK)
    judgement = judge(chain(signer), Purpose.CLAIM_SIGNING, believed)
    return revocation(judgement, chain(signer), believed)


def test_a_responder_is_asked_only_when_the_policy_says_so(server: Responder) -> None:
    server.answer = lambda query: b"revoked"
    assert asked(server, online=False).state is RevocationState.NOT_ASKED
    assert server.asked == []


def test_a_revocation_signed_by_the_issuer_itself_counts_though_the_sdk_drops_it(server: Responder) -> None:
    server.answer = lambda query: b"revoked"
    told = asked(server)
    assert (told.state, told.source, told.delegated) == (RevocationState.REVOKED, server.url, False)


def test_a_good_answer_from_a_responder(server: Responder) -> None:
    server.answer = lambda query: b"good"
    assert asked(server).state is RevocationState.GOOD
    assert len(server.asked) == 1


@pytest.mark.parametrize("said", [None, b"", b"<html>", b"x" * 200_000])
def test_a_responder_that_fails_is_told_and_is_not_good(server: Responder, said: bytes | None) -> None:
    server.answer = lambda query: said
    told = asked(server)
    assert (told.state, told.codes) == (RevocationState.UNREACHABLE, ("signingCredential.ocsp.inaccessible",))


def test_a_responder_that_fails_is_not_waited_for_twice(server: Responder) -> None:
    signer = leaf(ISSUER, ocsp_url=server.url)
    believed = policy(trust_list(ROOT), online_revocation=True, private_hosts=frozenset({"127.0.0.1"}))
    judgement = judge(chain(signer), Purpose.CLAIM_SIGNING, believed)
    for _ in range(5):
        assert revocation(judgement, chain(signer), believed).state is RevocationState.UNREACHABLE
    assert len(server.asked) == 1


def test_a_responder_on_a_private_address_is_not_asked(server: Responder) -> None:
    server.answer = lambda query: b"good"
    assert asked(server, private=False).state is RevocationState.UNREACHABLE
    assert server.asked == []


@pytest.mark.parametrize(
    ("revoked", "state"), [(False, RevocationState.GOOD), (True, RevocationState.REVOKED)], ids=["good", "revoked"]
)
def test_the_responder_that_an_issuer_names_is_asked_about_it(
    server: Responder, revoked: bool, state: RevocationState
) -> None:
    issuer = authority("Sub", ROOT, ocsp_url=server.url)
    signer = leaf(issuer, ocsp_url=server.url)
    answers = {
        signer.certificate.serial_number: answer(signer.certificate, issuer, issuer),
        issuer.certificate.serial_number: answer(
            issuer.certificate, ROOT, ROOT, revoked_at=LAST_WEEK if revoked else None
        ),
    }
    server.answer = lambda query: answers[ocsp.load_der_ocsp_request(query).serial_number]
    believed = policy(trust_list(ROOT), online_revocation=True, private_hosts=frozenset({"127.0.0.1"}))
    judgement = judge(chain(signer), Purpose.CLAIM_SIGNING, believed)
    told = revocation(judgement, chain(signer), believed)
    assert (told.state, len(server.asked)) == (state, 2)
    assert "its issuer “Sub”" in told.statement


def asked_beside(server: Responder, *, attached: str) -> Revocation:
    signer = leaf(ISSUER, ocsp_url=server.url)
    answers = {
        "good": answer(signer.certificate, ISSUER, RESPONDER),
        "unknown": answer(signer.certificate, ISSUER, RESPONDER, unknown=True),
        "revoked": answer(signer.certificate, ISSUER, RESPONDER, revoked_at=LAST_WEEK),
    }
    said = server.answer(b"")
    server.answer = lambda query: answers.get(said.decode()) if said else None
    believed = policy(trust_list(ROOT), online_revocation=True, private_hosts=frozenset({"127.0.0.1"}))
    judgement = judge(chain(signer), Purpose.CLAIM_SIGNING, believed)
    return revocation(judgement, chain(signer), believed, stapled=(answers[attached],))


@pytest.mark.parametrize(
    ("attached", "said", "state", "questions"),
    [
        ("good", b"revoked", RevocationState.REVOKED, 1),  # attached then, revoked since
        ("unknown", b"good", RevocationState.GOOD, 1),
        ("revoked", b"good", RevocationState.REVOKED, 0),
        ("good", None, RevocationState.GOOD, 1),
        ("unknown", None, RevocationState.UNKNOWN, 1),
    ],
)
def test_who_asks_hears_the_answer_of_today_and_an_attached_revocation_stands(
    server: Responder, attached: str, said: bytes | None, state: RevocationState, questions: int
) -> None:
    server.answer = lambda query: said
    told = asked_beside(server, attached=attached)
    assert (told.state, len(server.asked)) == (state, questions)
    assert ("gave no answer" in told.statement) == (said is None)


def test_a_certificate_that_no_list_knows_makes_assay_ask_nobody(server: Responder) -> None:
    """Anybody can write any URL into a certificate of their own."""
    server.answer = lambda query: b"good"
    assert asked(server, known=False).state is RevocationState.NOT_ASKED
    assert server.asked == []


def test_one_certificate_is_asked_for_once(server: Responder) -> None:
    signer = leaf(ISSUER, ocsp_url=server.url)
    server.answer = lambda query: answer(signer.certificate, ISSUER, RESPONDER)
    believed = policy(trust_list(ROOT), online_revocation=True, private_hosts=frozenset({"127.0.0.1"}))
    judgement = judge(chain(signer), Purpose.CLAIM_SIGNING, believed)
    for _ in range(5):
        assert revocation(judgement, chain(signer), believed).state is RevocationState.GOOD
    assert len(server.asked) == 1
    assert ROOT.certificate.public_bytes(Encoding.DER) not in server.asked[0]
