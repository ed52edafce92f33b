"""The only mapping of failures to HTTP: which status, which words.

Rules: problems are `application/problem+json` (RFC 9457); what a caller can do about it is in `hint`; nothing of our inside
(paths, traces) gets out.
"""

import json
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from assay.provenance.errors import AssayError, LimitExceeded
from assay.scanning.service.admitting import Abandoned, Busy
from assay.scanning.service.base import NoRoom, StateUnavailable
from assay.scanning.service.receiving import Malformed, TooSlow
from assay.scanning.worker import ParserCrashed, WorkersFailed

CONTENT_STATUS = {  # kind of a failure that a worker tells → status; every other kind is 422
    "UnsupportedFormat": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "LimitExceeded": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "QueryRefused": HTTPStatus.BAD_REQUEST,
    "MissingExtra": HTTPStatus.NOT_IMPLEMENTED,
}


class Unauthorised(AssayError):
    """No key, or one that is not known."""


class Forbidden(AssayError):
    """A key that may not do this, a page of another site, or a host name that is not ours."""


class Unknown(AssayError):
    """There is no such thing here (any more)."""


class NotAllowed(AssayError):
    """The address is right, the method is not."""


class Defect(AssayError):
    """A mistake of the server's own."""

    def __init__(self) -> None:
        super().__init__("this server made a mistake", "its log says which; the request may be as it should be")


class QueryTooLong(AssayError):
    """What was asked in the URL belongs into a body."""


def status_of(error: AssayError) -> HTTPStatus:
    """The status that a failure is answered with."""
    match error:
        case Busy():
            return HTTPStatus.TOO_MANY_REQUESTS
        case NoRoom():
            return HTTPStatus.INSUFFICIENT_STORAGE
        case LimitExceeded():
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        case TooSlow():
            return HTTPStatus.REQUEST_TIMEOUT
        case QueryTooLong():
            return HTTPStatus.REQUEST_URI_TOO_LONG
        case Unauthorised():
            return HTTPStatus.UNAUTHORIZED
        case Forbidden():
            return HTTPStatus.FORBIDDEN
        case Unknown():
            return HTTPStatus.NOT_FOUND
        case NotAllowed():
            return HTTPStatus.METHOD_NOT_ALLOWED
        case WorkersFailed() | ParserCrashed(foreign=True) | StateUnavailable():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case ParserCrashed() | Defect():
            return HTTPStatus.INTERNAL_SERVER_ERROR
        case Malformed() | Abandoned():  # who hung up reads no answer
            return HTTPStatus.BAD_REQUEST
        case _:
            return HTTPStatus.UNPROCESSABLE_ENTITY


def headers_of(error: AssayError) -> dict[str, str]:
    """Headers that go with a failure."""
    match error:
        case Busy():
            return {"Retry-After": str(error.retry_after)}
        case Unauthorised():
            return {"WWW-Authenticate": 'Basic realm="assay", charset="UTF-8"'}
        case WorkersFailed() | ParserCrashed(foreign=True) | StateUnavailable():
            return {"Retry-After": "5"}
        case TooSlow() | LimitExceeded():
            return {"Connection": "close"}
        case _:
            return {}


def problem(error: AssayError, *, status: HTTPStatus | None = None, kind: str = "") -> Response:
    """A failure as an answer. `status` and `kind`: those of a failure that a worker told."""
    status = status or status_of(error)
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "kind": kind or type(error).__name__,
        "detail": error.message,
        "hint": error.hint,
    }
    return Response(
        json.dumps(body, ensure_ascii=True) + "\n",
        status_code=status.value,
        headers=headers_of(error),
        media_type="application/problem+json",
    )


async def refused(request: Request, error: Exception) -> Response:
    """What the framework calls for every `AssayError`."""
    assert isinstance(error, AssayError)
    return problem(error)


async def mistaken(request: Request, error: Exception) -> Response:
    """What the framework calls for every other exception, which it then raises to be logged."""
    return problem(Defect())
