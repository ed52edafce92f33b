"""The image tool of OpenAI's Responses API.

Rules: a picture that stands in several events of one stream is signed once, and all of them bring the same bytes; helpers
that would let a picture slip by (`stream`, `connect`, raw forms) are refused where the image tool is asked for.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, wraps
from typing import Any

from openai import AsyncStream, Stream

from assay.provenance.asset import Asset
from assay.provenance.generating.attesting import Terms, carried
from assay.provenance.generating.provider import CannotDo, Pairs, Request, Result
from assay.provenance.generating.receiving import decoded, received
from assay.provenance.generating.wrapping.openai_stream import SignedAsyncStream, SignedStream, refuse_raw

_TOOL = "image_generation"


def sign_responses(resource: Any, terms: Terms, provider: str) -> None:
    """Replace the methods of a client's `responses` that can bring pictures."""
    asynchronous = type(resource).__name__.startswith("Async")
    for method in ("create", "parse", "retrieve", "cancel", "compact"):
        wrapped = (_signing_async if asynchronous else _signing)(getattr(resource, method), terms, provider)
        setattr(resource, method, wrapped)
    for method in ("stream", "connect"):
        setattr(resource, method, _refusing(getattr(resource, method), method))


def _signing(call: Callable[..., Any], terms: Terms, provider: str) -> Callable[..., Any]:
    @wraps(call)
    def signing(*positional: Any, **arguments: Any) -> Any:
        pictures = _Pictures(arguments, terms, provider)
        answer = call(*positional, **arguments)
        if isinstance(answer, Stream):
            return SignedStream(answer, pictures.sign_event)
        return pictures.sign_response(answer)

    return signing


def _signing_async(call: Callable[..., Any], terms: Terms, provider: str) -> Callable[..., Any]:
    @wraps(call)
    async def signing(*positional: Any, **arguments: Any) -> Any:
        pictures = _Pictures(arguments, terms, provider)
        answer = await call(*positional, **arguments)
        if isinstance(answer, AsyncStream):
            return SignedAsyncStream(answer, pictures.sign_event)
        return await asyncio.to_thread(pictures.sign_response, answer)

    return signing


class _Pictures:
    """The pictures of one call: what was asked for, and those that are signed already."""

    def __init__(self, arguments: Mapping[str, Any], terms: Terms, provider: str) -> None:
        self._terms, self._provider = terms, provider
        self._signed: dict[str, str] = {}  # hash of the text as received, text as signed
        asked = arguments.get("input")
        self._prompt = asked if isinstance(asked, str) else "\n".join(_texts(asked))
        self._model = model if isinstance(model := arguments.get("model"), str) else ""
        self._asked = asked
        if _wants_pictures(arguments):
            refuse_raw(arguments)
            terms.permit(Request(prompt=self._prompt, model=self._model, inputs=self._inputs))

    @cached_property
    def _inputs(self) -> tuple[Asset, ...]:
        """The pictures that came along; where none is answered nobody looks at them, for text passes as ever."""
        return tuple(Asset.from_bytes(content, name="input") for content in _pictures(self._asked))

    def sign_event(self, event: Any) -> Any:
        """Sign what a finished item or response brings; partial images stay as they are."""
        if event.type == "response.output_item.done":
            self._sign(event.item, "", "")
        elif hasattr(event, "response"):
            self.sign_response(event.response)
        return event

    def sign_response(self, response: Any) -> Any:
        for item in getattr(response, "output", None) or ():
            self._sign(item, str(response.model or ""), str(response.id or ""))
        if not hasattr(response, "output") and _raw(response):
            raise CannotDo("a raw response may hold a picture that would leave unsigned", "call the method itself")
        return response

    def _sign(self, item: Any, model: str, response_id: str) -> None:
        if getattr(item, "type", "") != "image_generation_call" or not item.result or item.status == "generating":
            return
        key = hashlib.sha256(item.result.encode()).hexdigest()
        if key not in self._signed:
            self._signed[key] = self._attested(item, model, response_id)
            self._signed[hashlib.sha256(self._signed[key].encode()).hexdigest()] = self._signed[key]
        item.result = self._signed[key]

    def _attested(self, item: Any, model: str, response_id: str) -> str:
        edited = item.action == "edit" or (item.action != "generate" and bool(self._inputs))
        settings: Pairs = tuple(
            (name, value)
            for name in ("action", "size", "quality", "background")
            if (value := getattr(item, name, None))
        )
        output = received(
            decoded(item.result, provider=self._provider),
            provider=self._provider,
            revised_prompt=item.revised_prompt or "",
            request_id=response_id or item.id,
            parameters=settings,
        )
        request = Request(
            prompt=self._prompt,
            model=self._model,
            inputs=self._inputs if edited else (),
            unseen=edited and not self._inputs,
            references=() if edited else self._inputs,
        )
        answer = Result(provider=self._provider, model_requested=self._model, model_returned=model, outputs=(output,))
        return base64.b64encode(carried(self._terms.sign(request, answer, output))).decode()


def _wants_pictures(arguments: Mapping[str, Any]) -> bool:
    tools = arguments.get("tools")
    return any(_of(tool, "type") == _TOOL for tool in tools) if isinstance(tools, list | tuple) else False


def _refusing(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(call)
    def refusing(*positional: Any, **arguments: Any) -> Any:
        if name == "connect" or _wants_pictures(arguments):
            raise CannotDo(f"pictures from responses.{name} would leave unsigned", "use responses.create(stream=True)")
        return call(*positional, **arguments)

    return refusing


def _raw(response: Any) -> bool:
    return "APIResponse" in type(response).__name__


def _parts(asked: Any) -> Iterator[Any]:
    for message in asked if isinstance(asked, list | tuple) else ():
        content = _of(message, "content")
        yield from content if isinstance(content, list | tuple) else ([{"text": content}] if content else [])


def _texts(asked: Any) -> Iterator[str]:
    return (text for part in _parts(asked) if isinstance(text := _of(part, "text"), str))


def _pictures(asked: Any) -> Iterator[bytes]:
    """Pictures that come along as data URLs; those behind links and file identifiers are not at hand."""
    for part in _parts(asked):
        url = _of(part, "image_url")
        if isinstance(url, str) and url.startswith("data:image/") and ";base64," in url:
            yield decoded(url.partition(";base64,")[2], provider="the caller")


def _of(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
