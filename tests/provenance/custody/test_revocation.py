"""Revoked certificates: the responder is asked only on request, and both kinds of answer count."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import custody_assets as made
import pytest
from revocation_answers import Responder, answer, ocsp_server, responder

from assay.provenance.custody.certifying import certify
from assay.provenance.custody.chain import Answer, BottomLine, Custody, Standing
from assay.provenance.custody.supplementing import Supplements
from assay.provenance.jumbf.store import parse_store
from assay.provenance.trust import TrustPolicy

Judged = Callable[..., Custody]


@pytest.fixture
def server() -> Iterator[Responder]:
    with ocsp_server() as running:
        yield running


@pytest.fixture
def asking(policy: TrustPolicy) -> TrustPolicy:
    return replace(policy, online_revocation=True, private_hosts=frozenset({"127.0.0.1"}))


@pytest.fixture
def named(root: made.Credential, server: Responder) -> made.Credential:
    """A signer whose certificate names the responder."""
    return made.leaf(root, "Revocable", ocsp_url=server.url)


@pytest.fixture
def content(jpeg: bytes, named: made.Credential) -> bytes:
    return made.sign(jpeg, made.created(), named).content


@pytest.mark.parametrize("kind", ["delegated", "direct"])
def test_a_revoked_certificate_is_invalid_whoever_answers(
    kind: str,
    root: made.Credential,
    named: made.Credential,
    content: bytes,
    server: Responder,
    asking: TrustPolicy,
    judged: Judged,
) -> None:
    who = responder(root) if kind == "delegated" else root
    server.answer = lambda query: answer(named.certificate, root, who, revoked_at=made.NOW)
    custody = judged(content, asking)
    assert len(server.asked) == 1
    assert custody.bottom_line is BottomLine.INVALID
    assert custody.links[-1].axes.intact.answer is Answer.YES
    assert custody.links[-1].axes.trusted.codes == ("signingCredential.ocsp.revoked",)
    assert custody.links[-1].revocation_state == "revoked"
    assert "revoked" in custody.headline


def test_nobody_is_asked_unless_the_user_wants_it(
    content: bytes, server: Responder, policy: TrustPolicy, judged: Judged
) -> None:
    custody = judged(content, replace(policy, private_hosts=frozenset({"127.0.0.1"})))
    assert server.asked == []
    assert custody.bottom_line is BottomLine.TRUSTED
    assert custody.links[-1].revocation_state == "not-asked"


def test_a_good_answer_is_told(
    root: made.Credential,
    named: made.Credential,
    content: bytes,
    server: Responder,
    asking: TrustPolicy,
    judged: Judged,
) -> None:
    server.answer = lambda query: answer(named.certificate, root, root)
    custody = judged(content, asking)
    assert custody.bottom_line is BottomLine.TRUSTED
    assert custody.links[-1].revocation_state == "good"


def test_a_responder_that_does_not_know_the_certificate_takes_the_trust_away(
    root: made.Credential,
    named: made.Credential,
    content: bytes,
    server: Responder,
    asking: TrustPolicy,
    judged: Judged,
) -> None:
    server.answer = lambda query: answer(named.certificate, root, root, unknown=True)
    custody = judged(content, asking)
    assert custody.bottom_line is BottomLine.VALID
    assert custody.links[-1].now is Standing.VALID
    assert custody.links[-1].axes.trusted.answer is Answer.UNKNOWN
    assert custody.headline.endswith("but the responder does not know this certificate.")  # for a list knows the signer


def test_a_responder_that_is_down_is_shown(content: bytes, asking: TrustPolicy, judged: Judged) -> None:
    custody = judged(content, asking)
    assert custody.links[-1].revocation_state == "unreachable"
    assert "gave no answer" in custody.links[-1].axes.trusted.statement
    assert "signingCredential.ocsp.inaccessible" in custody.links[-1].axes.trusted.codes


def test_a_revoked_issuer_is_invalid_and_named(
    jpeg: bytes, root: made.Credential, server: Responder, asking: TrustPolicy, judged: Judged
) -> None:
    issuer = made.authority("Camera Issuer", root, ocsp_url=server.url)
    server.answer = lambda query: answer(issuer.certificate, root, root, revoked_at=made.NOW)
    custody = judged(made.sign(jpeg, made.created(), made.leaf(issuer)).content, asking)
    assert custody.bottom_line is BottomLine.INVALID
    assert custody.links[-1].axes.trusted.answer is Answer.NO
    assert custody.links[-1].axes.trusted.codes == ("signingCredential.untrusted",)
    assert custody.links[-1].revocation_state == "revoked"
    assert "the certificate of its issuer “Camera Issuer” was revoked" in custody.headline


def test_an_answer_brought_for_an_issuer_counts(jpeg: bytes, root: made.Credential, policy: TrustPolicy) -> None:
    issuer = made.authority("Camera Issuer", root)
    signer = made.leaf(issuer)
    store = parse_store(made.sign(jpeg, made.created(), signer).store)
    brought = {issuer.certificate.serial_number: (answer(issuer.certificate, root, root, revoked_at=made.NOW),)}
    found = certify(
        store.manifests[0],
        str(signer.certificate.serial_number),
        policy,
        validated=True,
        stamp=None,
        inherited=None,
        brought=Supplements({}, brought),
    )
    assert found.revocation is not None
    assert found.revocation.authority == "Camera Issuer"
