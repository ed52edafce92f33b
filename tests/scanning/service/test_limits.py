"""Hostile callers and hostile files: too large, too slow, too many, deadly; the server answers clearly and lives."""

import contextlib
import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from misbehaving import obeying
from outcomes import picture
from serving import Server, served_here


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server with small limits whose one worker does what uploads say."""
    limits = {"seconds": 1.5, "queue": 3, "upload": 2_000_000, "held": 2_500_000, "head": 0.6, "receive": 0.6}
    with served_here(obeying, **limits) as address:
        yield address


def post(address: str, content: bytes) -> httpx.Response:
    return httpx.post(f"{address}/v1/scan", content=content, timeout=30, trust_env=False)


def test_a_file_that_kills_its_worker_costs_one_answer(address: str) -> None:
    for content, status, said in (
        (b"crash", 500, "SIGSEGV"),
        (b"lie", 500, "malformed"),
        (b"another", 500, "speaks of another file"),
        (b"hang", 500, "no answer within 1.5 seconds"),
        (b"killed", 503, "killed"),
    ):
        answer = post(address, content)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert said in answer.json()["detail"]
        assert post(address, b"fine").json()["said"] == "examined"
    assert answer.headers["retry-after"] == "5"
    assert "assay_worker_crashes_total 5.0" in httpx.get(f"{address}/metrics", trust_env=False).text


def test_a_file_that_killed_a_worker_is_not_opened_again_whatever_it_is_called(address: str) -> None:
    told = []
    for query in ("name=a", "name=a", "name=b", "name=c&prior=0.5", "name=d&thorough=true"):
        answer = httpx.post(f"{address}/v1/scan?{query}", content=b"crash once", timeout=30, trust_env=False)
        assert answer.status_code == 500
        told.append("it was not opened again" in answer.json()["detail"])
    assert told == [False, True, True, True, False]


def test_a_full_queue_is_refused_with_the_time_to_wait(address: str) -> None:
    with ThreadPoolExecutor(12) as callers:
        answers = list(callers.map(lambda _: post(address, b"slow"), range(12)))
        codes = sorted(answer.status_code for answer in answers)
        assert set(codes) == {200, 429}
        assert codes.count(200) >= 3  # one in work, two waiting
        for answer in answers:
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1
                assert "waiting already" in answer.json()["detail"]
        assert post(address, b"fine").status_code == 200


def test_who_hangs_up_gives_up_the_place_in_the_queue(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    before, gone, misunderstood = _examined(address), _answered(address, 499), _answered(address, 400)
    lines = [socket.create_connection((host, int(port))) for _ in range(4)]
    for line in lines:
        line.sendall(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nslow")
    deadline = time.monotonic() + 5
    while _waiting(address) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    for line in lines:
        line.close()
    while _waiting(address) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _waiting(address) <= 1
    assert post(address, b"fine").status_code == 200
    assert _examined(address) == before + 1  # none of the four was answered
    with socket.create_connection((host, int(port))) as line:
        line.sendall(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nsl")
    while _answered(address, 499) < gone + 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (_answered(address, 499), _answered(address, 400)) == (gone + 5, misunderstood)


def _waiting(address: str) -> float:
    return _metric(address, "assay_waiting")


def _examined(address: str) -> float:
    return _metric(address, 'assay_examining_seconds_count{task="scan"}')


def _answered(address: str, status: int) -> float:
    return _metric(address, f'assay_requests_total{{route="/v1/scan",status="{status}"}}')


def _metric(address: str, name: str) -> float:
    text = httpx.get(f"{address}/metrics", trust_env=False).text
    return float(text.partition(f"\n{name} ")[2].split("\n")[0] or 0)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused(address: str, announced: bool) -> None:
    body = b"x" * 3_000_000
    content = body if announced else iter([body[:1_500_000], body[1_500_000:]])
    answer = httpx.post(f"{address}/v1/scan", content=content, timeout=30, trust_env=False)
    assert answer.status_code == 413
    assert "2,000,000" in answer.json()["detail"]
    form = httpx.post(f"{address}/v1/scan", files={"file": ("a", body)}, timeout=30, trust_env=False)
    assert form.status_code == 413
    assert post(address, b"x" * 1_999_999).status_code == 200


def test_a_length_that_nobody_could_send_is_refused_at_once(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999\r\n\r\n")
        assert b" 413 " in line.recv(4096)


def test_slow_senders_are_cut_off(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    started = time.monotonic()
    lines = [socket.create_connection((host, int(port)), timeout=20) for _ in range(20)]
    for number, line in enumerate(lines):
        if number % 2:
            line.sendall(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    for _ in range(4):  # trickling does not help
        time.sleep(0.1)
        for line in lines[1::2]:
            line.sendall(b"z")
    assert post(address, b"fine").status_code == 200  # meanwhile others are served
    assert [line.recv(4096) for line in lines] == [b""] * 20
    assert time.monotonic() - started < 10
    for line in lines:
        line.close()
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\nabc")
        for _ in range(4):
            time.sleep(0.1)
            line.sendall(b"d")
        answer = line.recv(4096)
        assert b" 408 " in answer
        assert b"connection: close" in answer.lower()


INNER = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begun", "answer"),
    [
        (b"POST /", b"HTTP/1.1 431 "),
        (b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\nX-Long: ", b"HTTP/1.1 431 "),
        (CHUNKED + b"1\r\nx\r\n0\r\nX-Long: ", b""),  # what follows the last chunk is kept as headers are
        (CHUNKED + b"1;", b""),
    ],
)
def test_headers_without_an_end_are_refused_before_they_fill_the_memory(
    address: str, begun: bytes, answer: bytes
) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        for piece in (begun, b"z" * 60_000, b"z" * 10_000):
            line.sendall(piece)
            time.sleep(0.05)
        told = b""
        with contextlib.suppress(ConnectionResetError):
            while part := line.recv(4096):
                told += part
    assert told[:13] == answer  # and not the 408 of one that is slow
    assert post(address, b"fine").status_code == 200


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (b"GET /%b HTTP/1.1\r\nHost: localhost\r\n" % (b"z" * 60_000), b"HTTP/1.1 404 "),
        (b"GET /%b HTTP/1.1\r\nHost: localhost\r\n" % (b"z" * 80_000), b"HTTP/1.1 431 "),
        (INNER[:-2] + b"X-Long: %b\r\n" % (b"z" * 1000) * 60, b"HTTP/1.1 200 "),
        (INNER[:-2] + b"X-Long: %b\r\n" % (b"z" * 1000) * 120, b"HTTP/1.1 431 "),
        (CHUNKED + b"1\r\nx\r\n0\r\n" + b"X-Long: %b\r\n" % (b"z" * 1000) * 120, b""),
    ],
)
def test_a_head_that_comes_whole_may_be_no_longer(address: str, head: bytes, answer: bytes) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(head + b"\r\n")
        told = b""
        with contextlib.suppress(ConnectionResetError):
            told = line.recv(4096)
    assert told[:13] == answer


def test_answers_that_nobody_reads_are_dropped(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """Many requests at once fill what may be written ahead; nothing of it goes to the log."""
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.connect((host, int(port)))
        own = silent.getsockname()[1]
        silent.settimeout(5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            silent.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 400)
        for _ in range(50):
            if not _established(int(port), own):
                break
            time.sleep(0.1)
        else:
            raise AssertionError("the server still keeps the connection")
    assert post(address, b"fine").status_code == 200
    assert not caplog.records


def _established(port: int, other: int) -> bool:
    """Whether the server's side of this connection is open, by the system's own table."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any((row[1][-5:], row[2][-5:], row[3]) == (f":{port:04X}", f":{other:04X}", "01") for row in rows)


def test_what_is_no_http_is_refused_without_a_line_in_the_log(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    logged: list[str] = []
    for name in ("uvicorn.error", "uvicorn.access"):
        listening = logging.Handler()
        listening.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
        monkeypatch.setattr(logging.getLogger(name), "handlers", [listening])
    host, port = address.removeprefix("http://").split(":")
    upgrade = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n"
    both = CHUNKED.replace(b"Transfer", b"Content-Length: 4\r\nTransfer") + b"0\r\n\r\n"
    for sent, status in ((b"\x16\x03\x01 hello\r\n\r\n", 400), (both, 400), (upgrade, 200)):
        with socket.create_connection((host, int(port)), timeout=20) as line:
            line.sendall(sent)
            assert b"HTTP/1.1 %d " % status in line.recv(4096)
    assert logged == []


H2C = b"Host: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: %d\r\n\r\n" % len(INNER), INNER),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(INNER), INNER)),
        (b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n", b"fine"),
    ],
)
@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_an_upgrade_is_ignored_and_the_body_is_no_request(address: str, framing: bytes, body: bytes, size: int) -> None:
    """curl --http2 and Java's client ask for HTTP/2 with every upload."""
    sent = b"POST /v1/scan HTTP/1.1\r\n" + H2C + framing + body
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):  # the connection stays in step
            for start in range(0, len(sent), size):
                line.sendall(sent[start : start + size])
            told = b""
            while not told.endswith(b"}\n") and (part := line.recv(4096)):
                told += part
            assert told.count(b"HTTP/1.1 200 ") == told.count(b"HTTP/1.1 ") - told.count(b" 100 Continue") == 1
            assert b'"said": "examined"' in told
        line.sendall(INNER.replace(b"Host", b"Connection: close\r\nHost"))
        told = b""
        while part := line.recv(4096):
            told += part
        assert told.count(b"HTTP/1.1 ") == 1
        assert told.endswith(b'{"status":"ok"}')


def test_many_upgrades_at_once_are_as_many_requests(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    asked = b"GET /healthz HTTP/1.1\r\n" + H2C + b"\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(asked * 1500 + INNER.replace(b"Host", b"Connection: close\r\nHost"))
        told = b""
        while part := line.recv(65536):
            told += part
    assert told.count(b"HTTP/1.1 200 OK") == 1501


def test_nothing_is_tunnelled(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    asked = b"CONNECT http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(INNER)
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(asked)
        time.sleep(0.1)
        told = b""
        with contextlib.suppress(ConnectionError):
            line.sendall(INNER)
            while part := line.recv(4096):
                told += part
    assert (told.count(b"HTTP/1.1 "), told[:13]) == (1, b"HTTP/1.1 400 ")


def test_idle_connections_may_be_used_again(address: str) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(3):
            assert client.post(f"{address}/v1/scan", content=b"fine").json()["said"] == "examined"
            time.sleep(0.1)


def test_uploads_in_memory_are_bounded_in_sum(address: str) -> None:
    big = b"slow " + b"x" * 1_500_000
    with ThreadPoolExecutor(3) as callers:
        answers = list(callers.map(lambda _: post(address, big), range(3)))
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert "in memory" in refused.json()["detail"]


def test_what_is_announced_and_does_not_come_takes_no_room(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as lines:
        for framing in (b"Content-Length: 1900000\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"):
            line = lines.enter_context(socket.create_connection((host, int(port)), timeout=20))
            line.sendall(b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\n" + framing)
        time.sleep(0.1)
        assert post(address, b"fine " + b"x" * 1_200_000).status_code == 200


def test_an_upload_that_outgrows_the_room_is_refused_and_its_connection_goes_on(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    piece = b"%x\r\n%b\r\n" % (1_000_000, b"x" * 1_000_000)
    with (
        socket.create_connection((host, int(port)), timeout=20) as first,
        socket.create_connection((host, int(port)), timeout=20) as second,
    ):
        for line in (first, second):
            line.sendall(CHUNKED + piece)
            time.sleep(0.1)
        answer = second.recv(4096)
        assert b"HTTP/1.1 429 " in answer
        assert b"uploads of yours are in memory" in answer
        assert b"retry-after: 5\r\n" in answer.lower()
        second.sendall(piece + b"0\r\n\r\n" + INNER)
        assert b"HTTP/1.1 200 " in second.recv(4096)
        first.sendall(b"0\r\n\r\n")
        assert b"HTTP/1.1 200 " in first.recv(4096)
    assert post(address, b"x" * 1_900_000).status_code == 200


def test_a_caller_leaves_room_for_others() -> None:
    from assay.scanning.service.admitting import Busy, Holding, Memory

    memory = Memory(100, lambda: 7.2)
    first, second, other = (Holding(memory, caller) for caller in ("one", "one", "another"))
    first.grow(80)  # nobody else has anything there
    other.grow(10)
    with pytest.raises(Busy, match="of yours"):
        second.check(1)
    with pytest.raises(Busy, match="try again in 8 s"):
        first.grow(11)
    first.release()
    second.grow(40)
    with pytest.raises(Busy, match="too many uploads are in memory"):
        other.grow(51)
    other.grow(50)


def test_a_large_form_never_touches_the_disk(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise AssertionError("an upload was written to disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    answer = httpx.post(f"{address}/v1/scan", files={"file": ("a", b"x" * 1_900_000)}, timeout=30, trust_env=False)
    assert answer.json()["said"] == "examined"


def test_a_worker_killed_from_outside_is_replaced(server: Server) -> None:
    with server.client() as client:
        before = server.workers()
        assert len(before) == 1
        os.kill(before[0], signal.SIGKILL)
        assert client.post("/v1/scan", content=picture()).status_code == 200
        assert len(after := server.workers()) == 1
        assert after != before


def test_it_listens_to_this_machine_alone_unless_told() -> None:
    from assay.scanning.service.running import CannotListen, serve
    from assay.scanning.service.settings import Settings

    assert Settings().host == "127.0.0.1"
    with pytest.raises(CannotListen, match="asks nobody for a key"):
        serve(Settings(host="0.0.0.0", port=0))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotListen, match="in use"):
        serve(Settings(port=taken.getsockname()[1], model=None))
