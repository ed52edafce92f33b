"""The C2PA Soft Binding Resolution API, and `/v1/recover`: manifests of this server's repository for copies that lost theirs.

Rules: pictures are opened by workers only; by values and labels the repository is read here, without writing; where no
repository is, every route says so with 404; the documents are those of `scanning/resolving.py`.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from assay.provenance.repository import Repository, default_path
from assay.scanning import resolving
from assay.scanning.service import examples
from assay.scanning.service.api import Name, document
from assay.scanning.service.examining import RECOVER, RESOLVE, Task
from assay.scanning.service.receiving import Malformed
from assay.scanning.service.refusing import Unknown
from assay.scanning.service.state import service_of

router = APIRouter(prefix="/v1", tags=["recovery"])
T = TypeVar("T")
Most = Annotated[int, Query(alias="maxResults", ge=1, description="The most manifests to name.")]
Algorithm = Annotated[str, Query(description="Soft binding algorithm, as in the C2PA list.")]
_CONTENT: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
}
_PROBLEMS = examples.problems(400, 401, 404, 408, 413, 429, 500, 503)


class Binding(BaseModel):
    """`c2pa.softBindingQuery`."""

    alg: str = Field(examples=["io.iscc.v0"])
    value: str = Field(max_length=resolving.MAX_VALUE)


@router.get("/matches/byBinding", summary="Manifests for a soft binding", responses=_PROBLEMS)
async def by_binding(
    request: Request, alg: Algorithm, value: str, most: Most = resolving.DEFAULT_RESULTS
) -> JSONResponse:
    """`c2pa.softBindingQueryResult`; `value` in base64."""
    service_of(request).caller(request, "scan")
    return JSONResponse(await _reading(lambda kept: resolving.by_binding(kept, alg, value, most=most)))


@router.post("/matches/byBinding", summary="Manifests for a large soft binding", responses=_PROBLEMS)
async def by_large_binding(request: Request, binding: Binding, most: Most = resolving.DEFAULT_RESULTS) -> JSONResponse:
    """The same, with the binding in the body."""
    service_of(request).caller(request, "scan")
    return JSONResponse(await _reading(lambda kept: resolving.by_binding(kept, binding.alg, binding.value, most=most)))


@router.post(
    "/matches/byContent",
    summary="Manifests for a picture",
    openapi_extra=_CONTENT,
    response_class=Response,
    responses=_PROBLEMS,
)
async def by_content(
    request: Request, alg: Algorithm = "", most: Most = resolving.DEFAULT_RESULTS, name: Name = "image"
) -> Response:
    """`c2pa.softBindingQueryResult` for the picture in the body."""
    return await _asked(request, Task(do=RESOLVE, alg=alg, most=most))


@router.post(
    "/recover",
    summary="What is proved and what is likely of a picture that lost its manifest",
    openapi_extra=_CONTENT,
    response_class=Response,
    responses=_PROBLEMS,
)
async def recover(request: Request, name: Name = "image") -> Response:
    """The document (`assay.recovery/1`) that `assay recover --format json` prints."""
    return await _asked(request, Task(do=RECOVER))


@router.get("/manifests/{manifest_id}", summary="A manifest store", response_class=Response, responses=_PROBLEMS)
async def manifest(request: Request, manifest_id: str) -> Response:
    """The whole store as `application/c2pa`; it fits the original's bytes only."""
    service_of(request).caller(request, "scan")
    return Response(
        await _reading(lambda kept: resolving.manifest(kept, manifest_id)), media_type=resolving.MANIFEST_TYPE
    )


@router.get("/services/supportedAlgorithms", summary="Soft binding algorithms that can be asked by")
async def supported_algorithms(request: Request) -> JSONResponse:
    """`c2pa.softBindingAlgList`."""
    return JSONResponse(resolving.supported_algorithms())


async def _asked(request: Request, task: Task) -> Response:
    """A picture, examined by a worker."""
    service = service_of(request)
    service.caller(request, "scan")
    _require()
    async with service.examiner.holding(service.held(request, service.settings.upload)):
        upload = await service.upload(request)
        asked = Task(do=task.do, name=upload.name, alg=task.alg, most=task.most, content=upload.content)
        return document(await service.examine(request, asked))


async def _reading(ask: Callable[[Repository], T]) -> T:
    """Ask the repository in a thread of its own."""
    _require()

    def read() -> T:
        with Repository(reading=True) as kept:
            return ask(kept)

    try:
        return await asyncio.to_thread(read)
    except resolving.QueryRefused as error:
        raise Malformed(error.message, error.hint) from error
    except resolving.UnknownManifest as error:
        raise Unknown(error.message) from error


def _require() -> None:
    if not default_path().is_file():
        raise Unknown("no manifests are remembered on this server", "remember some with `assay repository add`")
