"""The service as a fuzz target: the real protocol, guard, routes, forms and state, without sockets and workers.

Any bytes become requests of every kind: as what a connection sends, as a body, a form, a file name, a query, a path, a header, as
JSON. Whatever they are, the connection is closed or answered in HTTP that a client can read, and never with a 500.
"""

import asyncio
import atexit
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path
from typing import Any

import h11
from misbehaving import report_on
from uvicorn.config import Config
from uvicorn.server import ServerState

from assay.scanning import envelope
from assay.scanning.service.app import create
from assay.scanning.service.examining import LOOK, VERIFY, Answer
from assay.scanning.service.running import _protocol
from assay.scanning.service.settings import Settings

_ALLOWED = {200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 411, 413, 415, 417, 422, 429, 431, 501, 507}
_SECONDS = 5.0
_BOUNDARY = b"fuzz"


class _Instant:
    """A pool that has looked already."""

    size = 1

    def submit(self, message: bytes, *, key: str) -> "Future[bytes]":
        head, _ = envelope.unpacked(message)
        page = head["do"] == LOOK
        body = b"<p>seen</p>" if page else json.dumps(report_on(head["name"])).encode() + b"\n"
        future: Future[bytes] = Future()
        origin, basis = ("no-manifest", "") if head["do"] == VERIFY else ("undetermined", "none")
        future.set_result(Answer(origin=origin, basis=basis, body=body).packed())
        return future


class _Wire(asyncio.Transport):
    """What the server writes is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = bytearray(), False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"sockname": ("127.0.0.1", 8320), "peername": ("127.0.0.1", 4711)}.get(name, default)

    def write(self, content: Any) -> None:
        self.written += content

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


class _Server:
    def __init__(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="assay-fuzzing-")
        atexit.register(folder.cleanup)
        settings = Settings(
            state=Path(folder.name), upload=256 * 1024, receive=0.2, head=0.2, webhook_hosts=("hooks.example",)
        )
        app = create(settings, make=dict)
        self.service = app.service
        self.service.examiner._pool = _Instant()
        self.loop = asyncio.new_event_loop()
        self.config = Config(
            app, http=_protocol(settings.head, settings.receive), ws="none", lifespan="off", log_level="critical"
        )
        self.config.load()
        decision = {"asset": {"name": "a"}, "label": "none"}
        self.decision = self.service.working.decisions.keep("anybody", decision)

    def answers(self, *parts: bytes) -> list[h11.Response]:
        """What a client reads that sends these parts and hangs up."""
        return self.loop.run_until_complete(self._asked(parts))

    async def _asked(self, parts: tuple[bytes, ...]) -> list[h11.Response]:
        wire, state = _Wire(), ServerState()
        protocol: Any = self.config.http_protocol_class(  # type: ignore[operator]
            config=self.config, server_state=state, app_state={}, _loop=self.loop
        )
        protocol.connection_made(wire)
        for part in parts:
            if part and not wire.closed:
                protocol.data_received(part)
                await asyncio.sleep(0)
        complete = protocol.cycle is not None and not protocol.cycle.more_body
        if state.tasks and complete:
            await asyncio.wait(set(state.tasks), timeout=_SECONDS)
        protocol.connection_lost(None)
        if state.tasks:
            await asyncio.wait(set(state.tasks), timeout=_SECONDS)
        assert not state.tasks, "a request hangs"
        found = []
        for response in _read(bytes(wire.written)):
            assert response.status_code in _ALLOWED, bytes(wire.written)
            headers = {bytes(name): bytes(value) for name, value in response.headers}
            assert b"x" not in headers, headers  # split by what a caller sent
            assert headers.get(b"location", b"/").startswith(b"/"), headers
            found.append(response)
            if response.status_code == 202:
                job = headers[b"location"].decode().removeprefix("/v1/jobs/")
                assert self.service.working.jobs.delete(job, "anybody")
        return found


def _read(written: bytes) -> Iterator[h11.Response]:
    """Answers to as many requests as were answered; raises where a client could not read them."""
    while written:
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="GET", target="/", headers=[("host", "localhost")]))
        client.send(h11.EndOfMessage())
        client.receive_data(written)
        if written.endswith(b"Invalid HTTP request received."):
            client.receive_data(b"")
        while not isinstance(event := client.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            if isinstance(event, h11.Response):
                yield event
        written = client.trailing_data[0]


@lru_cache(maxsize=1)
def _server() -> _Server:
    return _Server()


def a_request_is_answered(content: bytes) -> None:
    """No bytes in any part of a request make the server fail, hang, or say what a client cannot read."""
    server = _server()
    server.service.keys.refresh()  # as the server's own loop does every second
    cut = len(content) // 3
    server.answers(content)
    for request in _requests(content, server.decision):
        server.answers(request[:cut], request[cut:])


def _requests(content: bytes, decision: str) -> Iterator[bytes]:
    word = content[:300].replace(b"\n", b"").replace(b"\r", b"").replace(b" ", b"+").replace(b"\0", b"%00")
    quoted = b"".join(b"%%%02x" % byte for byte in content[:60])
    text = content[:2000].decode("utf-8", "replace")
    place = f"/v1/decisions/{decision}/".encode()
    yield _post(b"/v1/scan", content)
    yield _post(b"/v1/scan?name=%s&deep=%s&prior=%s" % (quoted, quoted, quoted[:6]), content[:99])
    yield _post(b"/v1/verify?" + word, content[:99])
    yield _post(b"/v1/jobs?name=%s&webhook=http://hooks.example/%s" % (quoted, quoted), content[:99])
    yield _post(b"/v1/jobs", content[:99], b"Idempotency-Key: " + word)
    yield _post(b"/v1/jobs", b"", b"Content-Length: " + word[:20])
    yield _post(b"/v1/label?policy=" + quoted, content[:99])
    yield _post(place + b"appeals", content)
    yield _post(place + b"appeals", json.dumps({"by": text[:99], "statement": text}).encode())
    yield _post(place + b"reviews", json.dumps({"by": "a", "statement": text, "label": text[:9]}).encode())
    yield _post(b"/v1/matches/byBinding", json.dumps({"alg": text[:9], "value": text}).encode(), _JSON)
    yield _post(b"/v1/matches/byBinding", content, _JSON)
    for path in (b"/v1/jobs", b"/look", b"/v1/scan"):
        yield _post(path, _form(content, b'name="file"; filename="%s"' % word), _FORM)
        yield _post(path, _form(content[:99], b"name=" + word), _FORM)
        yield _post(path, content, _FORM)
        yield _post(path, _form(content[:99], b'name="file"; filename="a"'), _FORM + word)
    yield _post(
        b"/v1/scan",
        b"".join(b"%x\r\n%s\r\n" % (9, content[at : at + 9]) for at in range(0, 99, 9)),
        b"Transfer-Encoding: chunked",
    )
    yield b"GET /%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nOrigin: %s\r\n\r\n" % (word, word, word)
    for path in (
        b"/v1/jobs/%s",
        b"/v1/jobs/a/files/%s",
        b"/v1/decisions/%s",
        b"/v1/manifests/%s",
        b"/static/%s",
        b"/?%s",
    ):
        yield b"GET " + path % quoted + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield b"DELETE /v1/contents/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % quoted


_JSON = b"Content-Type: application/json"
_FORM = b"Content-Type: multipart/form-data; boundary=" + _BOUNDARY


def _post(path: bytes, body: bytes, header: bytes = b"Content-Type: image/jpeg") -> bytes:
    return (
        b"POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path, header)
        + (
            b""
            if b"Transfer-Encoding" in header or b"Content-Length" in header
            else b"Content-Length: %d\r\n" % len(body)
        )
        + b"\r\n"
        + body
    )


def _form(content: bytes, disposition: bytes) -> bytes:
    return b"--%s\r\nContent-Disposition: form-data; %s\r\nContent-Type: image/png\r\n\r\n%s\r\n--%s--\r\n" % (
        _BOUNDARY,
        disposition,
        content,
        _BOUNDARY,
    )
