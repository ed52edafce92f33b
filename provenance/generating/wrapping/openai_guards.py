"""The ways by which a picture could leave an OpenAI client unsigned, each closed.

Rules: text passes as ever; what is refused is refused before the call, except where only the answer shows a picture.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

from openai import AsyncOpenAI, AsyncStream, Stream

from assay.provenance.generating.provider import CannotDo
from assay.provenance.generating.wrapping.openai_stream import SignedAsyncStream, SignedStream
from assay.provenance.generating.wrapping.refusing import Refusing

_HINT = "use images.generate, or responses.create with the image tool"


def guard(client: Any) -> None:
    """Close them on a clone whose `images` and `responses` sign already."""
    client.__dict__["videos"] = Refusing("videos")
    client.beta.__dict__ |= {name: Refusing(f"beta.{name}") for name in ("responses", "agents")}
    client.conversations.__dict__["items"] = Refusing("conversations.items")
    client.responses.__dict__["input_items"] = Refusing("responses.input_items")
    client.batches.create = _without_image_batches(client.batches.create)
    completions = client.chat.completions
    for method in ("create", "parse"):  # `stream` calls `create`
        setattr(
            completions,
            method,
            _without_image_answers(getattr(completions, method), asynchronous=isinstance(client, AsyncOpenAI)),
        )
    client.beta.__dict__["chat"] = client.chat


def _without_image_batches(create: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(create)
    def guarded(**arguments: Any) -> Any:
        if "/images" in str(arguments.get("endpoint")):
            raise CannotDo("a batch of images would leave unsigned", "ask for them one by one")
        return create(**arguments)

    return guarded


def _without_image_answers(create: Callable[..., Any], *, asynchronous: bool) -> Callable[..., Any]:
    """Some services behind this interface answer chats with pictures, where the SDK has no place for them."""

    def asked(arguments: Mapping[str, Any]) -> None:
        body = arguments.get("extra_body")
        wishes = [arguments.get("modalities"), body.get("modalities") if isinstance(body, Mapping) else None]
        if any("image" in wish for wish in wishes if isinstance(wish, list | tuple)):
            raise CannotDo("pictures from a chat would leave unsigned", _HINT)

    def answered(response: Any) -> Any:
        match response:
            case Stream():
                return SignedStream(response, answered)
            case AsyncStream():
                return SignedAsyncStream(response, answered, at_once=True)
        if any(_pictures(response)):
            raise CannotDo("the chat answered with a picture that would leave unsigned", _HINT)
        return response

    if asynchronous:  # not to be told from the method itself, which the SDK wraps in a plain function

        @wraps(create)
        async def guarded_async(**arguments: Any) -> Any:
            asked(arguments)
            return answered(await create(**arguments))

        return guarded_async

    @wraps(create)
    def guarded(**arguments: Any) -> Any:
        asked(arguments)
        return answered(create(**arguments))

    return guarded


def _pictures(response: Any) -> Iterator[Any]:
    """What an answer, a piece of a streamed one, or a raw one that has arrived whole holds beside its words."""
    raw = getattr(response, "http_response", None)
    if raw is not None:
        try:
            body = raw.json() if raw.is_closed else {}
        except ValueError:
            return
        choices = body.get("choices") if isinstance(body, dict) else ()
        yield from ((choice.get("message") or {}).get("images") for choice in choices or ())
        return
    for choice in getattr(response, "choices", None) or ():
        said = getattr(choice, "message", None) or getattr(choice, "delta", None)
        yield (getattr(said, "model_extra", None) or {}).get("images")
