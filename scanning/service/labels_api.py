"""`/v1/label`: an image in, a platform's label out; and the trail of appeals where decisions are kept.

Rules: the answer is byte for byte what `assay scan --labels … --format json` prints; a server with a state folder keeps each
decision, and says where in `Location`; a decision is never changed, only answered.
"""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from assay.scanning.labels.labelling import labelled
from assay.scanning.labels.policy import PRESETS, Label
from assay.scanning.report.label_presenting import to_json
from assay.scanning.service import examples
from assay.scanning.service.api import BODY, Name, Thorough, json_body
from assay.scanning.service.examining import SCAN, Task
from assay.scanning.service.receiving import Malformed
from assay.scanning.service.refusing import Unknown
from assay.scanning.service.state import Service, service_of
from assay.scanning.service.working import Working

router = APIRouter(prefix="/v1", tags=["labels"])
Policy = Annotated[
    str, Query(description=f"Name of a policy: {', '.join(PRESETS)}, or one that the server was started with.")
]

Identity = Annotated[
    str, Path(pattern=r"^[\w-]{1,80}$", description="Of a decision, from the `Location` of its answer.")
]


class Appeal(BaseModel):
    """An objection to a label."""

    by: str = Field(min_length=1, max_length=200, examples=["uploader 4711"])
    statement: str = Field(
        min_length=1, max_length=5000, examples=["I took this picture myself; here is the raw file."]
    )


class Review(Appeal):
    """A person's decision."""

    label: Label


@router.post(
    "/label",
    summary="Which label a policy gives an image, and why",
    openapi_extra=BODY,
    response_class=Response,
    responses=examples.problems(400, 401, 408, 413, 429, 500, 503, 507),
)
async def label(
    request: Request, policy: Policy = PRESETS[0], name: Name = "image", thorough: Thorough = False
) -> Response:
    """The decision (`assay.label/1`). A file that cannot be examined gets the label that the policy has for that."""
    service = service_of(request)
    owner = service.caller(request, "scan")
    chosen = service.policies.get(policy)
    if chosen is None:
        raise Malformed(f"there is no policy named {policy[:80]!r}", f"there are {', '.join(service.policies)}")
    with service.holding(request, owner) as holding:
        upload = await service.upload(request, holding)
        task = Task(do=SCAN, name=upload.name, thorough=thorough, content=upload.content)
        answer = await service.examine(request, task)
    decision = labelled(json.loads(answer.body), chosen)
    headers = {}
    if service.working is not None:
        identity = await service.working.call(service.working.decisions.keep, owner, decision)
        headers["Location"] = f"/v1/decisions/{identity}"
    return Response(to_json(decision), headers=headers, media_type="application/json")


@router.get(
    "/decisions/{identity}",
    summary="A decision and everything said about it since",
    response_class=Response,
    responses=examples.problems(401, 404, 429, 503),
)
async def trail(request: Request, identity: Identity) -> Response:
    """The trail (`assay.label-trail/1`); each entry carries the digest of all before it. The scope `review` reads anybody's."""
    service = service_of(request)
    owner = service.reader(request)
    working = _working(service)
    return _answer(await working.call(working.decisions.trail, identity, owner))


@router.post(
    "/decisions/{identity}/appeals",
    status_code=201,
    summary="Object to a label",
    openapi_extra=json_body(Appeal),
    response_class=Response,
    responses=examples.problems(400, 401, 404, 408, 413, 429, 503, 507),
)
async def appeal(request: Request, identity: Identity) -> Response:
    """The label stays until a person has decided."""
    service = service_of(request)
    owner = service.caller(request, "scan")
    working = _working(service)
    said = await service.said(request, Appeal)
    entry = {"kind": "appeal", "by": said.by, "statement": said.statement}
    return _answer(await working.call(working.decisions.add, identity, owner, entry), status=201)


@router.post(
    "/decisions/{identity}/reviews",
    status_code=201,
    summary="Decide anew, as a person",
    openapi_extra=json_body(Review),
    response_class=Response,
    responses=examples.problems(400, 401, 404, 408, 413, 429, 503, 507),
)
async def review(request: Request, identity: Identity) -> Response:
    """The newest review is the label that holds. Needs the scope `review`, and may decide on anybody's."""
    service = service_of(request)
    service.caller(request, "review")
    working = _working(service)
    said = await service.said(request, Review)
    entry = {"kind": "review", "by": said.by, "label": said.label.value, "statement": said.statement}
    return _answer(await working.call(working.decisions.add, identity, None, entry), status=201)


def _working(service: Service) -> Working:
    if service.working is None:
        raise Unknown("this server keeps no decisions", "start it with --state FOLDER or --database URL")
    return service.working


def _answer(said: dict[str, Any] | None, *, status: int = 200) -> Response:
    if said is None:
        raise Unknown("there is no such decision here")
    return Response(json.dumps(said) + "\n", status_code=status, media_type="application/json")
