"""Running the server: one process with an event loop, its workers beside it, until it is told to end.

Rules: bound to the loopback unless told otherwise, and to others only with keys or on explicit wish; SIGTERM and SIGINT
drain: no new connection, what was accepted is finished; connections that send no request, or leave answers unread, are closed;
no other protocol is offered, so a request that asks for one is answered as any other.
"""

import asyncio
import contextlib
import fcntl
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from assay.detectors.card import read_card
from assay.provenance.errors import AssayError
from assay.scanning.child import Examine
from assay.scanning.service.app import create
from assay.scanning.service.base import StateRefused
from assay.scanning.service.keys import opened
from assay.scanning.service.settings import LOOPBACK, Settings

_HEAD = 64 * 1024  # bytes of a request line and headers, which the parser itself would take without end
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class CannotListen(AssayError):
    """The address is taken, not ours, or open to others without keys."""


def serve(
    settings: Settings,
    *,
    stop_after: float | None = None,
    stop: threading.Event | None = None,
    say: Callable[[str], None] = print,
    make: Callable[[], Examine] | None = None,
) -> None:
    """Serve until a signal, for `stop_after` seconds, or until `stop` is set. Raises `CannotListen`.

    `say` is told the address; `make` builds the examiner in each worker, where it is not the real one.
    """
    if settings.host not in LOOPBACK and not settings.unprotected and not _protected(settings):
        raise CannotListen(
            f"{settings.host}: others could reach this server, and it asks nobody for a key",
            "make a key with `assay serve keys add NAME --state FOLDER` (or --database URL) and name the same here, "
            "or say --unprotected behind a gateway of your own",
        )
    if make is None and settings.model is not None:
        read_card(settings.model)  # a model that is not there is told now, not by every worker
    with _alone(settings):
        _run(settings, stop_after=stop_after, stop=stop, say=say, make=make)


def _protected(settings: Settings) -> bool:
    if settings.place is None:
        return False
    with opened(settings.place) as keys:
        return keys.any()


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the state folder: two servers on it would do each job twice."""
    if settings.state is None:
        yield
        return
    try:
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (settings.state / "lock").open("w")
    except OSError as error:
        raise StateRefused(f"{settings.state}: no usable state folder: {error}", "name another with --state") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateRefused(
                f"{settings.state}: another server uses this folder", "name another with --state"
            ) from None
        yield


def _run(
    settings: Settings,
    *,
    stop_after: float | None,
    stop: threading.Event | None,
    say: Callable[[str], None],
    make: Callable[[], Examine] | None,
) -> None:
    listener = _listener(settings)
    host, port = listener.getsockname()[:2]
    say(f"assay: serving at http://{f'[{host}]' if ':' in host else host}:{port}/")
    guard = create(settings, make=make)
    config = uvicorn.Config(
        guard,
        http=_protocol(settings.head, settings.receive),
        ws="none",
        lifespan="on",
        log_level="error",  # a line for each malformed request would let callers fill the log
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(5, int(settings.head)),
        timeout_graceful_shutdown=int(settings.drain),
    )
    server = _Server(config, guard.service.end)
    if stop_after is not None or stop is not None:
        threading.Thread(target=_end, args=(server, stop or threading.Event(), stop_after), daemon=True).start()
    server.run(sockets=[listener])
    if not server.started:
        raise CannotListen("the server did not start; its log says why")


def _listener(settings: Settings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        raise CannotListen(
            f"{settings.host}:{settings.port}: {error.strerror or error}", "choose another with --port"
        ) from error
    return listener


class _Server(uvicorn.Server):
    """Ends with the program's own exit code: uvicorn's raises the signal once more when it is done. `end`: what begins to end with it."""

    def __init__(self, config: uvicorn.Config, end: Callable[[], None]) -> None:
        super().__init__(config)
        self._end = end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _end(server: uvicorn.Server, stop: threading.Event, seconds: float | None) -> None:
    stop.wait(seconds)
    server.should_exit = True


def _protocol(seconds: float, unread: float) -> type[HttpToolsProtocol]:
    """uvicorn's HTTP/1.1, which closes a connection whose next request's head does not arrive in time or will not end, and one
    whose caller does not take what was written for `unread` seconds."""

    class Impatient(HttpToolsProtocol):
        _waiting: asyncio.TimerHandle | None = None
        _answering: RequestResponseCycle | None = None  # of several that came at once, the one whose turn it is
        _writing: asyncio.TimerHandle | None = None  # while more is written than the caller takes
        _head = 0  # bytes of this request's line and headers, those after its last chunk among them
        _trailing = False  # whether this request's headers are complete
        _since = 0  # bytes received since a head, a chunk's size, a piece of a body or a request was complete

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            self._since += len(data)
            self._unset_keepalive_if_required()
            try:
                self._parse(memoryview(data))
            except httptools.HttpParserError:
                if self._head <= _HEAD:
                    self.send_400_response("Invalid HTTP request received.")
            working = self.cycle is not None and not self.cycle.response_complete
            if working:
                self._stop()
            elif self._waiting is None:
                self._wait()
            if max(self._since, self._head) > _HEAD and not self.transport.is_closing():
                if not working:
                    self.transport.write(_TOO_LONG)
                self.transport.close()

        def _parse(self, data: memoryview) -> None:
            """Raises `HttpParserError`.

            The parser ends a request that asks for an upgrade with its head, and would take its body for the next request: it
            begins anew with the same head without that wish.
            """
            while True:
                try:
                    self.parser.feed_data(data)
                    return
                except httptools.HttpParserUpgrade as upgrade:
                    data = data[upgrade.args[0] :]
                head = b"%b %b HTTP/%b\r\n" % (
                    self.parser.get_method(),
                    self.url,
                    self.parser.get_http_version().encode(),
                )
                kept = (b"%b: %b\r\n" % field for field in self.headers if field[0] != b"upgrade")
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's first one
                self.parser.feed_data(b"".join((head, *kept, b"\r\n")))

        def on_message_begin(self) -> None:
            self._head, self._trailing = 0, False
            super().on_message_begin()

        def on_url(self, url: bytes) -> None:
            self._lengthen(len(url))
            super().on_url(url)

        def on_header(self, name: bytes, value: bytes) -> None:
            self._lengthen(len(name) + len(value) + len(":\r\n"))
            if (
                not self._trailing
            ):  # what stands behind a body is no header: whoever checked those before us has not seen it
                super().on_header(name, value)

        def _lengthen(self, size: int) -> None:
            self._head += size
            if self._head > _HEAD:
                raise httptools.HttpParserError("its head is too long")

        def on_headers_complete(self) -> None:
            self._since = 0
            if self.parser.get_method() == b"CONNECT":
                raise httptools.HttpParserError("nothing is tunnelled")
            if not self.parser.should_upgrade():
                self._trailing = True
                super().on_headers_complete()

        def on_chunk_header(self) -> None:
            self._since = 0  # what comes after the last one is kept as headers are

        def on_body(self, body: bytes) -> None:
            self._since = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._since = 0
            if not self.parser.should_upgrade():
                super().on_message_complete()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._writing = self.loop.call_later(unread, self.transport.abort)

        def resume_writing(self) -> None:
            self._read()
            super().resume_writing()

        def timeout_keep_alive_handler(self) -> None:
            self._let_go()

        def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
            self._answering = cycle
            super()._start_asgi_task(cycle, app)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            self._read()
            if self._answering is not None and not self._answering.response_complete:
                self._answering.disconnected = True  # uvicorn tells the newest request alone, and the others write on
            super().connection_lost(exc)

        def _wait(self) -> None:
            self._waiting = self.loop.call_later(seconds, self._give_up)

        def _stop(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

        def _read(self) -> None:
            if self._writing is not None:
                self._writing.cancel()
                self._writing = None

        def _give_up(self) -> None:
            self._waiting = None
            if self.cycle is None or self.cycle.response_complete:
                self._let_go()

        def _let_go(self) -> None:
            """Close; what the caller did not take by now is dropped, for closing would wait until it does."""
            if self.transport.get_write_buffer_size():
                self.transport.abort()
            elif not self.transport.is_closing():
                self.transport.close()

    return Impatient
