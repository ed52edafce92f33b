"""CAWG identity assertions: shown always, checked where that works, and never louder than what was checked."""

from pathlib import Path
from typing import Any

import cbor2
import pytest

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import Answer, BottomLine, Status
from assay.provenance.custody.identities import identities
from assay.provenance.custody.verifying import verify
from assay.provenance.jumbf.cose import claim_signature
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
