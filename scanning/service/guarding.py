"""What stands before every route: whose host name, from which site, with which headers back; and the count of it all.

Rules: a page of another site can neither read answers nor make this server work (DNS rebinding, cross-site forms); answers
are never cached, sniffed or framed; the page runs only scripts that this server serves.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from assay.provenance.errors import AssayError
from assay.scanning.service.base import StateUnavailable
from assay.scanning.service.refusing import Defect, Forbidden, problem
from assay.scanning.service.settings import LOOPBACK
from assay.scanning.service.state import Service

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = tuple(
    (name.lower().encode(), value.encode())
    for name, value in {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }.items()
)
_HUNG_UP = 499  # what proxies call it; counted where nobody was there to be answered
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """The whole application: what the server calls.

    `straight`: endpoints by path whose parameters all have defaults. A POST without a query goes there at once: the framework's
    layers and its reading of parameters would be half of the server's work for a request.
    """

    def __init__(
        self,
        app: FastAPI,
        *,
        service: Service,
        straight: Mapping[str, Callable[[Request], Awaitable[Response]]],
    ) -> None:
        self.app, self.service = app, service
        self._straight = straight
        self._names = frozenset(name.lower() for name in service.settings.names)
        if service.settings.host in LOOPBACK:
            self._names |= LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status, gone, begun = 500, False, False

        async def heard() -> Message:
            nonlocal gone
            message = await receive()
            gone = message["type"] == "http.disconnect"
            return message

        async def guarded(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in _HEADERS if pair[0] not in given)]
            await send(message)

        path = scope["path"]
        endpoint = self._straight.get(path) if scope["method"] == "POST" and not scope["query_string"] else None
        try:
            if refusal := self._refusal(scope):
                await problem(refusal)(scope, heard, guarded)
            elif endpoint is None:
                await self.app(scope, heard, guarded)
            else:
                scope["app"] = self.app
                try:
                    answer = await _answered(endpoint, Request(scope, heard))
                except Exception:  # as the framework does it: answered, and raised to be logged
                    await problem(Defect())(scope, heard, guarded)
                    raise
                status, begun = answer.status_code, True
                headers = [*answer.raw_headers, *_HEADERS]
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": answer.body})
        except asyncio.CancelledError:
            if not self.service.draining:
                raise
            if not begun:
                await problem(StateUnavailable("this server ends", "try again"))(scope, heard, guarded)
        finally:
            route = path if endpoint else getattr(scope.get("route"), "path", "other")
            self.service.metrics.answered(route, _HUNG_UP if gone else status, time.perf_counter() - started)

    def _refusal(self, scope: Scope) -> Forbidden | None:
        headers = dict(reversed(scope["headers"]))  # of several with one name the first counts
        host = headers.get(b"host", b"").decode("latin-1")
        if self._names and _name(host) not in self._names:
            return Forbidden("this server does not answer under that host name", "start it with --name to allow it")
        if scope["method"] in _SAFE:
            return None
        origin = headers.get(b"origin")
        foreign = origin is not None and origin.decode("latin-1").partition("://")[2] != host
        if foreign or headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site"):
            return Forbidden(
                "a page of another site may not use this server", "call it from a program, or from its own page"
            )
        return None


async def _answered(endpoint: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    try:
        return await endpoint(request)
    except AssayError as error:
        return problem(error)


@lru_cache(maxsize=256)
def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
