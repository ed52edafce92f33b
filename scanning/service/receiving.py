"""Reading what was uploaded: raw bytes or a form, within limits of size and time, in memory and nowhere else.

Rules: a body that is announced or grows too large, alone or beside those in memory already, is refused before it is kept; one
that does not arrive in time is given up; a form's files never touch the disk.
"""

import asyncio
import codecs
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from assay.provenance.errors import AssayError, LimitExceeded
from assay.scanning.service.admitting import Abandoned, Holding

_FORM_SLACK = 64 * 1024  # bytes of boundaries and fields around the files of a form
_DISCARD = 64 * 1024 * 1024  # bytes of a refused body that are read so that its sender hears the refusal
_DISCARD_SECONDS = 5.0
_STATEMENT = 64 * 1024  # bytes of a body of JSON
DEFAULT_NAME = "image"
_CHARSETS = frozenset(
    {"utf-8", "ascii", "iso8859-1", "cp1252"}
)  # as Python calls them; others of its codecs are no charsets
logging.getLogger("python_multipart").setLevel(
    logging.ERROR
)  # a line for each malformed form would let callers fill the log

S = TypeVar("S", bound=BaseModel)


class TooSlow(AssayError):
    """A body did not arrive in time."""


class Malformed(AssayError):
    """A request that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it came. `name` is the caller's; `ticked` are the fields of its form that are not empty."""

    name: str
    content: bytes
    ticked: frozenset[str] = frozenset()


class _InMemory(MultiPartParser):
    """Starlette's parser, which would write what is larger than a mebibyte to the disk."""

    spool_max_size = 2**62


async def receive(
    request: Request, *, limit: int, seconds: float, files: int = 1, holding: Holding | None = None
) -> tuple[Upload, ...]:
    """The uploads of one request: the body itself, or every file of a form.

    `limit` is for all bytes together; `holding` counts them, None for what is small. Raises `LimitExceeded`, `Busy`, `TooSlow`,
    `Malformed` or `Abandoned`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form = kind == "multipart/form-data"
    most = limit + (_FORM_SLACK if form else 0)
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        if int(announced) <= _DISCARD:
            await _discard(request)
        raise LimitExceeded("the upload", "bytes", found=int(announced), limit=limit)
    if holding is not None and announced.isdigit():
        holding.check(int(announced))
    body = _bounded(request, most, limit, holding)
    try:
        async with asyncio.timeout(seconds):
            if form:
                return await _form(request, body, files=files)
            content = b"".join([part async for part in body])
    except TimeoutError:
        raise TooSlow(
            f"the upload did not arrive within {seconds:g} seconds", "send it faster, or a smaller one"
        ) from None
    if not content:
        raise Malformed("there is no file in this request", "send an image as the body, or as the file of a form")
    return (Upload(_name(request), content),)


async def receive_json(request: Request, kind: type[S], *, seconds: float) -> S:
    """A small body of JSON. Raises what `receive` raises."""
    (body,) = await receive(request, limit=_STATEMENT, seconds=seconds)
    try:
        return kind.model_validate_json(body.content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Malformed(f"{where or 'the body'}: {first['msg']}", "see /openapi.json") from None


def _name(request: Request) -> str:
    return (request.query_params.get("name") if request.scope["query_string"] else "") or DEFAULT_NAME


async def _bounded(request: Request, most: int, limit: int, holding: Holding | None) -> AsyncGenerator[bytes, None]:
    seen = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] != "http.request":
            raise Abandoned("the caller hung up")
        part, more = message.get("body", b""), message.get("more_body", False)
        seen += len(part)
        if seen > most:
            if more:
                await _discard(request)
            raise LimitExceeded("the upload", "bytes", found=seen, limit=limit)
        if part:
            if holding is not None:
                holding.grow(len(part))
            yield part


async def _form(request: Request, body: AsyncGenerator[bytes, None], *, files: int) -> tuple[Upload, ...]:
    _check_charset(request.headers.get("content-type", ""))
    try:
        form = await _InMemory(
            Headers(request.headers), body, max_files=files, max_fields=20, max_part_size=_FORM_SLACK
        ).parse()
    except MultiPartException as error:
        raise Malformed(f"the form cannot be read: {error.message}", "send multipart/form-data") from None
    ticked = frozenset(name for name, value in form.multi_items() if isinstance(value, str) and value)
    found = [
        Upload(value.filename or _name(request), cast("SpooledTemporaryFile[bytes]", value.file).read(), ticked)
        for _, value in form.multi_items()
        if isinstance(value, UploadFile)
    ]
    if not any(upload.content for upload in found):
        raise Malformed("there is no file in this form", "name the field “file”")
    return tuple(found)


def _check_charset(kind: str) -> None:
    """Names in a form are decoded by what its content type calls a charset, which the parser would look up among all codecs."""
    _, options = parse_options_header(kind)
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    try:
        known = codecs.lookup(charset).name in _CHARSETS
    except LookupError:
        known = False
    if not known:
        raise Malformed(f"the form is in the charset {charset[:40]!r}", "send UTF-8")


async def _discard(request: Request) -> None:
    """Read on for a while: who is cut off in the middle of sending never reads why."""
    seen = 0
    try:
        async with asyncio.timeout(_DISCARD_SECONDS):
            while seen < _DISCARD:
                message = await request.receive()
                seen += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
    except TimeoutError:
        return
