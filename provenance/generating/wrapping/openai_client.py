"""The OpenAI SDK's clients, synchronous or not, of OpenAI, Azure or anything that speaks the same interface.

Rules: the clone is of the same class and shares the connection; partial images of a stream are drafts and stay as they are,
the completed one is signed; raw responses, links instead of bytes, videos and image batches are refused.
"""

import asyncio
import base64
import copy
import re
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openai import AsyncOpenAI, AsyncStream, AzureOpenAI, OpenAI, Stream
from openai.lib.azure import AsyncAzureOpenAI
from openai.types import ImagesResponse

from assay.provenance.asset import Asset
from assay.provenance.generating.attesting import Terms, carried
from assay.provenance.generating.openai import result, usage
from assay.provenance.generating.provider import CannotDo, Pairs, Request, Result
from assay.provenance.generating.receiving import decoded, received
from assay.provenance.generating.wrapping.openai_guards import guard
from assay.provenance.generating.wrapping.openai_stream import SignedAsyncStream, SignedStream, refuse_raw
from assay.provenance.generating.wrapping.responses import sign_responses

_RESOURCES = (
    "images", "responses", "beta", "conversations", "batches", "chat", "videos", "with_raw_response", "with_streaming_response",
)  # fmt: skip
_RECORDED = (
    "size",
    "quality",
    "background",
    "moderation",
    "output_format",
    "output_compression",
    "style",
    "input_fidelity",
)


def wrap(client: Any, terms: Terms, *, provider: str = "") -> Any:
    """A clone of `client` whose pictures are signed. `provider` overrides the name that is recorded."""
    clone = copy.copy(client)
    for resource in _RESOURCES:
        clone.__dict__.pop(resource, None)  # what the original made for itself leads around the clone
    name = provider or provider_name(client)

    def copied(**changes: Any) -> Any:
        return wrap(client.copy(**changes), terms, provider=provider)

    clone.__dict__ |= {"copy": copied, "with_options": copied}
    images = clone.images
    for method in ("generate", "edit", "create_variation"):
        signing = _signing_async if isinstance(client, AsyncOpenAI) else _signing
        setattr(images, method, signing(getattr(images, method), terms, name))
    sign_responses(clone.responses, terms, name)
    guard(clone)
    return clone


def provider_name(client: OpenAI | AsyncOpenAI) -> str:
    """Who stands behind a client: openai, azure, or else the host that it talks to."""
    if isinstance(client, AzureOpenAI | AsyncAzureOpenAI):
        return "azure"
    host = urlsplit(str(client.base_url)).hostname or ""
    return "openai" if host == "api.openai.com" else host


def _signing(call: Callable[..., Any], terms: Terms, provider: str) -> Callable[..., Any]:
    @wraps(call)
    def signing(**arguments: Any) -> Any:
        request = _request(arguments)
        terms.permit(request)
        answer = call(**arguments)
        if isinstance(answer, Stream):
            return SignedStream(answer, lambda event: _sign_event(event, request, terms, provider))
        return _sign_response(answer, request, terms, provider)

    return signing


def _signing_async(call: Callable[..., Any], terms: Terms, provider: str) -> Callable[..., Any]:
    @wraps(call)
    async def signing(**arguments: Any) -> Any:
        request = _request(arguments)
        terms.permit(request)
        answer = await call(**arguments)
        if isinstance(answer, AsyncStream):
            return SignedAsyncStream(answer, lambda event: _sign_event(event, request, terms, provider))
        return await asyncio.to_thread(_sign_response, answer, request, terms, provider)

    return signing


def _sign_response(response: Any, request: Request, terms: Terms, provider: str) -> Any:
    if not isinstance(response, ImagesResponse):
        raise CannotDo(f"a {type(response).__name__} cannot be signed", "call the method itself, not a raw form of it")
    answer = result(response, provider=provider, model=request.model)
    pictures = [image for image in response.data or () if image.b64_json]
    for image, output in zip(pictures, answer.outputs, strict=True):
        image.b64_json = encoded(carried(terms.sign(request, answer, output)))
    return response


def _sign_event(event: Any, request: Request, terms: Terms, provider: str) -> Any:
    """Sign what a `….completed` event brings; a `….partial_image` stays what it is."""
    if not event.type.endswith(".completed"):
        return event
    output = received(decoded(event.b64_json, provider=provider), provider=provider)
    extra = event.model_extra or {}
    answer = Result(
        provider=provider,
        model_requested=request.model,
        model_returned=str(extra.get("model") or ""),
        outputs=(output,),
        usage=usage(event.usage),
    )
    event.b64_json = encoded(carried(terms.sign(request, answer, output)))
    return event


def _request(arguments: dict[str, Any]) -> Request:
    """The call in assay's words. Refuses what could not be signed afterwards."""
    refuse_raw(arguments)
    if arguments.get("response_format") == "url":
        raise CannotDo("a link cannot be signed", "ask for response_format=b64_json")
    recorded: Pairs = tuple((k, arguments[k]) for k in _RECORDED if isinstance(arguments.get(k), str | int))
    model, prompt, count = arguments.get("model"), arguments.get("prompt"), arguments.get("n")
    return Request(
        prompt=prompt if isinstance(prompt, str) else "",
        model=model if isinstance(model, str) else "",
        count=count if isinstance(count, int) else 1,
        inputs=tuple(map(_asset, _several(arguments.get("image")))),
        mask=_asset(arguments["mask"]) if _given(arguments.get("mask")) else None,
        references=(_asset(arguments["markup"]),) if _given(arguments.get("markup")) else (),
        unseen=_may_hold_picture(arguments.get("extra_body")),
        parameters=recorded,
    )


def encoded(content: bytes) -> str:
    """Bytes as base64 text."""
    return base64.b64encode(content).decode()


def _may_hold_picture(sent: Any) -> bool:
    """Whether there is a link, a data URL or base64 in it: services behind this interface take pictures in fields of their own."""
    if isinstance(sent, str):
        return re.match(r"\w+://|data:|[\w+/-]{200}", sent) is not None
    if isinstance(sent, Mapping | list | tuple):
        return any(map(_may_hold_picture, sent.values() if isinstance(sent, Mapping) else sent))
    return False


def _several(image: Any) -> list[Any]:
    if not _given(image):
        return []
    return list(image) if isinstance(image, list) else [image]


def _given(value: Any) -> bool:
    return value is not None and type(value).__name__ not in ("Omit", "NotGiven")


def _asset(file: Any) -> Asset:
    """Any of the forms in which the SDK takes a file; an open file is read and put back where it was."""
    name = "input"
    if isinstance(file, tuple):
        name, file = file[0] or name, file[1]
    if isinstance(file, str | Path):
        return Asset.open(Path(file))
    if not isinstance(file, bytes | bytearray):
        try:
            position = file.tell()
            content = file.read()
            file.seek(position)
        except (AttributeError, OSError) as error:
            raise CannotDo("the input picture can be read only once", "hand it over as bytes") from error
        return Asset.from_bytes(content, name=Path(str(getattr(file, "name", name))).name)
    return Asset.from_bytes(bytes(file), name=Path(str(name)).name)
