"""`/v1/jobs`: many uploads handed in at once, fetched when they are done; deleting by job and by hash.

Rules: what there is no room for is refused before it is read; 202 means that the job is on disk; the same idempotency key gives the same job; nobody sees another's.
"""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response

from assay.scanning.service import examples
from assay.scanning.service.api import BODY, Name, Prior, Thorough
from assay.scanning.service.jobs import Options
from assay.scanning.service.receiving import receive
from assay.scanning.service.refusing import Unknown
from assay.scanning.service.state import Service, service_of
from assay.scanning.service.webhooks import check_webhook
from assay.scanning.service.working import Working

router = APIRouter(prefix="/v1", tags=["jobs"])
_FILES = 100  # of one job

Idempotency = Annotated[
    str,
    Header(max_length=255, description="The same key with the same request gives the same job, whenever it is sent."),
]
Webhook = Annotated[
    str, Query(max_length=2000, description="Called when the job is finished, signed as Standard Webhooks describes.")
]

Job = Annotated[str, Path(pattern=r"^[\w-]{1,80}$", description="As it was told when the job was accepted.")]
Number = Annotated[int, Path(ge=0, lt=_FILES, description="Of a file in the order in which they were sent, from 0.")]
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-fA-F]{64}$", description="Of the upload's bytes, in hexadecimal.")]


@router.post(
    "/jobs",
    status_code=202,
    summary="Hand in files to be examined when there is time",
    openapi_extra=BODY,
    response_class=Response,
    responses={
        202: {"description": "Accepted, and on disk; see Location"},
        200: {"description": "The same key with the same request again: the same job"},
        **examples.problems(400, 401, 404, 408, 413, 422, 429, 503, 507),
    },
)
async def hand_in(
    request: Request,
    name: Name = "image",
    thorough: Thorough = False,
    prior: Prior = None,
    webhook: Webhook = "",
    idempotency_key: Idempotency = "",
) -> Response:
    """One raw body, or up to 100 files of a form. Uploads are kept on disk until they are examined."""
    service, owner = service_of(request), service_of(request).caller(request, "jobs")
    working = _working(service)
    if webhook:
        check_webhook(webhook, working.webhook_hosts)
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdigit() else 0
    await working.call(working.jobs.check, owner, size, idempotency=idempotency_key)
    limit = min(service.settings.held, service.settings.upload * 4)
    with service.holding(request, owner) as holding:
        seconds = service.settings.receive * 4
        uploads = await receive(request, limit=limit, seconds=seconds, files=_FILES, holding=holding)
        service.metrics.uploads.inc(sum(len(upload.content) for upload in uploads))
        options = Options(thorough=thorough, prior=prior, webhook=webhook)
        job, new = await working.call(working.jobs.accept, owner, uploads, options, idempotency=idempotency_key)
    working.wake()
    said = await working.call(working.jobs.describe, job, owner, documents=False)
    return _answer(said, status=202 if new else 200, location=f"/v1/jobs/{job}")


@router.get(
    "/jobs/{job}",
    summary="How far a job is, and what was found",
    response_class=Response,
    responses=examples.problems(401, 404, 429, 503),
)
async def look_up(request: Request, job: Job) -> Response:
    """The job (`assay.job/1`) with the report of each file that is done."""
    service, owner = service_of(request), service_of(request).caller(request, "jobs")
    working = _working(service)
    said = await working.call(working.jobs.describe, job, owner)
    if said is None:
        raise Unknown("there is no such job here", "finished jobs are forgotten after a while")
    return _answer(said)


@router.get(
    "/jobs/{job}/files/{number}",
    summary="One file's report",
    response_class=Response,
    responses=examples.problems(401, 404, 429, 503),
)
async def fetch(request: Request, job: Job, number: Number) -> Response:
    """Byte for byte what `assay scan --format json` prints."""
    service, owner = service_of(request), service_of(request).caller(request, "jobs")
    working = _working(service)
    document = await working.call(working.jobs.document, job, number, owner)
    if document is None:
        raise Unknown("there is no report on that file (yet)", "see the job's state")
    return Response(document, media_type="application/json")


@router.delete(
    "/jobs/{job}",
    status_code=204,
    summary="Forget a job",
    response_class=Response,
    responses=examples.problems(401, 404, 429, 503),
)
async def delete(request: Request, job: Job) -> Response:
    """Its uploads and reports are deleted at once."""
    service, owner = service_of(request), service_of(request).caller(request, "jobs")
    working = _working(service)
    if not await working.call(working.jobs.delete, job, owner):
        raise Unknown("there is no such job here")
    return Response(status_code=204)


@router.delete(
    "/contents/{sha256}",
    status_code=204,
    summary="Forget an upload wherever it is",
    response_class=Response,
    responses=examples.problems(401, 404, 429, 503),
)
async def forget(request: Request, sha256: Sha256) -> Response:
    """The bytes with this SHA-256, and every report on them in jobs of yours."""
    service, owner = service_of(request), service_of(request).caller(request, "jobs")
    working = _working(service)
    if not await working.call(working.jobs.forget, sha256.lower(), owner):
        raise Unknown("there is nothing here with that hash")
    return Response(status_code=204)


def _working(service: Service) -> Working:
    if service.working is None:
        raise Unknown(
            "this server keeps nothing, so it takes no jobs", "start it with --state FOLDER or --database URL"
        )
    return service.working


def _answer(said: dict[str, Any] | None, *, status: int = 200, location: str = "") -> Response:
    headers = {"Location": location} if location else {}
    return Response(json.dumps(said) + "\n", status_code=status, headers=headers, media_type="application/json")
