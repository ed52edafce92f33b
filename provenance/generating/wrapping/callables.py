"""Any function that returns bytes, a Pillow image or a path, synchronous or not, and lists or tuples of these.

Rules: the arguments are recorded only where they are named in `record`, for one of them may be a key; a file is signed into
a new one beside it and the new path is returned; what comes back and is none of these is refused.
"""

import asyncio
import inspect
import io
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any

from PIL import Image

from assay.provenance.asset import Asset
from assay.provenance.errors import OutputRefused
from assay.provenance.generating.attesting import Terms, carried
from assay.provenance.generating.provider import CannotDo, Pairs, Request, Result
from assay.provenance.generating.receiving import received
from assay.provenance.generating.wrapping.picture import SignedPicture, encode
from assay.provenance.media_type import sniff
from assay.provenance.replacing import replacing
from assay.provenance.signing.ingredients import own_sidecar
from assay.provenance.signing.recipe import SourceType
from assay.provenance.signing.signing import Signed


def wrap(
    function: Callable[..., Any],
    terms: Terms,
    *,
    provider: str = "",
    model: str = "",
    version: str = "",
    source_type: str = SourceType.TRAINED_ALGORITHMIC_MEDIA,
    prompt: str = "prompt",
    edits: str = "",
    record: Iterable[str] = (),
) -> Callable[..., Any]:
    """Wrap a function. `prompt`, `edits` (the picture that it changes) and `record` name arguments of it.

    Any other picture among the arguments may have gone in too, so that the answer is not called wholly made by a model.

    `provider` defaults to the function's own name, `source_type` to trainedAlgorithmicMedia: say so if it is another.
    """
    runs = (function, type(function).__call__)  # what runs when an object is called stands in its class
    if any(inspect.isgeneratorfunction(run) or inspect.isasyncgenfunction(run) for run in runs):
        raise CannotDo("a generator cannot be wrapped", "wrap the function that makes one picture")
    name = provider or getattr(function, "__name__", type(function).__name__)
    signature = inspect.signature(function)
    loose = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), "")
    recorded = tuple(record)

    def asked(positional: tuple[Any, ...], named: Mapping[str, Any]) -> Request:
        bound = signature.bind(*positional, **named)
        bound.apply_defaults()
        values = {**bound.arguments, **bound.arguments.get(loose, {})}
        parameters: Pairs = tuple((k, v) for k in recorded if isinstance(v := values.get(k), str | int | float | bool))
        source = values.get(edits) if edits else None
        request = Request(
            prompt=text if isinstance(text := values.get(prompt), str) else "",
            model=model,
            inputs=(_asset(source),) if source is not None else (),
            unseen=any(_is_picture(value) for name, value in values.items() if name != edits),
            parameters=parameters,
        )
        terms.permit(request)
        return request

    def attested(value: Any, request: Request) -> Any:
        def sign(content: bytes, sidecar: bytes | None = None, *, complete: bool = True) -> Signed:
            output = received(content, provider=name, source_type=source_type, sidecar=sidecar)
            answer = Result(
                provider=name, provider_version=version, model_requested=model, model_returned=model, outputs=(output,)
            )
            return terms.sign(request, answer, output, complete=complete)

        return _signed(value, sign)

    if any(map(inspect.iscoroutinefunction, runs)):

        @wraps(function)
        async def signing_async(*positional: Any, **named: Any) -> Any:
            request = asked(positional, named)
            return await asyncio.to_thread(attested, await function(*positional, **named), request)

        return signing_async

    @wraps(function)
    def signing(*positional: Any, **named: Any) -> Any:
        request = asked(positional, named)
        return attested(function(*positional, **named), request)

    return signing


def _signed(value: Any, sign: Callable[..., Signed]) -> Any:
    match value:
        case bytes() | bytearray():
            return carried(sign(bytes(value)))
        case Image.Image():
            return SignedPicture.of(value, partial(sign, complete=False))  # in memory, anybody may have drawn on it
        case Path():
            return _beside(value, sign)
        case str():
            if not Path(value).is_file():
                raise CannotDo(
                    "the function returned a text that names no file", "return bytes, a Pillow image or a path"
                )
            return str(_beside(Path(value), sign))
        case list() | tuple():
            several = [_signed(one, sign) for one in value]
            return value._make(several) if hasattr(value, "_make") else type(value)(several)  # a named tuple
    raise CannotDo(
        f"the function returned a {type(value).__name__}, which cannot be signed",
        "return bytes, a Pillow image or a path",
    )


def _beside(path: Path, sign: Callable[..., Signed]) -> Path:
    """Sign a file into a new one beside it: `name-signed.png`, or with a number where that exists."""
    asset = Asset.open(path)
    content = carried(sign(asset.content, own_sidecar(asset)))
    for number in range(1, 10_000):
        target = path.with_stem(f"{path.stem}-signed" + (f"-{number}" if number > 1 else ""))
        try:
            with replacing(target, sources=(path,)) as temporary:
                temporary.write_bytes(content)
            return target
        except OutputRefused:
            if not target.exists():
                raise
    raise OutputRefused.exists(path)


def _is_picture(value: Any) -> bool:
    match value:
        case bytes() | bytearray():
            return sniff(bytes(value)) is not None
        case io.BytesIO():
            return _is_picture(value.getvalue())
        case list() | tuple():
            return any(map(_is_picture, value))
        case Mapping():
            return any(map(_is_picture, value.values()))
        case str() | Path() if os.path.isfile(value):  # noqa: PTH113 -- a prompt may be too long a name for `Path.is_file`
            with Path(value).open("rb") as file:
                # the head tells the format, and the file may be a model's weights
                return _is_picture(file.read(65_536))
    pixels = getattr(value, "__array_interface__", {})  # an array of bytes in rows and columns
    return isinstance(value, Asset | Image.Image) or (pixels.get("typestr") == "|u1" and len(pixels["shape"]) >= 2)


def _asset(source: Any) -> Asset:
    match source:
        case Asset():
            return source
        case bytes() | bytearray():
            return Asset.from_bytes(bytes(source), name="input")
        case Image.Image():
            return Asset.from_bytes(encode(source, "PNG"), name="input.png")
        case str() | Path():
            return Asset.open(source)
    raise CannotDo(
        f"the picture to be edited is a {type(source).__name__}", "hand over bytes, a Pillow image or a path"
    )
