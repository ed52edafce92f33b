"""Signing: what is written, what survives, what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cbor2
import custody_assets
import pytest
from signing_assets import actions, active, picture, read
from signing_certificates import make

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import BottomLine
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import OutputRefused, SigningFailed
from assay.provenance.signing import Action, CallbackSigner, Prompt, Recipe, Signer, SoftwareAgent, key_signer, sign

MODEL = SoftwareAgent("example-model", "1.0")


def test_a_generated_picture_is_trusted_under_the_development_anchor(signer: Signer) -> None:
    signed = sign(picture(), Recipe.generated(MODEL, parameters={"seed": 7}), signer)
    reading = read(signed.asset)
    assert reading.state == "Trusted"
    assert signed.manifest_label == reading.report["active_manifest"]
    (action,) = actions(reading)
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert action["softwareAgent"] == {"name": "example-model", "version": "1.0"}
    assert action["parameters"] == {"io.readthedocs.assay.seed": 7}
    assert signed.development
    assert "nobody else trusts" in signed.warnings[0]


def test_a_prompt_stays_secret_unless_disclosed(signer: Signer) -> None:
    secret = Prompt("a very secret cat")
    signed = sign(picture(), Recipe.generated(MODEL, prompt=secret), signer)
    assert b"secret cat" not in signed.asset.content
    assert secret.salt not in signed.asset.content
    assert actions(read(signed.asset))[0]["parameters"] == {
        "io.readthedocs.assay.promptHash": secret.parameters()["promptHash"]
    }
    shown = sign(picture(), Recipe.generated(MODEL, prompt=Prompt("a public cat", disclosed=True)), signer)
    assert actions(read(shown.asset))[0]["parameters"] == {"io.readthedocs.assay.prompt": "a public cat"}


def test_an_upstream_manifest_becomes_the_parent(signer: Signer) -> None:
    upstream = sign(picture(), Recipe.generated(MODEL), signer)
    ours = sign(upstream.asset, Recipe.generated(SoftwareAgent("wrapper"), parameters={"request": "r1"}), signer)
    reading = read(ours.asset)
    assert reading.state == "Trusted"
    assert set(reading.report["manifests"]) == {upstream.manifest_label, ours.manifest_label}
    (parent,) = active(reading)["ingredients"]
    assert parent["relationship"] == "parentOf"
    assert parent["active_manifest"] == upstream.manifest_label
    assert [action["action"] for action in actions(reading)] == ["c2pa.opened"]
    assert verify(ours.asset).bottom_line is BottomLine.TRUSTED


def test_the_source_is_never_overwritten(signer: Signer, tmp_path: Path) -> None:
    source = tmp_path / "picture.png"
    source.write_bytes(picture().content)
    before = source.read_bytes()
    with pytest.raises(OutputRefused, match="source itself"):
        sign(Asset.open(source), Recipe.generated(MODEL), signer, into=source, overwrite=True)
    assert source.read_bytes() == before
    assert list(tmp_path.iterdir()) == [source]


def unresolved() -> bytes:
    """A picture with an identity whose DID nobody resolves: for the SDK that makes it invalid."""
    subject = {
        "id": "did:web:alice.invalid",
        "verifiedIdentities": [
            {
                "type": "cawg.social_media",
                "username": "alice",
                "uri": "https://example.invalid/alice",
                "verifiedAt": "2026-01-01T00:00:00Z",
                "provider": {"id": "https://example.invalid", "name": "example"},
            }
        ],
        "c2paAsset": {"referenced_assertions": [], "sig_type": "cawg.identity_claims_aggregation"},
    }
    credential = {
        "@context": ["https://www.w3.org/ns/credentials/v2", "https://cawg.io/identity/1.1/ica/context/"],
        "type": ["VerifiableCredential", "IdentityClaimsAggregationCredential"],
        "issuer": "did:web:identities.invalid",
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": subject,
    }
    header = cbor2.dumps({1: -8, 3: "application/vc"})  # EdDSA
    signature = cbor2.dumps(cbor2.CBORTag(18, [header, {}, json.dumps(credential).encode(), bytes(64)]))
    identity = {"signer_payload": subject["c2paAsset"], "signature": list(signature), "pad1": []}
    manifest = custody_assets.created()
    manifest["assertions"].append({"label": "cawg.identity", "data": identity})
    signer = custody_assets.leaf(custody_assets.authority())
    return custody_assets.sign(picture("JPEG").content, manifest, signer, check=False).content


def lost() -> bytes:
    """A picture whose ingredient names a manifest that is not there."""
    signer = custody_assets.leaf(custody_assets.authority())
    first = custody_assets.sign(picture("JPEG").content, custody_assets.created(), signer)
    parent = custody_assets.parent(first.content)
    content = custody_assets.sign(
        picture("JPEG").content, custody_assets.opened(), signer, ingredients=(parent,)
    ).content
    label = read(Asset.from_bytes(first.content)).report["active_manifest"].encode()
    return content.replace(b"/c2pa/" + label, b"/c2pa/" + label[:-4] + b"beef")


@pytest.mark.parametrize(
    ("broken", "code", "line"),
    [
        (unresolved, "cawg.ica.did_unavailable", BottomLine.VALID),
        (lost, "ingredient.manifest.missing", BottomLine.BROKEN_HISTORY),
    ],
)
def test_what_did_not_hold_of_a_source_is_recorded_and_no_reason_to_refuse(
    broken: Callable[[], bytes], code: str, line: BottomLine
) -> None:
    source = Asset.from_bytes(broken(), name="source.jpg")
    before = read(source)
    assert before.state == "Invalid"
    assert code in [status["code"] for status in before.report["validation_results"]["activeManifest"]["failure"]]
    own = make()
    signer = key_signer(own.chain.decode(), own.key_pem)  # on no list
    signed = sign(source, Recipe.published(), signer)
    edited = sign(picture(), Recipe.edited(source, agent=MODEL), signer)
    for made in (signed, edited, sign(signed.asset, Recipe.published(), signer)):
        assert verify(made.asset).bottom_line is line
    published = Recipe.published()
    faulty = replace(published, actions=(*published.actions, Action(label="c2pa.placed")))  # of no ingredient
    with pytest.raises(SigningFailed, match=r"after signing: assertion\.action\.ingredientMismatch: [^;]* \("):
        sign(source, faulty, signer)


def test_an_interrupt_while_a_key_elsewhere_signs_ends_the_work() -> None:
    def interrupted(message: bytes) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sign(picture(), Recipe.published(), CallbackSigner.of(make().chain.decode(), interrupted))
