"""What the OpenAPI description shows of every route: a call that works, and small, true answers.

Rules: a test makes every call to a real server, and holds every document shown and every real answer to its schema. Documents,
failures and the schemas that docs/schema has not are data in `openapi/`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from assay import __version__

Responses = dict[int | str, dict[str, Any]]


def _read(name: str) -> dict[str, Any]:
    text = (files("assay") / "scanning" / "service" / "openapi" / f"{name}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text.replace('"VERSION"', json.dumps(__version__)))
    return found


DOCUMENTS = _read("documents")
SCHEMAS = _read("schemas")
PROBLEMS = _read("problems")  # by status: when, and an example


def problems(*statuses: int) -> Responses:
    """The answers of a route that are problems (RFC 9457)."""
    return {status: {"description": PROBLEMS[str(status)]["description"]} for status in statuses}


_UNKNOWN_FORMAT = "Of no image format known here"
ANSWERS: Responses = {415: {"description": _UNKNOWN_FORMAT}, **problems(400, 401, 408, 413, 429, 500, 503)}


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer: what it is, a name in DOCUMENTS, the name of its schema; its media type, empty where there is no body."""

    described: str
    document: str = ""
    schema: str = ""
    kind: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One route: a call of it, parameters as in such a call, the document that it sends, and answers by status."""

    call: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    asked: str = ""
    answers: Mapping[int, Shown] = field(default_factory=dict)


HOST = "http://127.0.0.1:8320"
HASH = DOCUMENTS["report"]["asset"]["sha256"]
JOB = DOCUMENTS["job-waiting"]["id"]
DECISION = DOCUMENTS["trail"]["id"]
MANIFEST = DOCUMENTS["matches"]["matches"][0]["manifestId"]
VALUE = DOCUMENTS["binding"]["value"]
_ISCC = DOCUMENTS["binding"]["alg"]
_UPLOAD = f"curl -F file=@photo.jpg {HOST}"
_FORGOTTEN = Shown("Forgotten", kind="")
_FOUND = Shown("What was found, the best first", "matches", "c2pa.softBindingQueryResult")
_NO_IMAGE = Shown(_UNKNOWN_FORMAT, "failure", "failure")
_UNDECODABLE = Shown("Its pixels cannot be decoded", "undecodable", "failure")
_LACKING = Shown("This server lacks what searching for pictures needs", "lacking", "failure")


def _sending(document: str, path: str) -> str:
    """A call that sends JSON."""
    return f"curl -H 'Content-Type: application/json' -d '{json.dumps(DOCUMENTS[document])}' {HOST}{path}"


EXAMPLES: Mapping[str, Example] = {
    "POST /v1/scan": Example(
        call=f"{_UPLOAD}/v1/scan",
        parameters={"name": "photo.jpg", "thorough": True, "prior": 0.2},
        answers={
            200: Shown("The report", "report", "report-1"),
            415: Shown(_UNKNOWN_FORMAT, "report-failure", "report-1"),
        },
    ),
    "POST /v1/verify": Example(
        call=f"{_UPLOAD}/v1/verify",
        parameters={"name": "photo.jpg"},
        answers={
            200: Shown("The chain of custody", "custody", "custody-1"),
            415: Shown(_UNKNOWN_FORMAT, "custody-failure", "custody-1"),
        },
    ),
    "POST /v1/label": Example(
        call=f"{_UPLOAD}/v1/label?policy=eu-ai-act-50",
        parameters={"policy": "eu-ai-act-50", "name": "photo.jpg", "thorough": True},
        answers={
            200: Shown("The label and why; where decisions are kept, Location names this one", "label", "label-1")
        },
    ),
    "GET /v1/decisions/{identity}": Example(
        call=f"curl {HOST}/v1/decisions/{DECISION}",
        parameters={"identity": DECISION},
        answers={200: Shown("The trail", "trail", "label-trail-1")},
    ),
    "POST /v1/decisions/{identity}/appeals": Example(
        call=_sending("appeal", f"/v1/decisions/{DECISION}/appeals"),
        parameters={"identity": DECISION},
        asked="appeal",
        answers={201: Shown("The trail", "trail-appealed", "label-trail-1")},
    ),
    "POST /v1/decisions/{identity}/reviews": Example(
        call=_sending("review", f"/v1/decisions/{DECISION}/reviews"),
        parameters={"identity": DECISION},
        asked="review",
        answers={201: Shown("The trail", "trail-reviewed", "label-trail-1")},
    ),
    "POST /v1/jobs": Example(
        call=f"curl -F file=@photo.jpg -F file=@notes.txt -H 'Idempotency-Key: 2f1c' {HOST}/v1/jobs",
        parameters={
            "idempotency-key": "2f1c",
            "webhook": "https://hooks.example/assay",
            "name": "photo.jpg",
            "thorough": True,
            "prior": 0.2,
        },
        answers={
            200: Shown("The same key with the same request again: the same job", "job-finished", "job-1"),
            202: Shown("Accepted, and on disk; see Location", "job-waiting", "job-1"),
        },
    ),
    "GET /v1/jobs/{job}": Example(
        call=f"curl {HOST}/v1/jobs/{JOB}",
        parameters={"job": JOB},
        answers={200: Shown("The job", "job-documents", "job-1")},
    ),
    "GET /v1/jobs/{job}/files/{number}": Example(
        call=f"curl {HOST}/v1/jobs/{JOB}/files/0",
        parameters={"job": JOB, "number": 0},
        answers={200: Shown("The report", "report", "report-1")},
    ),
    "DELETE /v1/contents/{sha256}": Example(
        call=f"curl -X DELETE {HOST}/v1/contents/{HASH}", parameters={"sha256": HASH}, answers={204: _FORGOTTEN}
    ),
    "DELETE /v1/jobs/{job}": Example(
        call=f"curl -X DELETE {HOST}/v1/jobs/{JOB}", parameters={"job": JOB}, answers={204: _FORGOTTEN}
    ),
    "GET /v1/matches/byBinding": Example(
        call=f"curl -G --data-urlencode alg={_ISCC} --data-urlencode value={VALUE} {HOST}/v1/matches/byBinding",
        parameters={"alg": _ISCC, "value": VALUE, "maxResults": 3},
        answers={200: _FOUND},
    ),
    "POST /v1/matches/byBinding": Example(
        call=_sending("binding", "/v1/matches/byBinding"),
        parameters={"maxResults": 3},
        asked="binding",
        answers={200: _FOUND},
    ),
    "POST /v1/matches/byContent": Example(
        call=f"curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg {HOST}/v1/matches/byContent",
        parameters={"alg": _ISCC, "maxResults": 3, "hintAlg": _ISCC, "hintValue": VALUE, "name": "photo.jpg"},
        answers={200: _FOUND, 415: _NO_IMAGE, 422: _UNDECODABLE, 501: _LACKING},
    ),
    "POST /v1/recover": Example(
        call=f"{_UPLOAD}/v1/recover",
        parameters={"name": "photo.jpg"},
        answers={
            200: Shown("What was found", "recovery", "recovery-1"),
            415: _NO_IMAGE,
            422: _UNDECODABLE,
            501: _LACKING,
        },
    ),
    "GET /v1/manifests/{manifestId}": Example(
        call=f"curl -o photo.c2pa {HOST}/v1/manifests/{MANIFEST}",
        parameters={"manifestId": MANIFEST, "returnActiveManifest": False},
        answers={200: Shown("The manifest store", kind="application/c2pa")},
    ),
    "GET /v1/services/supportedAlgorithms": Example(
        call=f"curl {HOST}/v1/services/supportedAlgorithms",
        answers={200: Shown("The algorithms", "algorithms", "c2pa.softBindingAlgList")},
    ),
    "GET /v1/services/capabilities": Example(
        call=f"curl {HOST}/v1/services/capabilities",
        answers={200: Shown("What is offered", "capabilities", "c2pa.serviceCapabilities")},
    ),
    "GET /v1/services/status": Example(
        call=f"curl {HOST}/v1/services/status",
        answers={200: Shown("Up or down", "status", "c2pa.serviceStatus")},
    ),
    "GET /.well-known/c2pa-soft-binding-resolution": Example(
        call=f"curl {HOST}/.well-known/c2pa-soft-binding-resolution",
        answers={200: Shown("Where to ask", "discovery", "c2pa.wellKnownDiscovery")},
    ),
    "GET /healthz": Example(call=f"curl {HOST}/healthz", answers={200: Shown("It lives", "alive", "state")}),
    "GET /readyz": Example(
        call=f"curl {HOST}/readyz",
        answers={
            200: Shown("Every worker is warm", "ready", "state"),
            503: Shown("Not (yet), or not any more", "not-ready", "state"),
        },
    ),
    "GET /metrics": Example(
        call=f"curl {HOST}/metrics", answers={200: Shown("Prometheus text format 0.0.4", kind="text/plain")}
    ),
}
