"""CAWG identity assertions: shown always, checked where that works, and never louder than what was checked."""

from pathlib import Path
from typing import Any

import cbor2
import custody_assets as made
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Answer, BottomLine, Status
from assay.provenance.custody.identities import identities
from assay.provenance.custody.verifying import verify
from assay.provenance.jumbf.boxes import Box
from assay.provenance.jumbf.cose import claim_signature
from assay.provenance.jumbf.store import Kind, StoredAssertion, StoredManifest
from assay.provenance.trust import NO_IDENTITY_LIST, Purpose, TrustPolicy, default_policy
from assay.provenance.trust.certificates import pem
from assay.provenance.trust.editing import add_list

URL = "self#jumbf=/c2pa/m/c2pa.assertions/cawg.identity"


def manifest(**content: Any) -> dict[str, Any]:
    return {"assertions": [{"label": "c2pa.actions.v2", "data": {}}, {"label": "cawg.identity", "data": content}]}


AGGREGATED = manifest(
    issuer="did:web:identities.example",
    verifiedIdentities=[
        {"type": "cawg.social_media", "username": "alice", "provider": {"name": "instagram"}},
        {"type": "cawg.document_verification", "name": "Alice A."},
        "nonsense",
    ],
    c2paAsset={"sig_type": "cawg.identity_claims_aggregation"},
)


@pytest.mark.parametrize(
    ("statuses", "answer", "said"),
    [
        ((), Answer.UNKNOWN, "nothing checked it"),
        ((Status("cawg.ica.did_unavailable", URL, True),), Answer.UNKNOWN, "could not be asked"),
        ((Status("cawg.ica.untrusted_issuer", URL, True),), Answer.UNKNOWN, "on no list for identities"),
        ((Status("cawg.ica.signature_mismatch", URL, True),), Answer.NO, "does not hold"),
        ((Status("cawg.ica.credential_valid", URL),), Answer.YES, "holds"),
    ],
)
def test_an_aggregated_identity_says_what_was_checked(statuses: tuple[Status, ...], answer: Answer, said: str) -> None:
    (found,) = identities(AGGREGATED, statuses, None, TrustPolicy())
    assert found.names == ("alice (instagram)", "Alice A.")
    assert found.issuer == "did:web:identities.example"
    assert found.answer is answer
    assert said in found.statement


def test_statuses_of_another_assertion_do_not_count() -> None:
    other = Status("cawg.ica.credential_valid", URL + "__1")
    (found,) = identities(AGGREGATED, (other,), None, TrustPolicy())
    assert found.answer is Answer.UNKNOWN


@pytest.mark.parametrize("content", [{}, {"signer_payload": 7}, {"verifiedIdentities": "x", "signature_info": []}])
def test_a_malformed_identity_is_shown_and_unchecked(content: dict[str, Any]) -> None:
    (found,) = identities(manifest(**content), (), None, TrustPolicy())
    assert found.answer is Answer.UNKNOWN
    assert found.names == ()


PEOPLE = made.authority("People Root")
ALICE, STRANGER = made.leaf(PEOPLE, "Alice Example"), made.leaf(made.authority("Unknown Root"), "Stranger")
PAYLOAD = {"referenced_assertions": [{"url": "self#jumbf=c2pa.assertions/c2pa.hash.data", "hash": bytes(32)}]} | {
    "sig_type": "cawg.x509.cose"
}
VALIDATED = tuple(Status(code, URL) for code in ("cawg.x509.signature.validated", "cawg.identity.well-formed"))


def chain(credential: made.Credential) -> list[bytes]:
    return [certificate.public_bytes(Encoding.DER) for certificate in credential.chain]


def signed_by(credential: made.Credential, unprotected: dict[object, object]) -> bytes:
    """A COSE signature over the payload that names Alice in its protected header."""
    header = cbor2.dumps({1: -7, 33: chain(ALICE)})
    message = cbor2.dumps(["Signature1", header, b"", cbor2.dumps(PAYLOAD)])
    r, s = decode_dss_signature(credential.key.sign(message, ec.ECDSA(SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return cbor2.dumps(cbor2.CBORTag(18, [header, unprotected, None, signature]))


def stored(signature: bytes, payload: bytes | None = None) -> StoredManifest:
    parts = ("signer_payload", PAYLOAD), ("signature", signature)
    content = b"\xa2" + b"".join(cbor2.dumps(part) for pair in parts for part in pair)
    content = content.replace(cbor2.dumps(PAYLOAD), payload or cbor2.dumps(PAYLOAD))
    boxes = (Box(b"cbor", 0, 0, len(content)),)
    return StoredManifest(label="m", kind=Kind.STANDARD, assertions=(StoredAssertion("cawg.identity", content, boxes),))


@pytest.mark.parametrize(
    ("assertion", "answer", "said"),
    [
        (stored(signed_by(ALICE, {})), Answer.YES, "its signature holds; vouched for by"),
        (stored(signed_by(STRANGER, {"x5chain": chain(STRANGER)})), Answer.NO, "not made with the key"),
        (stored(b"garbage"), Answer.UNKNOWN, "its signature could not be checked"),
        (
            stored(signed_by(STRANGER, {}), b"\xbf" + cbor2.dumps(PAYLOAD)[1:] + b"\xff"),
            Answer.UNKNOWN,
            "not be checked",
        ),
    ],
    ids=["her own", "a stranger's beside her certificate", "garbage", "over bytes that are written differently"],
)
def test_a_record_vouches_for_no_signature_on_an_identity(assertion: StoredManifest, answer: Answer, said: str) -> None:
    """Whoever takes a picture in writes the record of it, and the C2PA library is silent where there are two chains."""
    policy = TrustPolicy(lists=(made.trust_list(PEOPLE, purpose=Purpose.IDENTITY),))
    (found,) = identities(manifest(signer_payload=PAYLOAD), VALIDATED, assertion, policy)
    assert (found.answer, said in found.statement) == (answer, True), found.statement


def test_a_certificate_on_a_list_for_signers_is_no_identity(shared: Path) -> None:
    """The signature holds; whether the name means anything depends on lists for identities alone."""
    path = shared / "c2pa" / "c2pa-rs" / "C_with_CAWG_data.jpg"
    asset = Asset.open(path)
    (found,) = verify(asset, default_policy(development=False)).links[-1].identities
    assert found.kind == "cawg.x509.cose"
    assert found.answer is Answer.UNKNOWN
    assert "its signature holds, but" in found.statement
    assert found.names == ("C2PA Signer",)


def test_an_unreachable_identity_does_not_make_the_file_invalid(shared: Path) -> None:
    path = shared / "c2pa" / "example-assets" / "images" / "cloudscape-ACA-Cr.jpeg"
    custody = verify(Asset.open(path), default_policy(development=False))
    assert custody.sdk_state == "Invalid"
    assert custody.bottom_line is BottomLine.INCOMPLETE_HISTORY
    assert custody.links[-1].identities[0].answer is Answer.UNKNOWN


def test_without_a_list_for_identities_every_report_says_so(shared: Path) -> None:
    custody = verify(
        Asset.open(shared / "c2pa" / "c2pa-rs" / "C_with_CAWG_data.jpg"), default_policy(development=False)
    )
    (found,) = custody.links[-1].identities
    assert "no trust list for identities is in use" in found.statement
    assert NO_IDENTITY_LIST in custody.warnings


@pytest.mark.parametrize("place", [0, 1], ids=["the certificate itself, as publishers are listed", "its issuer"])
def test_a_list_for_identities_that_the_user_added_vouches(
    place: int, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    asset = Asset.open(shared / "c2pa" / "c2pa-rs" / "C_with_CAWG_data.jpg")
    store = verify(asset, default_policy(development=False)).store
    assert store is not None
    assertion = store.manifests[-1].find("cawg.identity")
    assert assertion is not None
    chain = claim_signature(cbor2.loads(assertion.content)["signature"]).chain
    (tmp_path / "list.pem").write_text(pem((chain[place],)))
    add_list("publishers", tmp_path / "list.pem", (Purpose.IDENTITY,))
    custody = verify(asset, default_policy(development=False))
    (found,) = custody.links[-1].identities
    assert found.answer is Answer.YES, found.statement
    assert "publishers" in found.statement
    assert NO_IDENTITY_LIST not in custody.warnings
    assert custody.bottom_line is BottomLine.VALID  # an identity never makes the signer of the claim a trusted one
