"""`/v1/scan` and `/v1/verify`: one image in, the same document out that the command line prints.

Rules: the body of an answer is byte for byte the command's; a content that cannot be examined is answered with the
command's failure document and a 4xx status.
"""

import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from assay.provenance.errors import AssayError
from assay.scanning.service import examples
from assay.scanning.service.examining import SCAN, VERIFY, Answer, Task
from assay.scanning.service.refusing import CONTENT_STATUS, problem
from assay.scanning.service.state import service_of
from assay.scanning.worker import ParserCrashed

router = APIRouter(prefix="/v1", tags=["examination"])

Name = Annotated[str, Query(description="What to call a raw body in the answer; a form's file has a name of its own.")]
Thorough = Annotated[
    bool, Query(description="Search for seconds: cropped or rescaled watermarks, traces in large pictures.")
]
Prior = Annotated[
    float | None,
    Query(gt=0, lt=1, description="Your own probability, before looking, that such an image is generated."),
]
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


def json_body(kind: type[BaseModel]) -> dict[str, Any]:
    """The description of a body that `Service.said` reads."""
    schema = kind.model_json_schema()
    for name, definition in schema.pop("$defs", {}).items():  # its own place is not the description's root
        schema = json.loads(json.dumps(schema).replace(f'{{"$ref": "#/$defs/{name}"}}', json.dumps(definition)))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post(
    "/scan",
    summary="Where an image comes from, who says so and how sure that is",
    openapi_extra=BODY,
    response_class=Response,
    responses=examples.ANSWERS,
)
async def scan(request: Request, name: Name = "image", thorough: Thorough = False, prior: Prior = None) -> Response:
    """The report (`assay.report/1`), byte for byte as `assay scan --format json` prints it."""
    service = service_of(request)
    owner = service.caller(request, "scan")
    with service.holding(request, owner) as holding:
        upload = await service.upload(request, holding)
        task = Task(do=SCAN, name=upload.name, thorough=thorough, prior=prior, content=upload.content)
        return document(await service.examine(request, task))


@router.post(
    "/verify",
    summary="Who signed an image, every step before, and whether it all holds",
    openapi_extra=BODY,
    response_class=Response,
    responses=examples.ANSWERS,
)
async def verify(request: Request, name: Name = "image") -> Response:
    """The chain of custody (`assay.custody/1`), byte for byte as `assay verify --format json` prints it."""
    service = service_of(request)
    owner = service.caller(request, "scan")
    with service.holding(request, owner) as holding:
        upload = await service.upload(request, holding)
        task = Task(do=VERIFY, name=upload.name, content=upload.content)
        return document(await service.examine(request, task))


def document(answer: Answer) -> Response:
    """The worker's answer as it is; what is wrong with the request and not with the picture is a problem as everywhere.

    Raises `ParserCrashed`.
    """
    status = HTTPStatus.OK
    if answer.error:
        status = CONTENT_STATUS.get(answer.error, HTTPStatus.UNPROCESSABLE_ENTITY)
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
        return problem(_refusal(answer), status=status, kind=answer.error)
    return Response(answer.body, status_code=status.value, media_type="application/json")


def _refusal(answer: Answer) -> AssayError:
    try:
        said = json.loads(answer.body)["error"]
        return AssayError(str(said["message"]), str(said["hint"]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ParserCrashed(f"its answer is malformed: {error}"[:300]) from None
