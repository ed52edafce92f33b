"""The adapters that speak OpenAI's interface, over HTTP: what they ask, what they make of every kind of answer."""

import base64
import io
import time

import openai
import pytest
from PIL import ExifTags, Image
from provider_wire import Wire, b64, broken_upstream, painting, reply, signed_upstream
from werkzeug import Request as Sent
from werkzeug import Response

from assay.provenance.asset import Asset
from assay.provenance.generating.azure import connect as connect_azure
from assay.provenance.generating.mai import connect as connect_mai
from assay.provenance.generating.openai import OpenAIImages
from assay.provenance.generating.openai import connect as connect_openai
from assay.provenance.generating.provider import (
    CannotDo,
    Connection,
    ProviderFailed,
    Refusal,
    Request,
    Stage,
    Upstream,
)
from assay.provenance.generating.providers import ask, open_provider
from assay.provenance.media_type import MediaType

USAGE = {"input_tokens": 9, "output_tokens": 100, "total_tokens": 109, "input_tokens_details": {"text_tokens": 9, "image_tokens": 0}}  # fmt: skip


def images(*contents: bytes, **more: object) -> Response:
    body = {"created": 1, "data": [{"b64_json": b64(c)} for c in contents], "usage": USAGE, "size": "96x64"} | more
    return reply(body, headers={"x-request-id": "req_1"})


def provider(wire: Wire, **options: object) -> OpenAIImages:
    settings = {"max_retries": 0, "timeout": 5.0} | options
    return OpenAIImages(openai.OpenAI(api_key="sk-test", base_url=f"{wire.url}/v1", **settings))  # type: ignore[arg-type]


def test_several_pictures_arrive_untouched_with_everything_that_was_said_about_them(wire: Wire) -> None:
    wire.answer(images(painting(1), painting(2), quality="high", model="gpt-image-x-2026"))
    request = Request(prompt="two", model="gpt-image-x", count=2, size=(96, 64), output_format=MediaType.WEBP)
    result = provider(wire).generate(request)
    sent = wire.requests[0].json
    assert sent == {"prompt": "two", "model": "gpt-image-x", "n": 2, "size": "96x64", "output_format": "webp"}
    assert [o.content for o in result.outputs] == [painting(1), painting(2)]
    assert (result.model_requested, result.model_returned) == ("gpt-image-x", "gpt-image-x-2026")
    assert result.request_id == "req_1"
    assert dict(result.usage)["output_tokens"] == 100
    assert dict(result.parameters) == {"size": "96x64", "quality": "high"}
    assert result.refusal is None


@pytest.mark.parametrize(
    ("content", "state"),
    [(painting, Upstream.NONE), (signed_upstream, Upstream.INTACT), (broken_upstream, Upstream.BROKEN)],
)
def test_the_state_of_the_providers_own_manifest_is_told(wire: Wire, content: object, state: Upstream) -> None:
    wire.answer(images(content()))  # type: ignore[operator]
    assert provider(wire).generate(Request(prompt="x", model="m")).outputs[0].upstream is state


def test_a_moderation_block_is_a_refusal_in_the_providers_words(wire: Wire) -> None:
    details = {"moderation_stage": "input", "categories": ["violence"]}
    error = {
        "code": "moderation_blocked",
        "message": "Your request was rejected.",
        "type": "image_generation_user_error",
    }
    wire.answer(
        reply({"error": error | {"moderation_details": details}}, status=400, headers={"x-request-id": "req_no"})
    )
    result = provider(wire).generate(Request(prompt="x", model="m"))
    assert result.refusal == Refusal("openai", "moderation_blocked", "Your request was rejected.")
    assert result.outputs == ()
    assert result.request_id == "req_no"
    assert [(e.stage, e.category) for e in result.safety] == [(Stage.PROMPT, "violence")]


def test_any_other_bad_request_is_a_failure(wire: Wire) -> None:
    wire.answer(reply({"error": {"code": "unknown_parameter", "message": "No such size."}}, status=400))
    with pytest.raises(ProviderFailed, match="answered 400: No such size"):
        provider(wire).generate(Request(prompt="x", model="m"))


def test_a_rate_limit_is_retried_and_then_succeeds(wire: Wire) -> None:
    limited = reply({"error": {"message": "slow down"}}, status=429, headers={"retry-after-ms": "20"})
    wire.answer(limited, images(painting()))
    result = provider(wire, max_retries=2).generate(Request(prompt="x", model="m"))
    assert len(wire.requests) == 2
    assert len(result.outputs) == 1


def test_a_rate_limit_that_lasts_says_how_long_to_wait(wire: Wire) -> None:
    wire.answer(reply({"error": {"message": "slow down"}}, status=429, headers={"retry-after": "30"}))
    with pytest.raises(ProviderFailed, match=r"slow down.*wait 30 s"):
        provider(wire).generate(Request(prompt="x", model="m"))


def test_a_time_out_is_told_as_one(wire: Wire) -> None:
    def slow(_: Sent) -> Response:
        time.sleep(1)
        return images(painting())

    wire.answer(slow)
    with pytest.raises(ProviderFailed, match="in time"):
        provider(wire, timeout=0.2).generate(Request(prompt="x", model="m"))


def test_nobody_listening_is_told_as_that() -> None:
    nowhere = OpenAIImages(openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", max_retries=0))
    with pytest.raises(ProviderFailed, match="cannot be reached"):
        nowhere.generate(Request(prompt="x", model="m"))


def test_a_refused_key_never_shows_the_key(wire: Wire) -> None:
    wire.answer(reply({"error": {"message": "Incorrect API key provided: sk-test"}}, status=401))
    with pytest.raises(ProviderFailed) as caught:
        provider(wire).generate(Request(prompt="x", model="m"))
    assert "sk-test" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ([{"b64_json": b64(b"no image at all")}], "no usable image"),
        ([{"b64_json": b64(painting())[:-3] + "%%%"}], "no base64"),
        ([{"url": "https://example.org/x.png"}], "a link instead of a picture"),
        ([], "no picture"),
    ],
)
def test_what_is_no_picture_is_a_failure(wire: Wire, data: object, what: str) -> None:
    wire.answer(reply({"created": 1, "data": data}))
    with pytest.raises(ProviderFailed, match=what):
        provider(wire).generate(Request(prompt="x", model="m"))


def test_an_edit_sends_every_input_and_the_mask_under_neutral_names(wire: Wire) -> None:
    wire.answer(images(painting(5)))
    inputs = tuple(Asset.from_bytes(painting(n), name=f"/home/me/secret-{n}.png") for n in (1, 2))
    request = Request(prompt="change", model="m", inputs=inputs, mask=Asset.from_bytes(painting(3), name="mask.png"))
    provider(wire).edit(request)
    form = wire.requests[0]
    assert [f.read() for f in form.files.getlist("image[]")] == [painting(1), painting(2)]
    assert form.files["mask"].read() == painting(3)
    assert b"secret" not in form.get_data() + str(form.files).encode()
    assert form.form["prompt"] == "change"


def test_a_description_keeps_alt_text_and_caption_apart(wire: Wire) -> None:
    words = '{"alt_text": "A lake.", "caption": "A lake at dusk, seen from the shore."}'
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": words, "annotations": []}]}  # fmt: skip
    wire.answer(reply({"id": "resp_1", "object": "response", "model": "seer-1", "output": [message], "created_at": 1}))
    description = provider(wire).describe(Asset.from_bytes(painting()), model="seer")
    assert (description.alt_text, description.caption) == ("A lake.", "A lake at dusk, seen from the shore.")
    assert description.model == "seer-1"
    sent = wire.requests[0].json
    assert sent["input"][0]["content"][1]["image_url"].startswith("data:image/jpeg;base64,")
    with pytest.raises(CannotDo, match="a model that can see"):
        provider(wire).describe(Asset.from_bytes(painting()))


def test_a_seed_that_would_be_ignored_is_refused(wire: Wire) -> None:
    with pytest.raises(CannotDo, match="takes no seed"):
        provider(wire).generate(Request(prompt="x", model="m", seed=1))


def test_a_policy_refuses_before_any_call(wire: Wire) -> None:
    wire.answer(images(painting()))
    no = Refusal("policy", "house-rules", "no weapons")
    result = ask(provider(wire), Request(prompt="a gun"), policy=lambda r: no if "gun" in r.prompt else None)
    assert result.refusal == no
    assert wire.requests == []


def test_azure_asks_its_deployment_and_reads_its_filter(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    harmful = {
        "content_filter_results": {"violence": {"filtered": True, "severity": "high"}, "hate": {"filtered": False}}
    }
    body = {"code": "content_policy_violation", "message": "Filtered.", "inner_error": harmful}
    wire.answer(images(painting()), reply({"error": body}, status=400))
    azure = connect_azure(Connection(endpoint=wire.url, api_version="2026-01-01"))
    assert len(azure.generate(Request(prompt="x", model="my-deployment")).outputs) == 1
    assert wire.requests[0].path == "/openai/deployments/my-deployment/images/generations"
    assert wire.requests[0].args["api-version"] == "2026-01-01"
    refused = azure.generate(Request(prompt="x", model="my-deployment"))
    assert refused.refusal == Refusal("azure", "content_policy_violation", "Filtered.")
    assert [(e.category, e.reason) for e in refused.safety] == [("violence", "high")]


def test_a_picture_that_azure_filtered_out_of_several_is_told(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    filtered = {"content_filter_results": {"sexual": {"filtered": True, "severity": "medium"}}}
    wire.answer(reply({"created": 1, "data": [{"b64_json": b64(painting())}, filtered]}))
    result = connect_azure(Connection(endpoint=wire.url, api_version="v")).generate(
        Request(prompt="x", model="d", count=2)
    )
    assert len(result.outputs) == 1
    assert result.refusal is None
    assert [(e.stage, e.category) for e in result.safety] == [(Stage.OUTPUT, "sexual")]


def test_mai_makes_one_picture_per_call_by_width_and_height(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAI_API_KEY", "k")
    monkeypatch.setenv("MAI_ENDPOINT", f"{wire.url}/mai/v1")
    own = {"num_output_tokens": 7}
    wire.answer(images(painting(1), usage=None, **own), images(painting(2), usage=None, **own))
    result = connect_mai(Connection()).generate(Request(prompt="x", model="MAI-m", count=2, size=(1024, 768)))
    assert [o.content for o in result.outputs] == [painting(1), painting(2)]
    assert [r.json for r in wire.requests] == [{"prompt": "x", "model": "MAI-m", "width": 1024, "height": 768}] * 2
    assert wire.requests[0].headers["api-key"] == "k"
    assert wire.requests[0].args["api-version"] == "preview"
    assert dict(result.usage) == {"num_output_tokens": 14}


@pytest.mark.parametrize("name", ["openai", "azure", "mai"])
def test_a_missing_key_is_told_before_any_call(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT", "MAI_API_KEY"):  # fmt: skip
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ProviderFailed, match="no connection"):
        open_provider(name, Connection())


def test_connecting_takes_endpoint_time_out_and_retries(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    wire.answer(reply({}, status=500))
    with pytest.raises(ProviderFailed, match="answered 500"):
        connect_openai(Connection(endpoint=f"{wire.url}/v1", retries=1)).generate(Request(prompt="x", model="m"))
    assert len(wire.requests) == 2


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(CannotDo, match="no such provider"):
        open_provider("dall-e")


def test_a_pictures_metadata_never_reaches_a_model(wire: Wire) -> None:
    exif = Image.Exif()
    exif[0x010E] = "A secret name"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    exif[ExifTags.Base.Orientation] = 6
    photo = io.BytesIO()
    Image.new("RGB", (48, 32), "navy").save(
        photo, "JPEG", exif=exif, comment=b"A secret name", xmp=b"<x>A secret name</x>"
    )
    wire.answer(reply({"error": {"message": "no"}}, status=500))
    with pytest.raises(ProviderFailed):
        provider(wire).describe(Asset.from_bytes(photo.getvalue()), model="seer")
    sent = base64.b64decode(wire.requests[0].json["input"][0]["content"][1]["image_url"].partition(",")[2])
    assert b"secret" not in sent
    shown = Image.open(io.BytesIO(sent))
    assert (shown.size, dict(shown.getexif())) == ((32, 48), {})  # upright, for nothing tells the model how to turn it
