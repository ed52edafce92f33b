"""`google.genai.Client`, synchronous and through `.aio`: Gemini's pictures, chats included, and Imagen's on Vertex.

Rules: every finished picture part is signed, text and a thinking model's drafts stay as they are; the picture that a call
changes is the last one said to the model; interfaces whose pictures do not pass through here are refused.
"""

import asyncio
import copy
import io
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from typing import Any

from google.genai import types
from google.genai.client import AsyncClient
from PIL import Image

from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError
from assay.provenance.generating.attesting import Terms, carried
from assay.provenance.generating.google import NAME, image_parts, imagen_result, result
from assay.provenance.generating.provider import CannotDo, Pairs, Request
from assay.provenance.generating.wrapping.refusing import Refusing, refusing

_UNSIGNED = ("batches", "live", "interactions", "agents", "triggers")
_UNSIGNED_METHODS = ("edit_image", "upscale_image", "recontext_image", "generate_videos")
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
    """The call in assay's words: the last turn's text, and the pictures in it; failing these, the last picture before."""
    turns = list(_turns(arguments.get("contents")))
    texts, pictures = turns[-1] if turns else ([], [])
    if not pictures:
        pictures = next((earlier[-1:] for _, earlier in reversed(turns[:-1]) if earlier), [])
    inputs = tuple(picture for picture in pictures if picture is not None)
    config = _config(arguments.get("config"), types.GenerateContentConfig)
    image = config.image_config or types.ImageConfig()
    return Request(
        prompt="\n".join(texts),
        model=str(arguments.get("model", "")),
        seed=config.seed,
        inputs=inputs,
        unseen=bool(pictures) and not inputs,
        parameters=_recorded(image),
    )


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


Turn = tuple[list[str], list[Asset | None]]  # texts, and pictures: None for one that is a file at the provider's


def _turns(contents: Any) -> Iterator[Turn]:
    """The conversation as texts and pictures per turn; loose parts make one turn together, as in the SDK."""
    loose: Turn = ([], [])
    for item in contents if isinstance(contents, list | tuple) else [contents]:
        parts = item.get("parts") if isinstance(item, dict) else getattr(item, "parts", None)
        if parts is None:
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


def _sort(part: Any, texts: list[str], pictures: list[Asset | None]) -> None:
    if isinstance(part, str):
        texts.append(part)
    elif isinstance(part, Image.Image):
        buffer = io.BytesIO()
        part.save(buffer, "PNG")
        pictures.append(Asset.from_bytes(buffer.getvalue(), name="input.png"))
    elif isinstance(part, dict) and not ({"text", "inline_data", "inlineData", "file_data", "fileData"} & part.keys()):
        return  # function calls …: nothing at hand
    else:
        parsed = types.Part.model_validate(part) if isinstance(part, dict) else part
        if text := getattr(parsed, "text", None):
            texts.append(text)
        stored = parsed if isinstance(parsed, types.File) else getattr(parsed, "file_data", None)
        if stored and (stored.mime_type or "").startswith("image/"):
            pictures.append(None)
        blob = getattr(parsed, "inline_data", None)
        if blob and blob.data and (blob.mime_type or "").startswith("image/"):
            try:
                pictures.append(Asset.from_bytes(blob.data, name="input"))
            except AssayError as error:
                raise CannotDo(f"an input picture cannot be recorded: {error.message}", error.hint) from error
