"""The image tool of OpenAI's Responses API.

Rules: a picture that stands in several events of one stream is signed once, and all of them bring the same bytes; helpers
that would let a picture slip by (`stream`, `connect`, raw forms) are refused where the image tool is asked for; unless the
provider says that a picture is new, whatever was or may have been shown to the model may have gone into it.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, wraps
from itertools import groupby
from typing import Any

from openai import AsyncStream, Stream

from assay.provenance.asset import Asset
from assay.provenance.generating.attesting import Terms, carried
from assay.provenance.generating.provider import CannotDo, Pairs, Request, Result
from assay.provenance.generating.receiving import decoded, received
from assay.provenance.generating.wrapping.conversation import Pictures, with_pictures
from assay.provenance.generating.wrapping.openai_stream import SignedAsyncStream, SignedStream, refuse_raw

_TOOL = "image_generation"
_KEPT = ("previous_response_id", "conversation", "prompt")  # arguments that bring in what is kept at the provider's
_OPAQUE = (  # items that may stand for pictures, or fetch some for the model to see
    "item_reference", "compaction", "code_interpreter_call", "mcp_call", "shell_call_output", "program_output",
)  # fmt: skip
_LINKS = ("image_url", "file_data", "file_id", "file_url", "url")  # where the parts of an item keep a picture or a file


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
        self._arguments = {**arguments, **(arguments.get("extra_body") or {})}
        self._model, self._response_id = "", ""  # as answered
        self._fetched = False  # whether a tool of the provider's may have shown the model a picture
        if _wants_pictures(self._arguments):
            refuse_raw(arguments)
            terms.permit(self._request)

    @cached_property
    def _request(self) -> Request:
        """The call in assay's words; where no picture is answered nobody looks at those asked with: text passes as ever."""
        asked, model = self._arguments.get("input"), self._arguments.get("model")
        request = Request(
            prompt=asked if isinstance(asked, str) else "\n".join(_texts(asked)),
            model=model if isinstance(model, str) else "",
        )
        return with_pictures(request, list(_turns(self._arguments)))

    def sign_event(self, event: Any) -> Any:
        """Sign what a finished item or response brings; partial images stay as they are."""
        if event.type == "response.output_item.done":
            self._sign(event.item)
        elif hasattr(event, "response"):
            self.sign_response(event.response)
        return event

    def sign_response(self, response: Any) -> Any:
        self._model, self._response_id = (str(getattr(response, name, None) or "") for name in ("model", "id"))
        for item in getattr(response, "output", None) or ():
            self._sign(item)
        if not hasattr(response, "output") and _raw(response):
            raise CannotDo("a raw response may hold a picture that would leave unsigned", "call the method itself")
        return response

    def _sign(self, item: Any) -> None:
        kind = getattr(item, "type", "")
        self._fetched = self._fetched or kind in _OPAQUE
        if kind != "image_generation_call" or not item.result or item.status == "generating":
            return
        key = hashlib.sha256(item.result.encode()).hexdigest()
        if key not in self._signed:
            self._signed[key] = self._attested(item)
            self._signed[hashlib.sha256(self._signed[key].encode()).hexdigest()] = self._signed[key]
        item.result = self._signed[key]

    def _attested(self, item: Any) -> str:
        request = self._request
        if item.action == "generate":
            shown = (*request.inputs, *request.references)
            request = replace(request, inputs=(), references=shown, earlier=(), unseen=False)
        elif self._fetched or (item.action == "edit" and not request.inputs):
            request = replace(request, unseen=True)
        settings: Pairs = tuple(
            (name, value)
            for name in ("action", "size", "quality", "background")
            if (value := getattr(item, name, None))
        )
        output = received(
            decoded(item.result, provider=self._provider),
            provider=self._provider,
            revised_prompt=item.revised_prompt or "",
            request_id=self._response_id or item.id,
            parameters=settings,
        )
        answer = Result(
            provider=self._provider, model_requested=request.model, model_returned=self._model, outputs=(output,)
        )
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


def _texts(asked: Any) -> Iterator[str]:
    for message in asked if isinstance(asked, list | tuple) else ():
        content = _of(message, "content")
        for part in content if isinstance(content, list | tuple) else ({"text": content},):
            if isinstance(text := _of(part, "text"), str):
                yield text


def _turns(arguments: Mapping[str, Any]) -> Iterator[Pictures]:
    """The pictures of the conversation turn by turn: what the user says in a row, and what stands between."""
    asked = arguments.get("input")
    kept = any(isinstance(arguments.get(name), str | Mapping) for name in _KEPT)
    if kept or not isinstance(asked, str | list | tuple):  # without an input: a response that is fetched later
        yield [None]
    items = asked if isinstance(asked, list | tuple) else ()
    for _, turn in groupby(items, key=lambda item: bool(_of(item, "role") == "user")):
        yield [picture for item in turn for picture in _pictures(item)]


def _pictures(item: Any) -> Iterator[Asset | None]:
    """The pictures in one item, said, made or found by a tool. A file counts as one: it may hold pictures."""
    kind = _of(item, "type")
    if kind == "image_generation_call":
        if _of(item, "status") != "failed":
            result = _of(item, "result")
            yield _asset(result) if result else None
    elif kind in _OPAQUE or not (kind or _of(item, "role")):  # the type of a reference may be left out
        yield None
    for name in ("content", "output", "outputs"):
        parts = _of(item, name)
        for part in parts if isinstance(parts, list | tuple) else (parts,):
            link = next((link for key in _LINKS if isinstance(link := _of(part, key), str)), "")
            if link.startswith("data:image/") and ";base64," in link:
                yield _asset(link.partition(";base64,")[2])
            elif link:
                yield None


def _asset(text: str) -> Asset:
    return Asset.from_bytes(decoded(text, provider="the caller"), name="input")


def _of(thing: Any, name: str) -> Any:
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
