"""The page at `/`: drop an image, see where it comes from; works without its script, with a keyboard, read aloud.

Rules: one small script and one style sheet of our own, served from here; the answer is made in a worker; what the browser is
allowed to load is in the policy that `guarding` sends.
"""

from contextlib import suppress
from functools import lru_cache
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from assay import __version__
from assay.provenance.errors import AssayError
from assay.scanning.report.fragments import accepted
from assay.scanning.service.base import StateUnavailable
from assay.scanning.service.examining import LOOK, Answer, Task
from assay.scanning.service.looking import templates
from assay.scanning.service.refusing import Unknown, headers_of, status_of
from assay.scanning.service.remembered import excerpted, in_database
from assay.scanning.service.state import service_of
from assay.scanning.worker import ParserCrashed

router = APIRouter(include_in_schema=False)
_STATIC = files("assay") / "scanning" / "service" / "static"
_REPORT = files("assay") / "scanning" / "report" / "templates"
_KINDS = {"service.js": "text/javascript", "icon.svg": "image/svg+xml"}


@router.get("/")
async def home(request: Request) -> Response:
    """The page before anything was examined; where keys are asked for, the browser asks for one first."""
    service_of(request).caller(request, "scan")
    return HTMLResponse(_whole(request))


@router.post("/look")
async def look(request: Request, thorough: Annotated[bool, Query()] = False) -> Response:
    """One picture's answer: a piece of HTML for the script, the whole page for a browser without it."""
    service = service_of(request)
    piece = "x-fragment" in request.headers
    try:
        owner = service.caller(request, "scan")
        with service.holding(request, owner) as holding:
            upload = await service.upload(request, holding)
            task = Task(
                do=LOOK, name=upload.name, thorough=thorough or "thorough" in upload.ticked, content=upload.content
            )
            answer = _checked(await service.examine(request, await _with_excerpt(request, task)))
    except AssayError as error:
        if piece:
            raise
        answer = templates().get_template("refused.html.j2").render(name="the upload", error=error)
        return HTMLResponse(_whole(request, answer), status_code=status_of(error).value, headers=headers_of(error))
    return HTMLResponse(answer if piece else _whole(request, answer))


async def _with_excerpt(request: Request, task: Task) -> Task:
    """The task with what a database remembers of such pictures. A database that is away, or a picture that cannot be searched for,
    takes that one voice from the answer and nothing else."""
    if not in_database():
        return task
    with suppress(StateUnavailable):
        told = await excerpted(request, task)
        return task if isinstance(told, Answer) else told
    return task


def _checked(answer: Answer) -> str:
    """What the worker made of an upload, written anew; the upload may have taken it over. Raises `ParserCrashed`."""
    try:
        return accepted(answer.body.decode())
    except ValueError as error:
        raise ParserCrashed(f"its answer is malformed: {error}"[:300]) from None


@router.get("/static/service.css")
async def style() -> Response:
    """The report's style sheets and the page's own."""
    return Response(_style(), media_type="text/css")


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """The script and the icon."""
    if name not in _KINDS:
        raise Unknown("there is nothing at this address")
    return Response((_STATIC / name).read_bytes(), media_type=_KINDS[name])


@lru_cache(maxsize=1)
def _style() -> bytes:
    page, custody, stacked = (_REPORT / name for name in ("page.css", "custody.css", "stacked.css"))
    narrow = b"@media (max-width: 820px) {\n%b}\n" % stacked.read_bytes()
    return b"\n".join((page.read_bytes(), custody.read_bytes(), narrow, (_STATIC / "service.css").read_bytes()))


def _whole(request: Request, answer: str = "") -> str:
    limit = f"{service_of(request).settings.upload / 2**20:,.0f} MB"
    return templates().get_template("page.html.j2").render(answer=answer, limit=limit, version=__version__)
