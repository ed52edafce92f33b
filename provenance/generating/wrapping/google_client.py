"""`google.genai.Client`, synchronous and through `.aio`: Gemini's pictures, chats included, and Imagen's on Vertex.

Rules: every finished picture part is signed, text and a thinking model's drafts stay as they are; what goes into a picture is
what the SDK sends, whatever form it was handed over in; interfaces whose pictures do not pass through here are refused.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from typing import Any

from google.genai import types
from google.genai.client import AsyncClient

from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError
from assay.provenance.generating.attesting import Terms, carried
from assay.provenance.generating.google import NAME, image_parts, imagen_result, result
from assay.provenance.generating.provider import CannotDo, Pairs, Request
from assay.provenance.generating.wrapping.conversation import Pictures, with_pictures
from assay.provenance.generating.wrapping.refusing import Refusing, refusing
from assay.provenance.media_type import sniff

_UNSIGNED = ("batches", "live", "interactions", "agents", "triggers")
_UNSIGNED_METHODS = ("edit_image", "upscale_image", "recontext_image", "generate_videos")
_WITHOUT_PICTURES = ("text/", "audio/")
_RECORDED = ("aspect_ratio", "image_size", "person_generation", "output_mime_type", "output_compression_quality")


def wrap(client: Any, terms: Terms, *, provider: str = NAME) -> Any:
    """A clone of `client`, of a class derived from its own, whose pictures are signed."""
    asynchronous = isinstance(client, AsyncClient)
    members: dict[str, Any] = {
        "models": _models(client, terms, provider, asynchronous=asynchronous),
        **{name: Refusing(name) for name in _UNSIGNED},
        "__del__": lambda self: None,  # the original closes the connection that both share
    }
    if not asynchronous:
        members["aio"] = wrap(client.aio, terms, provider=provider)
    clone = copy.copy(client)
    kind = type(client)
    clone.__class__ = type(kind.__name__, (kind,), members)
    return clone


def _models(client: Any, terms: Terms, provider: str, *, asynchronous: bool) -> Any:
    models = copy.copy(client.models)
    models.original = client  # which closes the connection when nobody holds it any more
    signing = _signing_async if asynchronous else _signing
    models.generate_content = signing(models.generate_content, _content_request, _sign_content, terms, provider)
    models.generate_images = signing(models.generate_images, _imagen_request, _sign_imagen, terms, provider)
    stream = _streaming_async if asynchronous else _streaming
    models.generate_content_stream = stream(models.generate_content_stream, terms, provider)
    for method in _UNSIGNED_METHODS:
        setattr(models, method, refusing(method))
    return models


Reading = Callable[[dict[str, Any]], Request]
Signing = Callable[[Any, Request, Terms, str], Any]


def _signing(call: Callable[..., Any], read: Reading, sign: Signing, terms: Terms, provider: str) -> Callable[..., Any]:
    @wraps(call)
    def signing(**arguments: Any) -> Any:
        request = read(arguments)
        terms.permit(request)
        return sign(call(**arguments), request, terms, provider)

    return signing


def _signing_async(
    call: Callable[..., Any], read: Reading, sign: Signing, terms: Terms, provider: str
) -> Callable[..., Any]:
    @wraps(call)
    async def signing(**arguments: Any) -> Any:
        request = read(arguments)
        terms.permit(request)
        return await asyncio.to_thread(sign, await call(**arguments), request, terms, provider)

    return signing


def _streaming(call: Callable[..., Any], terms: Terms, provider: str) -> Callable[..., Any]:
    @wraps(call)
    def streaming(**arguments: Any) -> Iterator[Any]:
        request = _content_request(arguments)
        terms.permit(request)
        return (_sign_content(chunk, request, terms, provider) for chunk in call(**arguments))

    return streaming


def _streaming_async(call: Callable[..., Any], terms: Terms, provider: str) -> Callable[..., Any]:
    @wraps(call)
    async def streaming(**arguments: Any) -> AsyncIterator[Any]:
        request = _content_request(arguments)
        terms.permit(request)
        chunks = await call(**arguments)

        async def passing() -> AsyncIterator[Any]:
            async for chunk in chunks:
                yield await asyncio.to_thread(_sign_content, chunk, request, terms, provider)

        return passing()

    return streaming


def _sign_content(response: Any, request: Request, terms: Terms, provider: str) -> Any:
    parts = list(image_parts(response))
    if any(not (part.inline_data and part.inline_data.data) for part in parts):
        raise CannotDo("an image part without bytes cannot be signed")
    if not parts:
        return response
    answer = result(response, model=request.model, seed=request.seed, provider=provider)
    for part, output in zip(parts, answer.outputs, strict=True):
        assert part.inline_data is not None
        part.inline_data.data = carried(terms.sign(request, answer, output))
    return response


def _sign_imagen(response: Any, request: Request, terms: Terms, provider: str) -> Any:
    answer = imagen_result(response, model=request.model, provider=provider)
    pictures = [one.image for one in response.generated_images or () if one.image and one.image.image_bytes]
    for picture, output in zip(pictures, answer.outputs, strict=True):
        picture.image_bytes = carried(terms.sign(request, answer, output))
    return response


def _content_request(arguments: dict[str, Any]) -> Request:
    """The call in assay's words: the last turn's text, and the pictures of the whole conversation."""
    config = _config(arguments.get("config"), types.GenerateContentConfig)
    if config.should_return_http_response:
        raise CannotDo("a raw response would leave unsigned", "leave out should_return_http_response")
    kept: list[Pictures] = [[None]] if config.cached_content else []
    instruction = list(_turns(config.system_instruction)) if config.system_instruction else []
    turns = list(_turns(arguments.get("contents")))
    request = Request(
        prompt="\n".join(turns[-1][0]) if turns else "",
        model=str(arguments.get("model", "")),
        seed=config.seed,
        parameters=_recorded(config.image_config or types.ImageConfig()),
    )
    return with_pictures(request, [*kept, *(pictures for _, pictures in (*instruction, *turns))])


def _imagen_request(arguments: dict[str, Any]) -> Request:
    config = _config(arguments.get("config"), types.GenerateImagesConfig)
    if config.output_gcs_uri:
        raise CannotDo("a picture in a bucket would stay unsigned", "leave out output_gcs_uri")
    return Request(
        prompt=str(arguments.get("prompt", "")),
        model=str(arguments.get("model", "")),
        count=config.number_of_images or 1,
        seed=config.seed,
        parameters=_recorded(config),
    )


def _config(config: Any, kind: Any) -> Any:
    return config if isinstance(config, kind) else kind.model_validate(config or {})


def _recorded(settings: Any) -> Pairs:
    return tuple((name, str(value)) for name in _RECORDED if (value := getattr(settings, name, None)) is not None)


Turn = tuple[list[str], Pictures]


def _turns(contents: Any) -> Iterator[Turn]:
    """The conversation as texts and pictures per turn; loose parts make one turn together, as in the SDK."""
    loose: Turn = ([], [])
    for item in contents if isinstance(contents, list | tuple) else [contents]:
        match item:
            case list():
                parts = item
            case types.Content():
                parts = item.parts or []
            case dict() if item.keys() & {"role", "parts"}:
                parts = item.get("parts") or []
            case _:
                _sort(item, *loose)
                continue
        if any(loose):
            yield loose
            loose = ([], [])
        turn: Turn = ([], [])
        for part in parts:
            _sort(part, *turn)
        yield turn
    if any(loose):
        yield loose


def _sort(part: Any, texts: list[str], pictures: Pictures) -> None:
    said = types.UserContent(part).parts[0]  # read as the SDK reads it
    if said.text:
        texts.append(said.text)
    if said.thought:  # a draft of the model's own
        return
    answered = said.function_response and said.function_response.parts
    for one in (said, *(answered or ())):
        for data in (one.inline_data, one.file_data):
            if data and not (data.mime_type or "").lower().startswith(_WITHOUT_PICTURES):
                pictures.append(_picture(data))


def _picture(data: Any) -> Asset | None:
    """None for a file at the provider's, and for a document or a film: there may be pictures in it."""
    content = getattr(data, "data", None)
    if not content or not (sniff(content) or (data.mime_type or "").lower().startswith("image/")):
        return None
    try:
        return Asset.from_bytes(content, name="input")
    except AssayError as error:
        raise CannotDo(f"an input picture cannot be recorded: {error.message}", error.hint) from error
