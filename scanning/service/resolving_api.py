"""The C2PA Soft Binding Resolution API, and `/v1/recover`: manifests of this server's repository for copies that lost theirs.

Rules: pictures are opened by workers only, which are handed what they need of a database; by values and labels the repository
is read here, without writing; where no repository is, every route says so with 404; the documents are those of
`scanning/resolving.py`.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from assay.provenance.repository import default_place, is_there
from assay.scanning import resolving
from assay.scanning.service import examples
from assay.scanning.service.api import BODY, Name, document, json_body
from assay.scanning.service.examining import RECOVER, RESOLVE, Answer, Task
from assay.scanning.service.refusing import QueryTooLong
from assay.scanning.service.remembered import excerpted, in_database, reading, require
from assay.scanning.service.state import service_of

router = APIRouter(prefix="/v1", tags=["recovery"])
discovered = APIRouter(tags=["recovery"])  # RFC 8615 has a place of its own
Most = Annotated[
    int, Query(alias="maxResults", ge=1, description="The most manifests to name; more than 100 are never.")
]
Algorithm = Annotated[str, Query(description="Soft binding algorithm, as in the C2PA list.")]
Value = Annotated[str, Query(description="The soft binding's value, in base64.")]
HintAlgorithm = Annotated[
    str, Query(alias="hintAlg", description="Algorithm of a soft binding known besides the picture.")
]
HintValue = Annotated[str, Query(alias="hintValue", description="The value of that soft binding, in base64.")]
Identifier = Annotated[str, Path(alias="manifestId", description="Label of an active manifest, as matches name it.")]
Alone = Annotated[
    bool, Query(alias="returnActiveManifest", description="Only that manifest, without those of its ingredients.")
]
_READING = examples.problems(400, 401, 404, 429, 503)
_EXAMINING = (
    examples.ANSWERS
    | examples.problems(404)
    | {422: {"description": "Its pixels cannot be decoded"}, 501: {"description": "An extra is missing"}}
)


class Binding(BaseModel):
    """`c2pa.softBindingQuery`."""

    alg: str = Field(examples=["io.iscc.v0"])
    value: str = Field(max_length=resolving.MAX_VALUE)


@router.get(
    "/matches/byBinding",
    operation_id="queryByBinding",
    summary="Manifests for a soft binding",
    response_class=Response,
    responses=_READING | examples.problems(414),
)
async def by_binding(
    request: Request, alg: Algorithm, value: Value, most: Most = resolving.DEFAULT_RESULTS
) -> JSONResponse:
    """`c2pa.softBindingQueryResult`; `value` in base64."""
    service_of(request).caller(request, "scan")
    if len(value) > resolving.MAX_VALUE:
        raise QueryTooLong(f"the value has more than {resolving.MAX_VALUE:,} characters", "send it with POST")
    return JSONResponse(await reading(lambda kept: resolving.by_binding(kept, alg, value, most=most)))


@router.post(
    "/matches/byBinding",
    operation_id="queryByLargeBinding",
    summary="Manifests for a large soft binding",
    openapi_extra=json_body(Binding),
    response_class=Response,
    responses=_READING | examples.problems(408, 413),
)
async def by_large_binding(request: Request, most: Most = resolving.DEFAULT_RESULTS) -> JSONResponse:
    """The same, with the binding in the body."""
    service = service_of(request)
    service.caller(request, "scan")
    require()
    binding = await service.said(request, Binding)
    return JSONResponse(await reading(lambda kept: resolving.by_binding(kept, binding.alg, binding.value, most=most)))


@router.post(
    "/matches/byContent",
    operation_id="uploadFile",
    summary="Manifests for a picture",
    openapi_extra=BODY,
    response_class=Response,
    responses=_EXAMINING,
)
async def by_content(
    request: Request,
    alg: Algorithm = "",
    most: Most = resolving.DEFAULT_RESULTS,
    hint_alg: HintAlgorithm = "",
    hint_value: HintValue = "",
    name: Name = "image",
) -> Response:
    """`c2pa.softBindingQueryResult` for the picture in the body."""
    return await _asked(request, Task(do=RESOLVE, alg=alg, most=most, hint=(hint_alg, hint_value)))


@router.post(
    "/recover",
    summary="What is proved and what is likely of a picture that lost its manifest",
    openapi_extra=BODY,
    response_class=Response,
    responses=_EXAMINING,
)
async def recover(request: Request, name: Name = "image") -> Response:
    """The document (`assay.recovery/1`) that `assay recover --format json` prints."""
    return await _asked(request, Task(do=RECOVER))


@router.get(
    "/manifests/{manifestId}",
    operation_id="getManifestById",
    summary="A manifest store",
    response_class=Response,
    responses=_READING,
)
async def manifest(request: Request, identifier: Identifier, alone: Alone = False) -> Response:
    """The whole store as `application/c2pa`, or its active manifest alone; it fits the original's bytes only."""
    service_of(request).caller(request, "scan")
    store = await reading(lambda kept: resolving.manifest(kept, identifier, active=alone))
    return Response(store, media_type=resolving.MANIFEST_TYPE)


@router.get(
    "/services/supportedAlgorithms",
    operation_id="getSupportedBindings",
    summary="Soft binding algorithms that can be asked by",
    response_class=Response,
)
async def supported_algorithms(request: Request) -> JSONResponse:
    """`c2pa.softBindingAlgList`."""
    return JSONResponse(resolving.supported_algorithms())


@router.get(
    "/services/capabilities",
    operation_id="getServiceCapabilities",
    summary="What of the resolution API is optional and offered",
    response_class=Response,
)
async def capabilities(request: Request) -> JSONResponse:
    """`c2pa.serviceCapabilities`."""
    return JSONResponse(resolving.capabilities())


@router.get(
    "/services/status",
    operation_id="getServiceStatus",
    summary="Whether manifests can be asked for now",
    response_class=Response,
)
async def status(request: Request) -> JSONResponse:
    """`c2pa.serviceStatus`: down where nothing is remembered, or the server ends."""
    serving = is_there(default_place()) and not service_of(request).draining
    return JSONResponse(resolving.status(serving=serving))


@discovered.get(
    "/.well-known/c2pa-soft-binding-resolution",
    operation_id="getWellKnown",
    summary="Where the resolution API is",
    response_class=Response,
)
async def discovery(request: Request) -> JSONResponse:
    """`c2pa.wellKnownDiscovery`."""
    return JSONResponse(resolving.discovery())


async def _asked(request: Request, task: Task) -> Response:
    """A picture, examined by a worker."""
    service = service_of(request)
    owner = service.caller(request, "scan")
    require()
    with service.holding(request, owner) as holding:
        upload = await service.upload(request, holding)
        asked = replace(task, name=upload.name, content=upload.content, sha256="")
        if in_database():
            told = await excerpted(request, asked)
            if isinstance(told, Answer):
                return document(told)
            asked = told
        return document(await service.examine(request, asked))
