"""Google's models through the real SDK over loopback: the adapter, and the drop-in client with chats, streams and Imagen."""

import asyncio
import base64
import io
import json
from typing import Any

import pytest
from google import genai
from google.genai import types
from PIL import Image
from provider_wire import Wire, b64, broken_upstream, is_signed, painting, png_data, reply, said, signed_upstream
from werkzeug import Response

import assay
from assay.provenance.asset import Asset
from assay.provenance.generating.google import GeminiImages, connect, connect_imagen
from assay.provenance.generating.provider import (
    CannotDo,
    Connection,
    PromptRefused,
    ProviderFailed,
    Refusal,
    Request,
    Stage,
    Upstream,
)
from assay.provenance.media_type import MediaType

pytestmark = pytest.mark.filterwarnings("ignore::Warning")  # the SDK warns of its own deprecations


def gemini(wire: Wire, **options: Any) -> genai.Client:
    retry = types.HttpRetryOptions(attempts=options.pop("attempts", 1), initial_delay=0.01, max_delay=0.02, jitter=0.0)
    return genai.Client(api_key="k", http_options=types.HttpOptions(base_url=wire.url, retry_options=retry, **options))


def vertex(wire: Wire) -> genai.Client:
    class Credentials:
        token, expired, quota_project_id, valid, expiry = "t", False, None, True, None

        def refresh(self, request: object) -> None: ...

        def before_request(self, *_: object) -> None: ...

    return genai.Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=Credentials(),  # type: ignore[arg-type]
        http_options=types.HttpOptions(base_url=wire.url),
    )


def part(content: bytes, *, thought: bool = False) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": b64(content)}} | ({"thought": True} if thought else {})


def body(*parts: dict[str, Any], finish: str = "STOP", **candidate: Any) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": finish} | candidate],
        "modelVersion": "gemini-image-001",
        "responseId": "resp-9",
        "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1290, "totalTokenCount": 1294},
    }


def answer(*parts: dict[str, Any], **more: Any) -> Response:
    return reply(body(*parts, **more))


def stream(*bodies: dict[str, Any]) -> Response:
    return Response("".join(f"data: {json.dumps(b)}\r\n\r\n" for b in bodies), content_type="text/event-stream")


def first(response: types.GenerateContentResponse) -> bytes:
    assert response.parts
    return next(p.inline_data.data for p in response.parts if p.inline_data and p.inline_data.data)


# The adapter


def test_one_call_per_picture_with_its_seed_and_aspect(wire: Wire) -> None:
    wire.answer(answer(part(painting(1))), answer({"text": "Here you are."}, part(painting(2))))
    request = Request(prompt="x", model="gemini-image", count=2, size=(1024, 576), seed=40, parameters=(("image_size", "2K"), ("temperature", 0.5)))  # fmt: skip
    result = GeminiImages(gemini(wire)).generate(request)
    assert [o.content for o in result.outputs] == [painting(1), painting(2)]
    assert [dict(o.parameters)["seed"] for o in result.outputs] == [40, 41]
    assert (result.model_returned, result.request_id) == ("gemini-image-001", "resp-9")
    assert dict(result.usage)["total_token_count"] == 2588
    config = wire.requests[0].json["generationConfig"]
    assert config["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "2K"}
    assert (config["seed"], config["temperature"], config["responseModalities"]) == (40, 0.5, ["IMAGE"])


def test_drafts_of_a_thinking_model_are_no_outputs(wire: Wire) -> None:
    wire.answer(answer(part(painting(1), thought=True), part(painting(2))))
    result = GeminiImages(gemini(wire)).generate(Request(prompt="x", model="m"))
    assert [o.content for o in result.outputs] == [painting(2)]


@pytest.mark.parametrize(
    ("blocked", "code", "stage", "reason"),
    [
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "Not this."}}, "PROHIBITED_CONTENT", Stage.PROMPT, "Not this."),
        (body({"text": "I cannot."}, finish="IMAGE_SAFETY"), "IMAGE_SAFETY", Stage.OUTPUT, "I cannot."),
        (body({"text": "I would rather not."}, finish="NO_IMAGE"), "NO_IMAGE", Stage.OUTPUT, "I would rather not."),
    ],
)  # fmt: skip
def test_a_block_is_a_refusal_wherever_it_stands(
    wire: Wire, blocked: Any, code: str, stage: Stage, reason: str
) -> None:
    wire.answer(reply(blocked))
    result = GeminiImages(gemini(wire)).generate(Request(prompt="x", model="m"))
    assert result.refusal == Refusal("google", code, reason)
    assert result.outputs == ()
    assert result.safety[0].stage is stage


def test_an_answer_in_words_only_is_a_refusal_with_these_words(wire: Wire) -> None:
    wire.answer(answer({"text": "I can only describe a lake."}))
    refusal = GeminiImages(gemini(wire)).generate(Request(prompt="x", model="m")).refusal
    assert refusal == Refusal("google", "NO_IMAGE", "I can only describe a lake.")


def test_one_of_two_blocked_leaves_the_other_and_the_reason(wire: Wire) -> None:
    wire.answer(answer(part(painting())), answer(finish="IMAGE_SAFETY"))
    result = GeminiImages(gemini(wire)).generate(Request(prompt="x", model="m", count=2))
    assert len(result.outputs) == 1
    assert result.refusal
    assert result.refusal.code == "IMAGE_SAFETY"


def test_an_edit_sends_pictures_before_the_prompt(wire: Wire) -> None:
    wire.answer(answer(part(painting(3))))
    inputs = (Asset.from_bytes(painting(1)), Asset.from_bytes(painting(2)))
    GeminiImages(gemini(wire)).edit(Request(prompt="merge", model="m", inputs=inputs))
    parts = wire.requests[0].json["contents"][0]["parts"]
    assert [base64.b64decode(p["inlineData"]["data"], altchars=b"-_") for p in parts[:2]] == [painting(1), painting(2)]
    assert parts[2]["text"] == "merge"


def test_what_gemini_cannot_do_is_said(wire: Wire) -> None:
    adapter = GeminiImages(gemini(wire))
    picture = Asset.from_bytes(painting())
    with pytest.raises(CannotDo, match="no mask"):
        adapter.edit(Request(prompt="x", model="m", inputs=(picture,), mask=picture))
    with pytest.raises(CannotDo, match="needs a model"):
        adapter.generate(Request(prompt="x"))


@pytest.mark.parametrize(
    ("status", "what"), [(429, "limits the rate"), (403, "refuses the key"), (400, "answered 400: Bad size")]
)
def test_failures_are_told_in_words(wire: Wire, status: int, what: str) -> None:
    wire.answer(reply({"error": {"code": status, "message": "Bad size", "status": "X"}}, status=status))
    with pytest.raises(ProviderFailed, match=what):
        GeminiImages(gemini(wire)).generate(Request(prompt="x", model="m"))


def test_a_rate_limit_is_retried(wire: Wire) -> None:
    wire.answer(reply({"error": {"code": 429, "message": "slow", "status": "X"}}, status=429), answer(part(painting())))
    assert GeminiImages(gemini(wire, attempts=2)).generate(Request(prompt="x", model="m")).outputs
    assert len(wire.requests) == 2


def test_a_time_out_and_nobody_listening_are_told_apart(wire: Wire) -> None:
    import time

    def slow(_: object) -> Response:
        time.sleep(1)
        return answer(part(painting()))

    wire.answer(slow)
    with pytest.raises(ProviderFailed, match="in time"):
        GeminiImages(gemini(wire, timeout=300)).generate(Request(prompt="x", model="m"))
    nowhere = genai.Client(api_key="k", http_options=types.HttpOptions(base_url="http://127.0.0.1:9"))
    with pytest.raises(ProviderFailed, match="cannot be reached"):
        GeminiImages(nowhere).generate(Request(prompt="x", model="m"))


def test_a_malformed_picture_is_a_failure(wire: Wire) -> None:
    wire.answer(answer(part(b"rubbish")))
    with pytest.raises(ProviderFailed, match="no usable image"):
        GeminiImages(gemini(wire)).generate(Request(prompt="x", model="m"))


def test_an_answer_that_is_no_json_is_a_failure(wire: Wire) -> None:
    wire.answer(Response("<html>proxy</html>", content_type="text/html"))
    with pytest.raises(ProviderFailed):
        GeminiImages(gemini(wire)).generate(Request(prompt="x", model="m"))


def test_googles_own_manifest_is_recognised(wire: Wire) -> None:
    wire.answer(answer(part(signed_upstream())), answer(part(broken_upstream())))
    result = GeminiImages(gemini(wire)).generate(Request(prompt="x", model="m", count=2))
    assert [o.upstream for o in result.outputs] == [Upstream.INTACT, Upstream.BROKEN]


def test_a_description_keeps_alt_text_and_caption_apart(wire: Wire) -> None:
    wire.answer(answer({"text": '{"alt_text": "A lake.", "caption": "Dusk over a lake."}'}), answer({"text": "a lake"}))
    adapter = GeminiImages(gemini(wire))
    description = adapter.describe(Asset.from_bytes(painting()), model="seer")
    assert (description.alt_text, description.caption) == ("A lake.", "Dusk over a lake.")
    with pytest.raises(ProviderFailed, match="not agreed"):
        adapter.describe(Asset.from_bytes(painting()), model="seer")


def test_imagen_exists_on_vertex_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    with pytest.raises(CannotDo, match="Vertex only"):
        connect_imagen(Connection())
    monkeypatch.delenv("GEMINI_API_KEY")
    with pytest.raises(ProviderFailed, match="no connection"):
        connect(Connection())


def imagen(*predictions: dict[str, Any]) -> Response:
    return reply({"predictions": list(predictions)})


def test_imagen_tells_what_its_filter_held_back(wire: Wire) -> None:
    from assay.provenance.generating.google import ImagenImages

    wire.answer(
        imagen(
            {"bytesBase64Encoded": b64(painting()), "mimeType": "image/png", "prompt": "a nicer lake"},
            {"raiFilteredReason": "Violence. Code 42"},
        )
    )
    result = ImagenImages(vertex(wire)).generate(Request(prompt="a lake", model="imagen-x", count=2, size=(512, 512), output_format=MediaType.PNG))  # fmt: skip
    assert [o.revised_prompt for o in result.outputs] == ["a nicer lake"]
    assert [(e.code, e.reason) for e in result.safety] == [("rai_filtered", "Violence. Code 42")]
    assert wire.requests[0].json["parameters"]["aspectRatio"] == "1:1"


# The drop-in


def test_picture_parts_are_signed_and_text_is_left_alone(wire: Wire) -> None:
    wire.answer(answer({"text": "Here:"}, part(painting(1)), part(painting(2))))
    wrapped = assay.signed(gemini(wire), signer="dev:")
    assert isinstance(wrapped, genai.Client)
    response = wrapped.models.generate_content(
        model="gemini-image",
        contents="a lake",
        config=types.GenerateContentConfig(seed=3, image_config=types.ImageConfig(aspect_ratio="16:9")),
    )
    assert type(response) is types.GenerateContentResponse
    text, *pictures = response.candidates[0].content.parts  # type: ignore[index, union-attr, misc]
    assert text.text == "Here:"
    for number, picture in enumerate(pictures, 1):
        told = said(picture.inline_data.data)
        assert png_data(picture.inline_data.data) == png_data(painting(number))
        assert (told.state, told.labels, told.source_type) == ("Trusted", ["c2pa.created"], "trainedAlgorithmicMedia")
        assert told.agent["name"] == "gemini-image-001"
        assert told.ours["modelRequested"] == "gemini-image"
        assert told.ours["requestId"] == "resp-9"
        assert told.ours["parameters"] == {"aspect_ratio": "16:9", "seed": 3}
        assert "promptHash" in told.ours


@pytest.mark.parametrize(
    "contents",
    [
        lambda c: ["make it blue", types.Part.from_bytes(data=c, mime_type="image/png")],
        lambda c: [types.Content(role="user", parts=[types.Part(text="make it blue"), types.Part.from_bytes(data=c, mime_type="image/png")])],
        lambda c: [{"role": "user", "parts": [{"text": "make it blue"}, {"inline_data": {"mime_type": "image/png", "data": c}}]}],
        lambda c: ["make it blue", Image.frombytes("RGB", (4, 4), c[:48])],
        lambda c: [["make it blue", Image.frombytes("RGB", (4, 4), c[:48])]],
        lambda c: ["make it blue", types.Part.from_bytes(data=c, mime_type="application/octet-stream")],
        lambda c: [{"text": "make it blue"}, {"function_response": {"name": "get", "response": {}, "parts": [{"inline_data": {"mime_type": "image/png", "data": c}}]}}],
    ],
)  # fmt: skip
def test_a_picture_in_the_call_is_the_parent_of_the_edit(wire: Wire, contents: Any) -> None:
    wire.answer(answer(part(painting(2))))
    wrapped = assay.signed(gemini(wire), signer="dev:", disclose_prompt=True)
    told = said(first(wrapped.models.generate_content(model="m", contents=contents(painting(1)))))
    assert told.labels == ["c2pa.opened", "c2pa.edited"]
    assert told.source_type == "compositeWithTrainedAlgorithmicMedia"
    assert told.ours["prompt"] == "make it blue"


@pytest.mark.parametrize("label", ["IMAGE/PNG", "application/octet-stream", ""])
def test_a_picture_is_signed_whatever_its_label_says(wire: Wire, label: str) -> None:
    wire.answer(answer({"inlineData": {"mimeType": label, "data": b64(painting())}}))
    assert is_signed(first(assay.signed(gemini(wire), signer="dev:").models.generate_content(model="m", contents="x")))


def test_a_chat_chains_its_pictures(wire: Wire) -> None:
    wire.answer(answer(part(painting(1))), answer(part(painting(2))))
    chat = assay.signed(gemini(wire), signer="dev:").chats.create(model="m")
    chat.send_message("a lake")
    told = said(first(chat.send_message("now at night")))
    assert told.labels == ["c2pa.opened", "c2pa.edited"]
    assert told.source_type == "trainedAlgorithmicMedia"
    assert len(told.report["manifests"]) == 2


def test_googles_manifest_becomes_the_parent(wire: Wire) -> None:
    upstream = signed_upstream()
    wire.answer(answer(part(upstream)))
    content = first(assay.signed(gemini(wire), signer="dev:").models.generate_content(model="m", contents="x"))
    assert png_data(content) == png_data(upstream)
    assert said(content).labels == ["c2pa.opened"]
    assert said(content).ingredients[0][0] == "parentOf"


def test_streams_are_signed_chunk_by_chunk_but_for_drafts(wire: Wire) -> None:
    wire.answer(stream(body({"text": "…"}), body(part(painting(1), thought=True)), body(part(painting(2)))))
    chunks = list(assay.signed(gemini(wire), signer="dev:").models.generate_content_stream(model="m", contents="x"))
    draft, final = (c for c in chunks if c.parts and c.parts[0].inline_data)
    assert first(draft) == painting(1)
    assert said(first(final)).state == "Trusted"


def test_the_asynchronous_client_signs_answers_and_streams(wire: Wire) -> None:
    wire.answer(answer(part(painting(1))), stream(body(part(painting(2)))))

    async def run() -> list[bytes]:
        models = assay.signed(gemini(wire), signer="dev:").aio.models
        response = await models.generate_content(model="m", contents="x")
        chunks = [chunk async for chunk in await models.generate_content_stream(model="m", contents="x")]
        return [first(response), first(chunks[0])]

    assert [said(content).state for content in asyncio.run(run())] == ["Trusted", "Trusted"]


def test_imagens_pictures_are_signed(wire: Wire) -> None:
    wire.answer(imagen({"bytesBase64Encoded": b64(painting()), "mimeType": "image/png"}))
    response = assay.signed(vertex(wire), signer="dev:").models.generate_images(model="imagen-x", prompt="a lake")
    content = response.generated_images[0].image.image_bytes  # type: ignore[index, union-attr]
    assert content
    told = said(content)
    assert (told.state, told.agent["name"]) == ("Trusted", "imagen-x")


@pytest.mark.parametrize(
    "misuse",
    [
        lambda c: c.models.edit_image(model="m", prompt="x", reference_images=[]),
        lambda c: c.models.upscale_image(model="m", image=types.Image(), upscale_factor="x2"),
        lambda c: c.models.generate_videos(model="m", prompt="x"),
        lambda c: c.models.generate_images(model="m", prompt="x", config={"output_gcs_uri": "gs://bucket"}),
        lambda c: c.models.generate_content(model="m", contents="x", config={"should_return_http_response": True}),
        lambda c: c.models.generate_content_stream(model="m", contents="x", config=types.GenerateContentConfig(should_return_http_response=True)),
        lambda c: asyncio.run(c.aio.models.generate_content(model="m", contents="x", config={"shouldReturnHttpResponse": True})),
        lambda c: c.batches.create(model="m", src=[]),
        lambda c: c.interactions.create(model="m", input="x"),
        lambda c: c.aio.live.connect(model="m"),
        lambda c: c.models.generate_content(model="m", contents=[types.Part.from_bytes(data=b"no", mime_type="image/png")]),
    ],
)  # fmt: skip
def test_what_would_leave_unsigned_is_refused(wire: Wire, misuse: Any) -> None:
    wire.answer(answer(part(painting())))
    with pytest.raises(CannotDo):
        misuse(assay.signed(gemini(wire), signer="dev:"))
    assert wire.requests == []


def test_a_policy_refuses_before_the_call_is_made(wire: Wire) -> None:
    wrapped = assay.signed(gemini(wire), signer="dev:", policy=lambda request: Refusal("policy", "no"))
    with pytest.raises(PromptRefused):
        wrapped.models.generate_content(model="m", contents="x")
    assert wire.requests == []


def test_the_client_that_was_wrapped_goes_on_working_unsigned_after_the_wrapper_is_gone(wire: Wire) -> None:
    wire.answer(answer(part(painting())))
    bare = gemini(wire)
    wrapped = assay.signed(bare, signer="dev:")
    assert is_signed(first(wrapped.models.generate_content(model="m", contents="x")))
    del wrapped
    assert not is_signed(first(bare.models.generate_content(model="m", contents="x")))


def test_a_pictures_metadata_never_reaches_a_model(wire: Wire) -> None:
    photo = io.BytesIO()
    Image.new("RGB", (48, 32), "navy").save(photo, "JPEG", comment=b"A secret name")
    wire.answer(answer({"text": "a lake"}))
    with pytest.raises(ProviderFailed, match="not agreed"):
        GeminiImages(gemini(wire)).describe(Asset.from_bytes(photo.getvalue()), model="seer")
    sent = base64.urlsafe_b64decode(wire.requests[0].json["contents"][0]["parts"][0]["inlineData"]["data"])
    assert b"secret" not in sent
    assert Image.open(io.BytesIO(sent)).size == (48, 32)


@pytest.mark.parametrize(
    "stored",
    [
        types.Part.from_uri(file_uri="https://files.example/1", mime_type="image/png"),
        {"file_data": {"file_uri": "https://files.example/1", "mime_type": "image/png"}},
        types.File(uri="https://files.example/1", mime_type="image/png", name="files/1"),
        types.Part(file_data=types.FileData(file_uri="https://files.example/1")),
        types.Part.from_uri(file_uri="https://files.example/1", mime_type="application/pdf"),
        types.Part.from_bytes(data=b"%PDF-1.7", mime_type="application/pdf"),
    ],
)
def test_an_edit_of_a_file_at_the_providers_is_a_composite_without_parent(wire: Wire, stored: Any) -> None:
    wire.answer(answer(part(painting(1))))
    models = assay.signed(gemini(wire), signer="dev:").models
    for contents in (["bluer", stored], [types.UserContent([stored, "look"]), types.UserContent("bluer")]):
        told = said(first(models.generate_content(model="g", contents=contents)))
        assert (told.labels, told.source_type) == (["c2pa.created"], "compositeWithTrainedAlgorithmicMedia")


def test_whatever_was_shown_before_may_have_gone_in_too(wire: Wire) -> None:
    wire.answer(*[answer(part(painting(1)))] * 6)
    models = assay.signed(gemini(wire), signer="dev:").models
    photo = types.Part.from_bytes(data=painting(2), mime_type="image/png")
    synthetic = types.Part.from_bytes(data=signed_upstream(), mime_type="image/png")
    stored = types.Part.from_uri(file_uri="https://files.example/1", mime_type="image/png")
    draft = types.Part(thought=True, inline_data=photo.inline_data)
    words, noise = types.Part.from_bytes(data=b"a", mime_type="text/plain"), types.Part.from_bytes(data=b"a", mime_type="audio/wav")  # fmt: skip
    for before, config, source_type in (
        ([synthetic, draft, words, noise], {}, "trainedAlgorithmicMedia"),
        ([photo], {}, "compositeWithTrainedAlgorithmicMedia"),
        ([stored], {}, "compositeWithTrainedAlgorithmicMedia"),
        (["look"], {"cached_content": "cachedContents/1"}, "compositeWithTrainedAlgorithmicMedia"),
        (["look"], {"system_instruction": [photo]}, "compositeWithTrainedAlgorithmicMedia"),
    ):
        contents = [types.UserContent(before), types.ModelContent("Yes?"), types.Content(role="model"), types.UserContent([synthetic, "bluer"])]  # fmt: skip
        told = said(first(models.generate_content(model="g", contents=contents, config=config)))  # type: ignore[arg-type]
        assert (told.labels, told.source_type) == (["c2pa.opened", "c2pa.edited"], source_type)
        assert len(told.ingredients) == 1
    told = said(first(models.generate_content(model="g", contents=["a lake", words, noise])))
    assert (told.labels, told.source_type) == (["c2pa.created"], "trainedAlgorithmicMedia")
