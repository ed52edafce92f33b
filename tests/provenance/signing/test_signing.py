"""Signing: what is written, what survives, what is refused."""

from pathlib import Path

import pytest
from signing_assets import actions, active, picture, read
from signing_certificates import make

from assay.provenance.asset import Asset
from assay.provenance.custody.chain import BottomLine
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import OutputRefused
from assay.provenance.signing import CallbackSigner, Prompt, Recipe, Signer, SoftwareAgent, sign

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


def test_an_interrupt_while_a_key_elsewhere_signs_ends_the_work() -> None:
    def interrupted(message: bytes) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sign(picture(), Recipe.published(), CallbackSigner.of(make().chain.decode(), interrupted))
