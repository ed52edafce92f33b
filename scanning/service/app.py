"""The application: routes, guard, start and end of the pool.

Rules: the server is ready when every worker has its model; when told to end it finishes what it accepted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from assay import __version__
from assay.provenance.errors import AssayError
from assay.provenance.trust import default_policy
from assay.scanning.child import Examine
from assay.scanning.labels.policy import PRESETS, read_label_policy
from assay.scanning.service import api, jobs_api, labels_api, page, resolving_api
from assay.scanning.service.admitting import Examiner
from assay.scanning.service.base import connect
from assay.scanning.service.describing import completed
from assay.scanning.service.examining import Examining
from assay.scanning.service.examples import problems
from assay.scanning.service.guarding import Guard
from assay.scanning.service.keys import Keys
from assay.scanning.service.metrics import CONTENT_TYPE, Metrics
from assay.scanning.service.receiving import Malformed
from assay.scanning.service.refusing import NotAllowed, Unknown, mistaken, problem, refused
from assay.scanning.service.settings import Settings
from assay.scanning.service.state import Service, service_of
from assay.scanning.service.working import Working
from assay.scanning.worker import Pool


def create(settings: Settings, *, make: Callable[[], Examine] | None = None) -> Guard:
    """The application of one server. `make` builds the examiner in each worker; the default is the real one."""
    make = make or Examining(model=settings.model, policy=default_policy(), limits=settings.limits)
    pool = Pool(make, size=settings.size, limits=settings.worker_limits)
    examiner = Examiner(pool, queue=settings.queue, held=settings.held)
    metrics = Metrics(lambda: examiner.waiting, lambda: examiner.warm)
    policies = [read_label_policy(name) for name in (*PRESETS, *settings.policies)]
    service = Service(
        settings=settings,
        examiner=examiner,
        metrics=metrics,
        policies={policy.name: policy for policy in policies},
    )
    base = connect(settings.place, spare=settings.reserve) if settings.place is not None else None
    if base is not None:
        service.keys = Keys(base)
        service.working = Working(base, service.keys, examiner=examiner, metrics=metrics, settings=settings)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        pool.__enter__()
        warming = asyncio.ensure_future(examiner.warm_up())
        if service.working is not None:
            service.working.start(pool.size)
        try:
            yield
        finally:
            service.end()
            warming.cancel()
            if service.working is not None:
                await service.working.stop()
            if base is not None:
                base.close()
            # nobody waits any more for what is in hand
            await asyncio.get_running_loop().run_in_executor(None, partial(pool.close, now=True))

    app = FastAPI(
        title="assay",
        version=__version__,
        summary="Where does an image come from, who says so, and how sure can we be?",
        license_info={"name": "Apache-2.0"},
        lifespan=life,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,  # a redirection would be made of what the caller calls this host
        telemetry={
            "auto_configure": False,
            "tracing": False,
            "metrics": False,
            "logs": False,
        },  # whatever the environment says
    )
    app.state.service = service
    generate = app.openapi
    app.openapi = lambda: completed(generate())  # type: ignore[method-assign]
    app.add_exception_handler(AssayError, refused)
    app.add_exception_handler(Exception, mistaken)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _not_routed)
    app.include_router(api.router)
    app.include_router(jobs_api.router)
    app.include_router(labels_api.router)
    app.include_router(resolving_api.router)
    app.include_router(resolving_api.discovered)
    app.include_router(page.router)
    _add_watching(app)
    return Guard(app, service=service, straight={"/v1/scan": api.scan, "/v1/verify": api.verify})


def _add_watching(app: FastAPI) -> None:
    @app.get("/healthz", tags=["watching"], summary="Whether the server lives")
    async def healthz() -> dict[str, str]:
        """It answers, whatever else is the matter."""
        return {"status": "ok"}

    @app.get(
        "/readyz",
        tags=["watching"],
        summary="Whether every worker is warm",
        response_class=Response,
        responses={503: {"description": "Not (yet), or not any more"}},
    )
    async def readyz(request: Request) -> Response:
        """200 when images are examined at once; 503 while models load, while the server ends, and where keys cannot be read."""
        service = service_of(request)
        keys = service.keys is None or service.keys.fresh
        ready = service.examiner.warm and keys and not service.draining
        said = '{"status":"ready"}' if ready else '{"status":"not ready"}'
        return Response(said, status_code=200 if ready else 503, media_type="application/json")

    @app.get(
        "/metrics",
        tags=["watching"],
        summary="Counters for Prometheus",
        response_class=Response,
        responses=problems(401, 429, 503),
    )
    async def metrics(request: Request) -> Response:
        """Requests, seconds, verdicts, uploads, crashes and the queue; needs the scope `metrics`."""
        service = service_of(request)
        service.caller(request, "metrics")
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first.get("loc", ()))
    return problem(Malformed(f"{where}: {first.get('msg', 'is not valid')}", "see /openapi.json"))


async def _not_routed(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself."""
    assert isinstance(error, HTTPException)
    match error.status_code:
        case 404:
            return problem(Unknown("there is nothing at this address", "see /openapi.json"))
        case 405:
            answer = problem(NotAllowed(f"this address does not take {request.method}", "see /openapi.json"))
            answer.headers.update(error.headers or {})
            return answer
        case _:
            return problem(Malformed(error.detail, "see /openapi.json"))
