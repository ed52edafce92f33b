"""`assay.signed(OpenAI(…))`: the SDK's own types, signed bytes, the provider's history kept, nothing unsigned in silence."""

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import ImagesResponse
from openai.types.responses import Response as ModelResponse
from PIL import Image
from provider_wire import (
    Said,
    Wire,
    b64,
    broken_upstream,
    events,
    is_signed,
    painting,
    png_data,
    reply,
    said,
    signed_upstream,
)
from werkzeug import Response

import assay
from assay.provenance.generating.provider import CannotDo, PromptRefused, ProviderFailed, Refusal
from assay.provenance.media_type import MediaType

USAGE = {"input_tokens": 9, "output_tokens": 9, "total_tokens": 18, "input_tokens_details": {"text_tokens": 9, "image_tokens": 0}}  # fmt: skip


def images(*contents: bytes) -> Response:
    body = {"created": 1, "data": [{"b64_json": b64(content)} for content in contents], "usage": USAGE}
    return reply(body, headers={"x-request-id": "req_7"})


def client(wire: Wire, **terms: Any) -> openai.OpenAI:
    bare = openai.OpenAI(api_key="sk", base_url=f"{wire.url}/v1", max_retries=0, timeout=5)
    return assay.signed(bare, signer="dev:", **terms)


def bytes_of(response: ImagesResponse, number: int = 0) -> bytes:
    assert response.data
    return base64.b64decode(response.data[number].b64_json or "")


@pytest.mark.parametrize("media_type", [MediaType.PNG, MediaType.JPEG, MediaType.WEBP])
def test_every_picture_of_an_ordinary_answer_is_signed(wire: Wire, media_type: MediaType) -> None:
    wire.answer(images(painting(1, media_type=media_type), painting(2, media_type=media_type)))
    response = client(wire).images.generate(
        prompt="a lake", model="gpt-image-x", n=2, quality="high", user="jane@x.org"
    )
    assert type(response) is ImagesResponse
    assert response._request_id == "req_7"
    for number in (0, 1):
        told = said(bytes_of(response, number))
        assert told.state == "Trusted"
        assert told.labels == ["c2pa.created"]
        assert told.source_type == "trainedAlgorithmicMedia"
        assert told.agent["name"] == "gpt-image-x"
        assert told.ours["provider"] == "127.0.0.1" or told.ours["provider"] == "localhost"
        assert told.ours["requestId"] == "req_7"
        assert told.actions[0]["when"].endswith("Z")
        assert told.ours["parameters"] == {"quality": "high"}
    assert b"jane@x.org" not in bytes_of(response)
    assert wire.requests[0].json == {"prompt": "a lake", "model": "gpt-image-x", "n": 2, "quality": "high", "user": "jane@x.org"}  # fmt: skip


def test_the_picture_data_is_byte_identical(wire: Wire) -> None:
    wire.answer(images(painting(1)))
    assert png_data(bytes_of(client(wire).images.generate(prompt="x", model="m"))) == png_data(painting(1))


def test_the_prompt_stays_private_unless_it_is_disclosed(wire: Wire) -> None:
    wire.answer(images(painting()))
    private = bytes_of(client(wire).images.generate(prompt="my secret prompt", model="m"))
    again = bytes_of(client(wire).images.generate(prompt="my secret prompt", model="m"))
    assert b"my secret prompt" not in private
    assert said(private).ours["promptHash"] != said(again).ours["promptHash"]  # salted: nobody can try prompts out
    disclosed = bytes_of(client(wire, disclose_prompt=True).images.generate(prompt="my secret prompt", model="m"))
    assert said(disclosed).ours["prompt"] == "my secret prompt"


def test_a_providers_manifest_becomes_the_parent_and_its_data_stays_identical(wire: Wire) -> None:
    upstream = signed_upstream()
    wire.answer(images(upstream))
    content = bytes_of(client(wire).images.generate(prompt="x", model="m"))
    told = said(content)
    assert png_data(content) == png_data(upstream)
    assert told.labels == ["c2pa.opened"]
    assert [relationship for relationship, _ in told.ingredients] == ["parentOf"]
    assert told.ours["receivedManifest"] == "intact"
    assert len(told.report["manifests"]) == 2
    parent = told.report["manifests"][told.manifest["ingredients"][0]["active_manifest"]]
    assert any("provider model" in json.dumps(assertion) for assertion in parent["assertions"])


def test_a_broken_manifest_of_the_providers_is_recorded_as_broken(wire: Wire) -> None:
    wire.answer(images(broken_upstream()))
    told = said(bytes_of(client(wire).images.generate(prompt="x", model="m")))
    assert told.ours["receivedManifest"] == "broken"
    failures = told.manifest["ingredients"][0]["validation_results"]["activeManifest"]["failure"]
    assert "assertion.dataHash.mismatch" in [failure["code"] for failure in failures]


def test_an_edit_has_its_input_as_parent_and_further_inputs_beside_it(wire: Wire) -> None:
    wire.answer(images(painting(9)))
    files = [("photo.png", painting(1), "image/png"), io.BytesIO(painting(2))]
    response = client(wire).images.edit(image=files, prompt="add a moon", model="m", mask=painting(3))
    told = said(bytes_of(response))
    assert told.labels == ["c2pa.opened", "c2pa.edited"]
    assert told.source_type == "compositeWithTrainedAlgorithmicMedia"
    assert told.ingredients == [("parentOf", "photo.png"), ("inputTo", "input.png")]
    assert "maskSha256" in told.ours
    assert [f.read() for f in wire.requests[0].files.getlist("image[]")] == [
        painting(1),
        painting(2),
    ]  # sent, not eaten


def test_an_edit_of_what_a_model_made_stays_wholly_synthetic(wire: Wire) -> None:
    wire.answer(images(painting(1)), images(painting(2)))
    wrapped = client(wire)
    first = bytes_of(wrapped.images.generate(prompt="x", model="m"))
    told = said(bytes_of(wrapped.images.edit(image=first, prompt="y", model="m")))
    assert told.source_type == "trainedAlgorithmicMedia"
    assert len(told.report["manifests"]) == 2


def test_an_edit_that_comes_back_signed_keeps_both_histories(wire: Wire, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(painting(4))
    wire.answer(images(signed_upstream()))
    told = said(bytes_of(client(wire).images.edit(image=photo, prompt="y", model="m")))
    assert told.labels == ["c2pa.opened"]  # the provider's manifest says what the provider did
    assert sorted(r for r, _ in told.ingredients) == ["inputTo", "parentOf"]


@pytest.mark.parametrize(
    "sent",
    [
        {"image": "https://example.org/photo.jpg"},
        {"image": ["data:image/png;base64,AAAA"]},
        {"input": {"photo": b64(painting())}},
    ],
)
def test_a_picture_in_a_field_of_the_services_own_may_have_gone_in(wire: Wire, sent: Any) -> None:
    wire.answer(images(painting(2)))
    told = said(bytes_of(client(wire).images.generate(prompt="bluer", model="m", extra_body=sent)))
    assert (told.labels, told.source_type) == (["c2pa.created"], "compositeWithTrainedAlgorithmicMedia")
    told = said(bytes_of(client(wire).images.generate(prompt="x", model="m", extra_body={"image_size": "1K", "n": 2})))
    assert told.source_type == "trainedAlgorithmicMedia"


def test_partial_images_of_a_stream_stay_drafts_and_the_last_one_is_signed(wire: Wire) -> None:
    common = {"background": "opaque", "created_at": 1, "output_format": "png", "quality": "low", "size": "96x64"}
    wire.answer(
        events(
            {
                "type": "image_generation.partial_image",
                "b64_json": b64(painting(1)),
                "partial_image_index": 0,
                **common,
            },
            {"type": "image_generation.completed", "b64_json": b64(painting(2)), "usage": USAGE, **common},
        )
    )
    stream = client(wire).images.generate(prompt="x", model="m", stream=True, partial_images=1)
    assert isinstance(stream, openai.Stream)
    partial, final = list(stream)
    assert base64.b64decode(partial.b64_json) == painting(1)
    told = said(base64.b64decode(final.b64_json))
    assert told.state == "Trusted"
    assert told.agent["name"] == "m"


def test_the_asynchronous_client_signs_answers_and_streams(wire: Wire) -> None:
    common = {"background": "opaque", "created_at": 1, "output_format": "png", "quality": "low", "size": "96x64"}
    wire.answer(
        images(painting(1)),
        events({"type": "image_edit.completed", "b64_json": b64(painting(2)), "usage": USAGE, **common}),
    )

    async def run() -> tuple[bytes, list[Any]]:
        bare = openai.AsyncOpenAI(api_key="sk", base_url=f"{wire.url}/v1", max_retries=0)
        wrapped = assay.signed(bare, signer="dev:")
        response = await wrapped.images.generate(prompt="x", model="m")
        stream = await wrapped.images.edit(image=painting(3), prompt="x", model="m", stream=True)
        assert isinstance(stream, openai.AsyncStream)
        return bytes_of(response), [event async for event in stream]

    content, streamed = asyncio.run(run())
    assert said(content).state == "Trusted"
    assert said(base64.b64decode(streamed[0].b64_json)).labels == ["c2pa.opened", "c2pa.edited"]


def test_azure_is_named_as_the_provider(wire: Wire) -> None:
    wire.answer(images(painting()))
    bare = openai.AzureOpenAI(api_key="k", azure_endpoint=wire.url, api_version="v", max_retries=0)
    response = assay.signed(bare, signer="dev:").images.generate(prompt="x", model="deployment")
    assert said(bytes_of(response)).ours["provider"] == "azure"
    assert "/deployments/deployment/" in wire.requests[0].path


def test_a_client_derived_from_a_signed_one_signs_too(wire: Wire) -> None:
    wire.answer(images(painting()))
    derived = client(wire).with_options(timeout=3).copy(max_retries=1)
    assert is_signed(bytes_of(derived.images.generate(prompt="x", model="m")))


def test_the_client_that_was_wrapped_is_left_as_it_was(wire: Wire) -> None:
    wire.answer(images(painting()))
    bare = openai.OpenAI(api_key="sk", base_url=f"{wire.url}/v1")
    assert not is_signed(bytes_of(bare.images.generate(prompt="x", model="m")))
    wrapped = assay.signed(bare, signer="dev:")
    assert type(wrapped) is openai.OpenAI
    assert is_signed(bytes_of(wrapped.images.generate(prompt="x", model="m")))
    assert not is_signed(bytes_of(bare.images.generate(prompt="x", model="m")))


def test_the_sdks_own_exceptions_come_through(wire: Wire) -> None:
    wire.answer(reply({"error": {"code": "moderation_blocked", "message": "no"}}, status=400))
    with pytest.raises(openai.BadRequestError, match="no"):
        client(wire).images.generate(prompt="x", model="m")


def test_a_policy_refuses_before_the_call_is_made(wire: Wire) -> None:
    wire.answer(images(painting()))
    wrapped = client(wire, policy=lambda request: Refusal("policy", "weapons") if "gun" in request.prompt else None)
    with pytest.raises(PromptRefused, match="refused by policy: weapons"):
        wrapped.images.generate(prompt="a gun", model="m")
    assert wire.requests == []
    wrapped.images.generate(prompt="a flower", model="m")


@pytest.mark.parametrize(
    "misuse",
    [
        lambda c: c.images.with_raw_response.generate(prompt="x", model="m"),
        lambda c: c.with_raw_response.images.generate(prompt="x", model="m"),
        lambda c: c.images.with_streaming_response.edit(image=painting(), prompt="x").__enter__(),
        lambda c: c.images.generate(prompt="x", model="m", response_format="url"),
        lambda c: c.videos.create(prompt="x"),
        lambda c: c.beta.responses.create(model="m", input="x"),
        lambda c: c.conversations.items.list("conv_1"),
        lambda c: c.responses.connect(),
        lambda c: c.responses.input_items.list("resp_1"),
        lambda c: c.chat.completions.create(model="m", messages=[], modalities=["image", "text"]),
        lambda c: c.chat.completions.create(model="m", messages=[], extra_body={"modalities": ["image"]}),
        lambda c: c.batches.create(endpoint="/v1/images/generations", input_file_id="f", completion_window="24h"),
        lambda c: c.responses.stream(model="m", input="x", tools=[{"type": "image_generation"}]),
        lambda c: c.responses.with_raw_response.create(model="m", input="x", tools=[{"type": "image_generation"}]),
        lambda c: c.images.edit(image=open_once(), prompt="x"),
    ],
)  # fmt: skip
def test_what_would_leave_unsigned_is_refused_before_it_is_asked_for(wire: Wire, misuse: Any) -> None:
    wire.answer(images(painting()))
    with pytest.raises(CannotDo):
        misuse(client(wire))
    assert wire.requests == []


def open_once() -> Any:
    class Pipe(io.BytesIO):
        def tell(self) -> int:
            raise OSError("a pipe")

    return Pipe(painting())


def test_a_link_or_rubbish_in_the_answer_is_never_passed_on(wire: Wire) -> None:
    wire.answer(reply({"created": 1, "data": [{"url": "http://x/y.png"}]}), images(b"rubbish"))
    for _ in range(2):
        with pytest.raises(ProviderFailed):
            client(wire).images.generate(prompt="x", model="m")


def test_a_picture_that_has_no_room_for_a_manifest_is_never_passed_on(wire: Wire) -> None:
    bitmap = io.BytesIO()
    Image.new("RGB", (8, 8)).save(bitmap, "BMP")
    wire.answer(images(bitmap.getvalue()))
    with pytest.raises(CannotDo, match="no room for a manifest"):
        client(wire).images.generate(prompt="x")


def test_training_and_mining_wishes_are_stated(wire: Wire) -> None:
    wire.answer(images(painting()))
    wishes = {"cawg.ai_generative_training": "notAllowed"}
    told = said(bytes_of(client(wire, training_mining=wishes).images.generate(prompt="x", model="m")))
    entries = next(a for a in told.manifest["assertions"] if a["label"] == "cawg.training-mining")["data"]["entries"]
    assert entries == {"cawg.ai_generative_training": {"use": "notAllowed"}}


CALL = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "revised_prompt": "A calm lake", "action": "generate"}  # fmt: skip


def model_response(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-y-1", "output": list(items), "tools": [], "parallel_tool_calls": False, "tool_choice": "auto"} | more  # fmt: skip


def test_pictures_of_the_responses_tool_are_signed(wire: Wire) -> None:
    wire.answer(reply(model_response(CALL | {"result": b64(painting())})))
    response = client(wire).responses.create(model="gpt-y", input="a lake", tools=[{"type": "image_generation"}])
    assert type(response) is ModelResponse
    call = response.output[0]
    assert call.type == "image_generation_call"
    told = said(base64.b64decode(call.result or ""))
    assert (told.state, told.agent["name"], told.ours["requestId"]) == ("Trusted", "gpt-y-1", "resp_1")


def test_a_response_that_is_cancelled_or_fetched_later_brings_signed_pictures(wire: Wire) -> None:
    wire.answer(reply(model_response(CALL | {"result": b64(painting())})))
    responses = client(wire).responses
    for response in (responses.cancel("resp_1"), responses.retrieve("resp_1")):
        told = said(base64.b64decode(response.output[0].result))  # type: ignore[union-attr, arg-type]
        assert (told.state, told.source_type) == ("Trusted", "trainedAlgorithmicMedia")
    wire.server.clear()
    wire.answer(reply(model_response(CALL | {"result": b64(painting()), "action": None})))
    told = said(base64.b64decode(responses.retrieve("resp_1").output[0].result))  # type: ignore[union-attr, arg-type]
    assert told.source_type == "compositeWithTrainedAlgorithmicMedia"  # what it was asked with is not at hand


def test_an_edit_through_responses_has_the_picture_of_the_conversation_as_parent(wire: Wire) -> None:
    wire.answer(reply(model_response(CALL | {"result": b64(painting(2)), "action": "edit"})))
    content = [{"type": "input_text", "text": "more blue"}, {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{b64(painting(1))}"}]  # fmt: skip
    asked: Any = [{"role": "user", "content": content}]
    response = client(wire).responses.create(model="m", input=asked, tools=[{"type": "image_generation"}])
    told = said(base64.b64decode(response.output[0].result))  # type: ignore[union-attr, arg-type]
    assert told.labels == ["c2pa.opened", "c2pa.edited"]
    assert told.source_type == "compositeWithTrainedAlgorithmicMedia"


def test_an_edit_of_an_earlier_turn_that_is_not_at_hand_is_a_composite_without_parent(wire: Wire) -> None:
    wire.answer(reply(model_response(CALL | {"result": b64(painting(2)), "action": "edit"})))
    response = client(wire).responses.create(model="m", input="bluer", previous_response_id="resp_0", tools=[{"type": "image_generation"}])  # fmt: skip
    told = said(base64.b64decode(response.output[0].result))  # type: ignore[union-attr, arg-type]
    assert (told.labels, told.source_type) == (["c2pa.created"], "compositeWithTrainedAlgorithmicMedia")


def user(*pictures: dict[str, Any], text: str = "more blue") -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "input_text", "text": text}, *({"type": "input_image"} | p for p in pictures)]}  # fmt: skip


def shown(content: bytes) -> dict[str, Any]:
    return {"image_url": f"data:image/png;base64,{b64(content)}"}


LINK = {"image_url": "https://example.org/photo.jpg"}


def drawn(wire: Wire, asked: Any, *before: dict[str, Any], action: str | None = None, **more: Any) -> Said:
    """What the signature says of a picture that is answered after `before`."""
    wire.server.clear()
    wire.answer(reply(model_response(*before, CALL | {"result": b64(painting(2)), "action": action})))
    response = client(wire).responses.create(model="m", input=asked, tools=[{"type": "image_generation"}], **more)
    return said(base64.b64decode(response.output[-1].result))


@pytest.mark.parametrize("action", [None, "auto", "edit"])
@pytest.mark.parametrize(
    ("asked", "more"),
    [
        ([user(LINK)], {}),
        ([user({"file_id": "file-1"})], {}),
        ([user({"type": "input_file", "file_url": "https://example.org/report.pdf"})], {}),
        ([user(LINK, shown(signed_upstream()))], {}),  # the link is the one that is changed
        ([user(), {"type": "image_generation_call", "id": "ig_0"}, user()], {}),
        ([user(), {"id": "ig_0"}, user()], {}),
        ([{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"} | LINK]}, user()], {}),
        ([{"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"} | LINK}, user()], {}),
        ([{"type": "compaction", "encrypted_content": "…"}, user()], {}),
        ("more blue", {"previous_response_id": "resp_0"}),
        ("more blue", {"conversation": "conv_0"}),
        ("more blue", {"prompt": {"id": "pmpt_0"}}),
        ("more blue", {"extra_body": {"previous_response_id": "resp_0"}}),
    ],
)  # fmt: skip
def test_a_picture_that_is_not_at_hand_may_have_gone_in(
    wire: Wire, asked: Any, more: dict[str, Any], action: str | None
) -> None:
    told = drawn(wire, asked, action=action, **more)
    assert (told.labels, told.source_type) == (["c2pa.created"], "compositeWithTrainedAlgorithmicMedia")


def test_a_picture_that_the_provider_calls_new_is_new_whatever_was_shown(wire: Wire) -> None:
    for asked in ([user(LINK)], [user(shown(painting(1)))], [user(shown(painting(1))), {"id": "msg_1"}, user()]):
        told = drawn(wire, asked, action="generate", previous_response_id="resp_0")
        assert (told.labels, told.source_type) == (["c2pa.created"], "trainedAlgorithmicMedia")


@pytest.mark.parametrize("action", [None, "edit"])
def test_the_picture_of_the_last_turn_is_the_parent(wire: Wire, action: str | None) -> None:
    made = {"type": "image_generation_call", "id": "ig_0", "status": "completed", "result": b64(signed_upstream())}
    photo, synthetic = shown(painting(1)), shown(signed_upstream())
    failed = made | {"status": "failed", "result": None}
    for asked, parents, source_type in (
        ([user(), made, user()], 1, "trainedAlgorithmicMedia"),
        ([user(), failed, user(synthetic)], 1, "trainedAlgorithmicMedia"),
        ([user(photo), made, user()], 1, "compositeWithTrainedAlgorithmicMedia"),  # the photograph may be in it again
        ([user(photo), {"role": "assistant", "content": "Yes?"}, user(synthetic)], 1, "compositeWithTrainedAlgorithmicMedia"),
        ([user(LINK), made, user()], 1, "compositeWithTrainedAlgorithmicMedia"),
        ([user(synthetic), user(photo)], 1, "compositeWithTrainedAlgorithmicMedia"),  # said in a row: one turn
        ([user(synthetic), made, user(photo)], 0, "compositeWithTrainedAlgorithmicMedia"),
    ):  # fmt: skip
        told = drawn(wire, asked, action=action)
        assert told.labels == ["c2pa.opened", "c2pa.edited"]
        assert told.source_type == source_type
        assert len(told.report["manifests"]) == 1 + parents  # which of the two it is: one of them brings a manifest
        assert [kind for kind, _ in told.ingredients].count("parentOf") == 1


def test_what_a_tool_of_the_providers_fetched_may_have_gone_in(wire: Wire) -> None:
    ran = {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "container_id": "c", "code": "…", "outputs": None}  # fmt: skip
    assert drawn(wire, "a lake", ran).source_type == "compositeWithTrainedAlgorithmicMedia"
    assert drawn(wire, "a lake", ran, action="generate").source_type == "trainedAlgorithmicMedia"
    assert drawn(wire, "a lake").source_type == "trainedAlgorithmicMedia"


def test_a_stream_names_the_model_and_the_response_as_an_answer_in_one_piece_does(wire: Wire) -> None:
    done = CALL | {"result": b64(painting(2))}
    wire.answer(
        events(
            {"type": "response.created", "response": model_response(), "sequence_number": 1},
            {"type": "response.output_item.done", "item": done, "output_index": 0, "sequence_number": 2},
            {"type": "response.completed", "response": model_response(done), "sequence_number": 3},
        )
    )
    _, item, _ = client(wire).responses.create(model="gpt-y", input="x", tools=[{"type": "image_generation"}], stream=True)  # fmt: skip
    told = said(base64.b64decode(item.item.result))  # type: ignore[union-attr, arg-type]
    assert (told.agent["name"], told.ours["requestId"]) == ("gpt-y-1", "resp_1")


def test_a_stream_of_responses_signs_one_picture_once_and_leaves_drafts_alone(wire: Wire) -> None:
    done = CALL | {"result": b64(painting(2))}
    wire.answer(
        events(
            {"type": "response.image_generation_call.partial_image", "item_id": "ig_1", "output_index": 0, "partial_image_index": 0, "partial_image_b64": b64(painting(1)), "sequence_number": 1},
            {"type": "response.output_item.done", "item": done, "output_index": 0, "sequence_number": 2},
            {"type": "response.completed", "response": model_response(done), "sequence_number": 3},
        )
    )  # fmt: skip
    partial, item, completed = client(wire).responses.create(model="m", input="x", tools=[{"type": "image_generation"}], stream=True)  # fmt: skip
    assert base64.b64decode(partial.partial_image_b64) == painting(1)  # type: ignore[union-attr]
    assert item.item.result == completed.response.output[0].result  # type: ignore[union-attr]
    assert said(base64.b64decode(item.item.result)).state == "Trusted"  # type: ignore[union-attr, arg-type]


def test_text_through_responses_is_left_alone(wire: Wire) -> None:
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "hello", "annotations": []}]}  # fmt: skip
    wire.answer(reply(model_response(message)))
    assert client(wire).responses.create(model="m", input="hi").output_text == "hello"


def chat(**message: Any) -> Response:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"} | message}
    return reply({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})


def test_chats_pass_as_long_as_they_answer_in_words(wire: Wire) -> None:
    wire.answer(chat(), chat(), chat(images=[{"image_url": {"url": "data:image/png;base64,AAAA"}}]))
    wrapped = client(wire)
    question: Any = [{"role": "user", "content": "hi"}]
    assert wrapped.chat.completions.create(model="m", messages=question).choices[0].message.content == "hello"
    bare = openai.AsyncOpenAI(api_key="sk", base_url=f"{wire.url}/v1", max_retries=0)
    answer = asyncio.run(assay.signed(bare, signer="dev:").chat.completions.create(model="m", messages=question))
    assert answer.choices[0].message.content == "hello"
    with pytest.raises(CannotDo, match="answered with a picture"):
        wrapped.chat.completions.create(model="m", messages=question)


def test_a_raw_retrieval_that_may_hold_a_picture_is_refused(wire: Wire) -> None:
    wire.answer(reply(model_response(CALL | {"result": b64(painting())})))
    wrapped = client(wire)
    assert is_signed(base64.b64decode(wrapped.responses.retrieve("resp_1").output[0].result))  # type: ignore[union-attr, arg-type]
    with pytest.raises(CannotDo, match="raw response"):
        wrapped.responses.with_raw_response.retrieve("resp_1")


def test_a_stream_closes_as_the_sdks_does(wire: Wire) -> None:
    common = {"background": "opaque", "created_at": 1, "output_format": "png", "quality": "low", "size": "96x64"}
    done = {"type": "image_generation.completed", "b64_json": b64(painting()), "usage": USAGE, **common}
    wire.answer(events(done))
    with client(wire).images.generate(prompt="x", model="m", stream=True) as stream:
        assert is_signed(base64.b64decode(next(stream).b64_json))
    assert stream.response.is_closed


def pictured_chunks() -> Response:
    pieces = [{"content": "he"}, {"images": [{"image_url": {"url": "data:image/png;base64,AAAA"}}]}]
    chunks = [{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": d}]} for d in pieces]  # fmt: skip
    return Response("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), content_type="text/event-stream")


PICTURED = {"images": [{"image_url": {"url": "data:image/png;base64,AAAA"}}]}


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda c, q: list(c.chat.completions.create(**q, stream=True)), pictured_chunks),
        (lambda c, q: list(c.chat.completions.stream(**q).__enter__()), pictured_chunks),
        (lambda c, q: c.chat.completions.parse(**q), lambda: chat(**PICTURED)),
        (lambda c, q: c.chat.completions.with_raw_response.create(**q), lambda: chat(**PICTURED)),
        (lambda c, q: c.beta.chat.completions.create(**q), lambda: chat(**PICTURED)),
    ],
)
def test_no_form_of_a_chat_lets_a_picture_by(wire: Wire, ask: Any, answer: Any) -> None:
    wire.answer(answer())
    with pytest.raises(CannotDo, match="answered with a picture"):
        ask(client(wire), {"model": "m", "messages": [{"role": "user", "content": "hi"}]})


def test_streamed_and_raw_chats_in_words_pass(wire: Wire) -> None:
    words = [{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"content": d}}]} for d in ("he", "llo")]  # fmt: skip
    streamed = Response("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in words), content_type="text/event-stream")
    wire.answer(streamed, pictured_chunks(), chat())
    question: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}

    async def asynchronously() -> list[str]:
        bare = openai.AsyncOpenAI(api_key="sk", base_url=f"{wire.url}/v1", max_retries=0)
        chats = assay.signed(bare, signer="dev:").chat.completions
        said_ = [chunk.choices[0].delta.content async for chunk in await chats.create(**question, stream=True)]
        with pytest.raises(CannotDo, match="answered with a picture"):
            [chunk async for chunk in await chats.create(**question, stream=True)]
        return said_

    assert asyncio.run(asynchronously()) == ["he", "llo"]
    raw = client(wire).chat.completions.with_raw_response.create(**question)
    assert raw.parse().choices[0].message.content == "hello"


def test_questions_about_pictures_pass_whatever_assay_knows_of_these(wire: Wire) -> None:
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "hello", "annotations": []}]}  # fmt: skip
    wire.answer(reply(model_response(message)))
    for url in (
        "data:image/x-icon;base64,AAABAAEA",
        f"data:image/png;base64,{base64.encodebytes(painting()).decode()}",
    ):
        asked: Any = [{"role": "user", "content": [{"type": "input_image", "image_url": url, "detail": "auto"}]}]
        assert client(wire).responses.create(model="m", input=asked).output_text == "hello"
