"""What a signature says: honest types through edits, salted prompts that their owner can open, nothing of a person."""

import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path

import pytest
from provider_wire import broken_upstream, painting, png_data, said, signed_upstream

from assay.provenance.asset import Asset
from assay.provenance.generating.attesting import Terms, edit_type
from assay.provenance.generating.procedural import Procedural
from assay.provenance.generating.provider import ProviderFailed, Request, Result, Upstream
from assay.provenance.generating.receiving import decoded, received, upstream
from assay.provenance.media_type import MediaType
from assay.provenance.signing import Recipe, SoftwareAgent, SourceType, open_signer, sign

RESULT = Result(provider="p", model_requested="m")


def test_what_a_model_made_stays_so_through_corrections() -> None:
    synthetic, unknown = Asset.from_bytes(signed_upstream()), Asset.from_bytes(painting())
    trained, composite = SourceType.TRAINED_ALGORITHMIC_MEDIA, SourceType.COMPOSITE
    mixed, enhanced = SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA, SourceType.ALGORITHMICALLY_ENHANCED
    assert [edit_type(t, synthetic) for t in (trained, composite, enhanced)] == [trained, mixed, trained]
    assert [edit_type(t, unknown) for t in (trained, composite, enhanced)] == [mixed, composite, enhanced]
    assert edit_type(trained, Asset.from_bytes(broken_upstream())) == mixed  # a broken manifest proves nothing
    assert edit_type(trained, synthetic, unknown) == edit_type(trained, synthetic, unseen=True) == mixed
    assert [edit_type(t) for t in (trained, composite, enhanced)] == [trained, composite, enhanced]  # nothing went in


@pytest.mark.parametrize("media_type", [MediaType.PNG, MediaType.JPEG, MediaType.WEBP])
def test_unreadable_and_broken_manifests_are_told_apart_and_signed_over(media_type: MediaType) -> None:
    content = (
        Terms.of("dev:")
        .sign(Request(prompt="x"), RESULT, received(painting(media_type=media_type), provider="p"))
        .asset.content
    )
    assert upstream(Asset.from_bytes(content)) is Upstream.INTACT
    damages = {
        (b"trainedAlgorithmicMedia", b"trainedAlgorithmicMedix"): Upstream.BROKEN,  # an assertion was changed
        (b"c2pa.signature", b"c2qa.signature"): Upstream.BROKEN,
        (b"cbor", b"cbox"): Upstream.UNREADABLE,
    }
    for (old, new), state in damages.items():
        output = received(content.replace(old, new), provider="p")
        assert output.upstream is state
        told = said(Terms.of("dev:").sign(Request(prompt="x"), RESULT, output).asset.content)
        assert told.ours["receivedManifest"] == state
        assert told.ingredients[0][0] == "parentOf"


def test_the_owner_of_a_private_prompt_can_prove_it_from_the_signing_log(assay_home: Path) -> None:
    signed = Terms.of("dev:").sign(Request(prompt="a secret"), RESULT, received(painting(), provider="p"))
    lines = map(json.loads, (assay_home / "signing-log.jsonl").read_text().splitlines())
    entry = next(line for line in lines if line["sha256"] == signed.sha256)
    salt = bytes.fromhex(entry["opening"]["promptSalt"])
    assert said(signed.asset.content).ours["promptHash"] == hmac.new(salt, b"a secret", hashlib.sha256).hexdigest()


@pytest.mark.parametrize("own", [SourceType.DIGITAL_CAPTURE, SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA])
def test_what_an_intact_manifest_says_of_the_picture_is_not_outdone(own: str) -> None:
    asset = sign(Asset.from_bytes(painting()), Recipe.created(own, SoftwareAgent("m")), open_signer("dev:")).asset
    told = said(Terms.of("dev:").sign(Request(prompt="x"), RESULT, received(asset.content, provider="p")).asset.content)
    assert (told.labels, told.source_type) == (["c2pa.opened"], "compositeWithTrainedAlgorithmicMedia")


def test_parameters_that_name_a_person_are_left_out() -> None:
    request = Request(prompt="", parameters=(("user", "jane"), ("safety_identifier", "jane"), ("style", "vivid")))
    told = said(Terms.of("dev:").sign(request, RESULT, received(painting(), provider="p")).asset.content)
    assert told.ours["parameters"] == {"style": "vivid"}
    assert "promptHash" not in told.ours  # there was none


def test_a_manifest_beside_the_original_goes_along_into_the_history_of_its_edit(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    sign(
        Asset.from_bytes(painting(1)),
        Recipe.generated(SoftwareAgent("m")),
        open_signer("dev:"),
        into=photo,
        sidecar=True,
    )
    request = Request(prompt="warm", inputs=(Asset.open(photo),))
    result = Procedural().edit(request)
    told = said(Terms.of("dev:").sign(request, result, result.outputs[0]).asset.content)
    assert len(told.report["manifests"]) == 2


def test_base64_that_is_none_is_told() -> None:
    for text in ("AAA", "AA A", "A\nAA=", "%%%%", "AAAA====", "AAAA%AAA"):
        with pytest.raises(ProviderFailed, match="no base64"):
            decoded(text, provider="p")
    assert decoded("AAE=", provider="p") == b"\0\1"
    assert decoded("", provider="p") == b""


def test_signing_again_leaves_the_picture_data_alone_however_often() -> None:
    terms, content = Terms.of("dev:"), painting()
    for _ in range(3):
        content = terms.sign(Request(prompt="x"), RESULT, received(content, provider="p")).asset.content
    assert png_data(content) == png_data(painting())
    assert len(said(content).report["manifests"]) == 3


def test_a_thumbnail_only_on_request() -> None:
    output = received(painting(), provider="p")
    plain = Terms.of("dev:")
    assert "thumbnail" not in said(plain.sign(Request(prompt="x"), RESULT, output).asset.content).manifest
    wished = replace(plain, thumbnail=64)
    assert "thumbnail" in said(wished.sign(Request(prompt="x"), RESULT, output).asset.content).manifest


@pytest.mark.parametrize("disclosed", [False, True])
def test_further_prompts_stay_private_like_the_first(disclosed: bool) -> None:
    asked = (("negative_prompt", "secret a"), ("prompt_2", "secret b"), ("negative_prompt_3", "secret c"), ("steps", 4))
    request = Request(prompt="secret", parameters=asked)
    told = said(Terms.of("dev:", disclose_prompt=disclosed).sign(request, RESULT, received(painting(), provider="p")).asset.content)  # fmt: skip
    assert told.ours["parameters"] == (dict(asked) if disclosed else {"steps": 4})
    assert ("secret" in json.dumps(told.report)) is disclosed
