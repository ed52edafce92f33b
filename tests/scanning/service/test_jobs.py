"""Jobs: accepted is kept, over kill -9 too; told once they are done; forgotten when asked."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import jsonschema
import pytest
from misbehaving import obeying
from outcomes import picture
from pytest_httpserver import HTTPServer
from serving import Server, served, served_here
from sqlalchemy import insert, text, update
from sqlalchemy.exc import IntegrityError
from standardwebhooks import Webhook
from werkzeug import Request, Response

from assay.scanning.service import tables, webhooks, working
from assay.scanning.service.admitting import Busy
from assay.scanning.service.base import Base, NoRoom, connect
from assay.scanning.service.decisions import Decisions, digest
from assay.scanning.service.jobs import Item, Jobs, Mismatched, Options
from assay.scanning.service.keys import Keys, opened
from assay.scanning.service.receiving import Upload
from assay.scanning.service.webhooks import WebhookRefused, check_webhook, named_host, signed

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs" / "schema" / "job-1.json").read_text())
SECRET = b"what only its owner may read"
UPLOADS = tuple(Upload(f"{number}.png", picture(size=(40 + number, 40))) for number in range(6))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    found: Path | str = tmp_path / "state" if request.param == "sqlite" else request.getfixturevalue("database")
    return found


@pytest.fixture
def base(place: Path | str) -> Iterator[Base]:
    with contextlib.closing(connect(place)) as base:
        yield base


@pytest.fixture
def jobs(base: Base) -> Jobs:
    return Jobs(base)


def waiting(address: str) -> float:
    return counted(address, "waiting")


def counted(address: str, name: str) -> float:
    text = httpx.get(f"{address}/metrics", trust_env=False).text
    return float(text.partition(f"\nassay_{name} ")[2].split("\n")[0] or 0)


def until(address: str, job: str, *, seconds: float = 60, headers: dict[str, str] | None = None) -> dict[str, object]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        said = httpx.get(f"{address}{job}", trust_env=False, headers=headers).json()
        if said["state"] == "finished":
            return said
        time.sleep(0.1)
    raise AssertionError(f"not finished: {said}")


def test_kill_9_loses_no_accepted_job_and_sigterm_no_request(tmp_path: Path, httpserver: HTTPServer) -> None:
    state = tmp_path / "state"
    heard: list[Request] = []

    def hear(request: Request) -> Response:
        heard.append(request)
        return Response(status=204)

    httpserver.expect_request("/hook", method="POST").respond_with_handler(hear)
    options = ("--state", str(state), "--webhook-host", f"{httpserver.host}:{httpserver.port}")
    files = [("file", (upload.name, upload.content)) for upload in UPLOADS]
    with served(*options, wait=False) as server, server.client() as client:
        accepted = client.post("/v1/jobs", files=files, params={"webhook": httpserver.url_for("/hook")})
        assert accepted.status_code == 202
        more = [client.post("/v1/jobs", content=upload.content).headers["location"] for upload in UPLOADS[:3]]
        os.kill(server.child.pid, signal.SIGKILL)
        server.child.wait()
    base = sqlite3.connect(state / "service.sqlite")
    assert base.execute("SELECT count(*) FROM item WHERE state = 'done'").fetchone()[0] < len(UPLOADS) + 3
    base.close()
    with served(*options) as server, server.client() as client:
        said = until(server.address, accepted.headers["location"])
        for location in more:
            until(server.address, location)
        assert [file["state"] for file in said["files"]] == ["done"] * len(UPLOADS)
        for number, upload in enumerate(UPLOADS):
            fetched = client.get(f"{accepted.headers['location']}/files/{number}").content
            assert fetched == client.post("/v1/scan", params={"name": upload.name}, content=upload.content).content
        deadline = time.monotonic() + 20
        while not heard and time.monotonic() < deadline:
            time.sleep(0.05)
        large = picture(size=(4000, 3000))  # each takes longer than the server's look at its signals
        with ThreadPoolExecutor(4) as callers:
            asked = [
                callers.submit(httpx.post, f"{server.address}/v1/scan", content=large, timeout=60) for _ in range(4)
            ]
            while waiting(server.address) < 4 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert server.stop() == 0
            assert [call.result().status_code for call in asked] == [200] * 4
    assert len(heard) == 1
    with opened(state) as keys:
        told = Webhook(keys.webhook_secrets()[0]).verify(heard[0].get_data(), dict(heard[0].headers))
    assert told["type"] == "job.finished"
    assert told["data"]["id"] == accepted.json()["id"]
    kept = (state / "service.sqlite").read_bytes()
    assert all(upload.content not in kept for upload in UPLOADS)  # uploads go when they are done


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The example that the specification's reference libraries are tested with."""
    headers = signed(
        b'{"test": 2432232314}',
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",),
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://hooks.example:81/x",
        "ftp://hooks.example/x",
        "http://user@hooks.example/",
        "http://hooks.example.evil.example/",
        "http://hooks.example:port/",
        "nonsense",
    ],
)
def test_only_named_hosts_are_called(url: str) -> None:
    with pytest.raises(WebhookRefused):
        check_webhook(url, (named_host("hooks.example:443"),))


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("hooks.example", "https://hooks.example:8443/x"),
        ("hooks.example:443", "https://hooks.example/x"),
        ("Hooks.Example:80", "http://HOOKS.example"),
        ("[::1]:8402", "http://[::1]:8402/x"),
        ("[::1]", "http://[::1]/"),
        ("::1", "http://[::1]:8402/"),
        ("FE80::1", "http://[fe80::1]/"),
    ],
)
def test_a_named_host_is_called_however_it_is_written(name: str, url: str) -> None:
    check_webhook(url, (named_host(name),))


@pytest.mark.parametrize(
    "name",
    [
        "https://hooks.example",
        "hooks.example/x",
        "user@hooks.example",
        "hooks.example:port",
        "",
        ":80",
        "*.example",
        "a b",
        "é.example",
    ],
)
def test_what_names_no_host_is_refused(name: str) -> None:
    with pytest.raises(WebhookRefused, match="is no host"):
        named_host(name)


def test_the_same_key_gives_the_same_job(jobs: Jobs) -> None:
    job, new = jobs.accept("anybody", UPLOADS[:2], Options(), idempotency="k1")
    assert new
    assert jobs.accept("anybody", UPLOADS[:2], Options(), idempotency="k1") == (job, False)
    with pytest.raises(Mismatched):
        jobs.accept("anybody", UPLOADS[:1], Options(), idempotency="k1")
    with pytest.raises(Mismatched):
        jobs.accept("anybody", UPLOADS[:2], Options(thorough=True), idempotency="k1")
    assert jobs.accept("somebody else", UPLOADS[:2], Options(), idempotency="k1")[0] != job
    assert jobs.accept("anybody", UPLOADS[:2], Options())[0] != job


def test_an_item_that_kills_servers_is_given_up(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with contextlib.closing(connect(folder)) as base:
        job, _ = Jobs(base).accept("anybody", UPLOADS[:2], Options())
    for _ in range(3):  # each server dies over it
        with contextlib.closing(connect(folder)) as base:
            item = Jobs(base).claim()
            assert item is not None
            assert item.number == 0
    with contextlib.closing(connect(folder)) as base:
        jobs = Jobs(base)
        item = jobs.claim()
        assert item is not None
        assert item.number == 1
        jobs.finish(item, b'{"found": 1}\n', origin="synthetic", basis="proved")
        said = jobs.describe(job, "anybody")
    assert said is not None
    assert said["state"] == "finished"
    assert [file["state"] for file in said["files"]] == ["failed", "done"]
    assert "given up after 3 attempts" in said["files"][0]["document"]["error"]["message"]
    assert said["files"][1]["origin"] == "synthetic"


def test_a_fault_in_one_item_stops_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "state"
    with contextlib.closing(connect(folder)) as base:
        odd, _ = Jobs(base).accept("anybody", UPLOADS[:1], Options())
        good, _ = Jobs(base).accept("anybody", UPLOADS[1:2], Options())
    with contextlib.closing(sqlite3.connect(folder / "service.sqlite")) as state:
        state.execute("UPDATE item SET name = 'no JSON' WHERE job = ?", (odd,))
        state.commit()
    with served_here(obeying, state=folder) as address:
        assert until(address, f"/v1/jobs/{good}")["files"][0]["state"] == "done"
    (logged,) = [record.getMessage() for record in caplog.records if record.name.endswith("service.working")]
    assert "goes on after a fault (examine one): JSONDecodeError" in logged
    assert "in claim" in logged


def test_what_another_version_was_asked_is_left_to_it_and_given_up_after_an_hour(base: Base, jobs: Jobs) -> None:
    later, _ = jobs.accept("anybody", UPLOADS[:1], Options())
    known, _ = jobs.accept("anybody", UPLOADS[1:2], Options())

    def asked(options: str, *, made: float) -> None:
        """Set what the first job asked for and when, and end the claim on its item."""
        with base.transaction() as change:
            change.execute(update(tables.job).where(tables.job.c.id == later).values(options=options, made=made))
            change.execute(update(tables.item).where(tables.item.c.job == later).values(until=tables.now() - 1))

    asked('{"later": 1, "thorough": true}', made=tables.now())
    claimed = jobs.claim()
    assert claimed is not None
    assert claimed.job == known
    for _ in range(5):  # its claims run out, and are no attempts
        asked('{"later": 1, "thorough": true}', made=tables.now())
        assert jobs.claim() is None
    asked('{"thorough": true}', made=tables.now())  # as if a newer server came by
    taken = jobs.claim()
    assert taken is not None
    assert (taken.job, taken.options) == (later, Options(thorough=True))
    asked('{"later": 1}', made=tables.now() - 4000)
    assert jobs.claim() is None
    said = jobs.describe(later, "anybody")
    assert said is not None
    assert (
        said["files"][0]["document"]["error"]["message"]
        == "no server here knows what was asked for (later); ask again without it"
    )


def test_a_fault_ends_no_beat_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept, sent = threading.Semaphore(0), "a caller's own words"

    def counts(_: Jobs) -> dict[str, int]:
        swept.release()
        raise IntegrityError("SELECT what", {"sent": sent}, ValueError("the cause"))

    monkeypatch.setattr(working, "_SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(Jobs, "counts", counts)
    with served_here(obeying, state=tmp_path / "state"):
        assert all(swept.acquire(timeout=20) for _ in range(4))
    (logged,) = [record.getMessage() for record in caplog.records if record.name.endswith("service.working")]
    assert "goes on after a fault (sweep): IntegrityError: the cause" in logged
    assert sent not in logged


def test_a_webhook_is_tried_again_and_given_up_in_the_end(jobs: Jobs) -> None:
    job, _ = jobs.accept("anybody", UPLOADS[:1], Options(webhook="http://hooks.example/x"))
    assert jobs.due() is None
    jobs.finish(jobs.claim(), b"{}")
    first = jobs.due()
    jobs.delivered(first, "answered 500", again=0.05)
    assert jobs.due() is None
    time.sleep(0.06)
    second = jobs.due()
    assert second.attempts == 1
    assert jobs.due() is None  # nobody delivers it at the same time
    jobs.delivered(first, "delivered", again=None)  # an attempt that was given up for lost
    jobs.delivered(second, "answered 500", again=float("inf"))
    assert jobs.due() is None
    told = jobs.describe(job, "anybody")["webhook"]
    assert (told["state"], told["attempts"], told["said"]) == ("given up", 2, "answered 500")


def drip(caller: socket.socket) -> None:
    """Say that the answer is fine, and never end it."""
    caller.sendall(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        caller.sendall(b"x")
        time.sleep(0.1)


def go_on(caller: socket.socket) -> None:
    """Say for ever that the answer comes."""
    while True:
        caller.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.1)


def wait(caller: socket.socket) -> None:
    """Say nothing."""
    caller.recv(1)
    time.sleep(30)


@contextlib.contextmanager
def receiving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A receiver of webhooks with an answer of its own; yields its host and port."""

    def answered(caller: socket.socket) -> None:
        with caller, contextlib.suppress(OSError):
            answer(caller)

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answered, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=listen, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(("scheme", "answer"), [("http", drip), ("http", go_on), ("http", wait), ("https", wait)])
def test_a_receiver_that_never_ends_keeps_no_other_and_no_server_from_ending(
    tmp_path: Path,
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    answer: Callable[[socket.socket], None],
) -> None:
    monkeypatch.setattr(webhooks, "_SECONDS", 1.0)
    good = f"{httpserver.host}:{httpserver.port}"
    httpserver.expect_request("/hook", method="POST").respond_with_data(status=204)
    with receiving(answer) as bad:
        with served_here(obeying, state=tmp_path, webhook_hosts=(good, bad)) as address:

            def hand_in(webhook: str) -> str:
                asked = {"webhook": webhook}
                return httpx.post(f"{address}/v1/jobs", params=asked, content=b"fine", trust_env=False).headers[
                    "location"
                ]

            def told(job: str) -> dict[str, object]:
                deadline = time.monotonic() + 15
                while not (said := httpx.get(f"{address}{job}", trust_env=False).json()["webhook"])["attempts"]:
                    assert time.monotonic() < deadline, said
                    time.sleep(0.05)
                return said

            endless = [hand_in(f"{scheme}://{bad}/") for _ in range(4)]
            assert told(hand_in(f"http://{good}/hook"))["state"] == "delivered"
            assert told(endless[0])["said"] == "not reached: no answer in time"
            assert told(endless[0])["state"] == "due"
            monkeypatch.setattr(webhooks, "_SECONDS", 3.0)
            hand_in(f"{scheme}://{bad}/")
            time.sleep(0.5)
            begun = time.monotonic()
        assert time.monotonic() - begun < 8
        assert not [thread.name for thread in threading.enumerate() if "webhook" in thread.name]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 201 Made\n\n", "delivered"),
        (b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\n\r\n", "answered 302"),
        (b"SSH-2.0-OpenSSH\r\n", "not reached: its answer is not HTTP"),
        (b"", "not reached: its answer is not HTTP"),
    ],
)
def test_what_a_receiver_answers_is_told(answer: bytes, said: str) -> None:
    def answered(caller: socket.socket) -> None:
        request = b""
        while b"\r\n\r\nthe body" not in request:
            request += caller.recv(1000)
        heard.append(request)
        caller.sendall(answer)

    heard: list[bytes] = []
    with receiving(answered) as place:
        found = asyncio.run(webhooks.post(f"http://{place}/hook?a=b", b"the body", {"x": "y"}))
    assert found == said
    (request,) = heard
    assert request.startswith(f"POST /hook?a=b HTTP/1.1\r\nhost: {place}\r\nx: y\r\ncontent-length: 8\r\n".encode())


def test_of_several_addresses_one_that_does_not_answer_leaves_time_for_the_next(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = socket.getaddrinfo
    monkeypatch.setattr(webhooks, "_SECONDS", 6.0)
    httpserver.expect_request("/hook", method="POST").respond_with_data(status=204)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):  # the next one waits for ever
            places = (full.getsockname(), ("127.0.0.1", httpserver.port))
            known = [found(*place, type=socket.SOCK_STREAM)[0] for place in places]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: known)
            told = asyncio.run(webhooks.post(f"http://hooks.example:{httpserver.port}/hook", b"", {}))
    assert told == "delivered"


def test_a_name_that_is_looked_up_for_ever_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the attempt nor by the end of the loop, as a thread of its executor would be."""
    answered = threading.Event()
    monkeypatch.setattr(webhooks, "_SECONDS", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(30) and [])
    begun = time.monotonic()
    told = asyncio.run(webhooks.post("http://hooks.example/hook", b"", {}))
    assert told.startswith("not reached: no answer in time")
    assert time.monotonic() - begun < 10
    answered.set()


def test_a_server_ends_in_time_though_an_upload_is_slow_and_a_file_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as caller:
        with served_here(obeying, state=tmp_path, drain=2.0) as address:
            job = httpx.post(f"{address}/v1/jobs", content=b"hang", trust_env=False).headers["location"]
            while httpx.get(f"{address}{job}", trust_env=False).json()["files"][0]["state"] == "waiting":
                time.sleep(0.02)
            host, port = address.removeprefix("http://").split(":")
            caller.connect((host, int(port)))
            caller.sendall(f"POST /v1/jobs HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\nx".encode())
            time.sleep(0.2)
            begun = time.monotonic()
        assert time.monotonic() - begun < 3.9
        answer = caller.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"this server ends" in answer
    assert "Traceback" not in caplog.text
    with contextlib.closing(connect(tmp_path)) as base:
        left = Jobs(base).claim()
        assert left is not None
        assert left.content == b"hang"


def test_what_is_forgotten_is_gone(jobs: Jobs, tmp_path: Path) -> None:
    first, _ = jobs.accept("anybody", UPLOADS[:2], Options())
    second, _ = jobs.accept("anybody", UPLOADS[:1], Options())
    other, _ = jobs.accept("somebody else", UPLOADS[3:4], Options())
    sha256 = jobs.describe(first, "anybody")["files"][0]["sha256"]
    item = jobs.claim()
    assert jobs.forget(sha256, "somebody else") == 0
    assert jobs.forget(sha256, "anybody") == 2
    jobs.finish(item, b"{}")  # came too late
    assert jobs.document(first, 0, "anybody") is None
    assert jobs.claim().number == 1
    assert jobs.claim().job == other  # on the way the one that has no bytes any more is given up
    assert jobs.describe(second, "anybody")["files"][0]["state"] == "failed"
    assert not jobs.delete(other, "anybody")
    assert jobs.delete(other, "somebody else")
    assert jobs.describe(other, "somebody else") is None
    assert jobs.document(first, 1, "somebody else") is None


def finish(jobs: Jobs, job: str) -> None:
    jobs.finish(jobs.claim(), SECRET)


def delete(jobs: Jobs, job: str) -> None:
    jobs.delete(job, "anybody")


def forget(jobs: Jobs, job: str) -> None:
    jobs.forget(hashlib.sha256(SECRET * 5000).hexdigest(), "anybody")


def expire(jobs: Jobs, job: str) -> None:
    finish(jobs, job)
    jobs.expire(-1)


@pytest.mark.parametrize(("end", "left"), [(finish, 1), (delete, 0), (forget, 0), (expire, 0)])
def test_what_is_deleted_is_in_no_file_of_the_folder(
    tmp_path: Path, end: Callable[[Jobs, str], None], left: int
) -> None:
    """The database's log included, which an idle server would never write over."""

    def found() -> int:
        return sum(path.read_bytes().count(SECRET) for path in tmp_path.iterdir())

    with contextlib.closing(connect(tmp_path)) as base:
        jobs = Jobs(base)
        job, _ = jobs.accept("anybody", [Upload("a", SECRET * 5000)], Options())
        assert found() >= 4900  # some are cut in two by the ends of pages
        end(jobs, job)
        assert found() == left


def test_a_log_that_a_killed_server_left_is_emptied(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from sqlalchemy import text; from assay.scanning.service.base import connect\n"
        "base = connect(Path(sys.argv[1]))\n"
        "with base.transaction() as change: change.execute(text(f\"CREATE TABLE said AS SELECT '{sys.argv[2]}'\"))\n"
        "with base.transaction() as change: change.execute(text('DROP TABLE said'))\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path, SECRET], check=True, timeout=60)
    assert SECRET in (tmp_path / "service.sqlite-wal").read_bytes()
    with contextlib.closing(connect(tmp_path)):
        assert not any(SECRET in path.read_bytes() for path in tmp_path.iterdir())


def test_what_waits_is_bounded_in_bytes_of_all_and_of_one_caller(base: Base) -> None:
    megabyte = [Upload("a", bytes(2**20))]
    jobs = Jobs(base, most=3.5 * 2**20, each=2.5 * 2**20)
    jobs.accept("anybody", [*megabyte, *megabyte, *megabyte], Options(), idempotency="large")  # alone it may be larger
    with pytest.raises(Busy, match="of yours") as refused:
        jobs.accept("anybody", megabyte, Options())
    assert refused.value.retry_after == 30
    with pytest.raises(Busy, match=r"^too many bytes wait"):
        jobs.check("somebody else", 2**20)
    jobs.check("anybody", 3 * 2**20, idempotency="large")  # it is there already
    assert not jobs.accept("anybody", [*megabyte, *megabyte, *megabyte], Options(), idempotency="large")[1]
    jobs.finish(jobs.claim(), b"{}")
    jobs.accept("somebody else", megabyte, Options())
    small = [Upload("a", b"x")] * 100
    with pytest.raises(Busy):  # what is to be found of a small file takes room, too
        jobs.accept("somebody else", small, Options())


def test_a_disk_that_is_nearly_full_takes_no_job_and_no_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = [Upload("a", bytes(10 * 2**20))]
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=115 * 2**20))
    with contextlib.closing(connect(tmp_path, spare=100 * 2**20)) as base:
        jobs, decisions = Jobs(base), Decisions(base)
        decision = decisions.keep("anybody", {"asset": {}, "label": "none"})
        with pytest.raises(NoRoom):  # it is written to the log, and then to the file
            jobs.accept("anybody", uploads, Options())
        with pytest.raises(NoRoom):
            jobs.check("anybody", 10 * 2**20)
        monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=125 * 2**20))
        jobs.accept("anybody", uploads, Options())
        monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=115 * 2**20))
        jobs.finish(jobs.claim(), b"{}")
        jobs.accept("anybody", uploads, Options())  # the file has room that the first one left
        monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=99 * 2**20))
        with pytest.raises(NoRoom):
            decisions.keep("anybody", {"asset": {}, "label": "none"})
        with pytest.raises(NoRoom):
            decisions.add(decision, None, {"kind": "appeal"})
        jobs.finish(jobs.claim(), b"{}")


_ON_A_SMALL_DISK = """
import pathlib, shutil, subprocess, sys
from assay.scanning.service.base import FILE, NoRoom, connect
from assay.scanning.service.jobs import Jobs, Options
from assay.scanning.service.keys import Keys
from assay.scanning.service.receiving import Upload

folder = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", folder], check=True)
print("mounted", flush=True)
jobs, accepted = Jobs(base := connect(folder, spare=8 * 2**20)), []
several = [Upload(str(number), bytes([number]) * 3 * 2**20) for number in range(3)]
try:
    while True:
        accepted.append(jobs.accept("anybody", several, Options())[0])
except NoRoom:
    assert len(accepted) == 4
left = shutil.disk_usage(folder).free - 4 * 2**20
(folder / "of others").write_bytes(bytes(left))
jobs.finish(jobs.claim(), b"{}")
assert jobs.delete(accepted[0], "anybody")
assert jobs.forget(jobs.describe(accepted[1], "anybody")["files"][0]["sha256"], "anybody") == 3
jobs = Jobs(again := connect(folder))
Keys(again).add("newsroom", ("jobs",))
done = 0
while (item := jobs.claim()) is not None:
    jobs.finish(item, b"{}")
    done += 1
assert done == 6
assert jobs.expire(-1) == 3
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces to mount a small disk")
def test_finishing_deleting_and_restarting_work_on_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    command = ["unshare", "-rm", sys.executable, "-c", _ON_A_SMALL_DISK, tmp_path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if "mounted" not in done.stdout:
        pytest.skip("this system mounts no disk for a user")
    assert done.returncode == 0, done.stderr


def test_jobs_that_there_is_no_room_for_are_refused_unread(tmp_path: Path) -> None:
    with (
        served_here(obeying, state=tmp_path, spare=2**62) as address,
        httpx.Client(base_url=address, trust_env=False) as ask,
    ):
        refused = ask.post("/v1/jobs", content=b"fine")
        assert (refused.status_code, refused.json()["kind"]) == (507, "NoRoom")
        assert ask.post("/v1/scan", content=b"fine").status_code == 200
    with (
        served_here(obeying, state=tmp_path, waiting_each=0) as address,
        httpx.Client(base_url=address, trust_env=False) as ask,
    ):
        assert ask.post("/v1/jobs", content=b"long").status_code == 202
        refused = ask.post("/v1/jobs", content=b"fine")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")


def test_finished_jobs_are_forgotten_after_a_while(jobs: Jobs) -> None:
    old, _ = jobs.accept("anybody", UPLOADS[:1], Options())
    jobs.finish(jobs.claim(), b"{}")
    waiting, _ = jobs.accept("anybody", UPLOADS[:1], Options())
    assert jobs.expire(3600) == 0
    time.sleep(0.01)
    assert jobs.expire(0) == 1
    assert jobs.describe(old, "anybody") is None
    assert jobs.describe(waiting, "anybody")["state"] == "waiting"


@pytest.mark.parametrize("again", [None, float("inf")])
def test_a_job_is_kept_until_its_webhook_has_arrived_or_is_given_up(jobs: Jobs, again: float | None) -> None:
    job, _ = jobs.accept("anybody", UPLOADS[:1], Options(webhook="http://hooks.example/x"))
    jobs.finish(jobs.claim(), b"{}")
    assert jobs.expire(-1) == 0
    jobs.delivered(jobs.due(), "answered 503", again=0)
    assert jobs.expire(-1) == 0
    jobs.delivered(jobs.due(), "said", again=again)
    assert jobs.expire(-1) == 1
    assert jobs.describe(job, "anybody") is None


def test_what_a_name_owned_stays_with_its_key_through_rotation_and_goes_to_no_other(base: Base) -> None:
    keys = Keys(base)

    def owner(secret: str) -> str:
        keys.refresh()
        key = keys.find(secret)
        assert key is not None
        return key.owner

    first = owner(keys.add("newsroom", ("jobs",)))
    assert owner(keys.rotate("newsroom", overlap=0)) == first
    assert owner(keys.rotate("newsroom", overlap=60)) == first
    assert owner(keys.add("desk", ("jobs",))) != first
    keys.revoke("newsroom")
    assert owner(keys.add("newsroom", ("jobs",))) != first


def test_a_state_of_the_version_before_is_brought_up_to_date(place: Path | str, base: Base) -> None:
    with base.transaction() as change:
        row = {"id": "1", "name": "newsroom", "hash": hashlib.sha256(b"old").hexdigest(), "scopes": "jobs", "rate": 5}
        change.execute(insert(tables.key).values(**row, made=1.0))
        table = "assay.key" if base.shared else "key"
        change.execute(text(f"ALTER TABLE {table} DROP COLUMN owner"))
        change.execute(update(tables.version).values(version=2))
    job, _ = Jobs(base).accept("key newsroom", UPLOADS[:1], Options())
    with opened(place) as keys:
        old = keys.find("old")
        assert old is not None
        assert (old.owner, old.rate) == ("key newsroom", 5)
        keys.rotate("newsroom", overlap=0)
        assert [key.owner for key in keys.all()] == ["key newsroom"]
        keys.revoke("newsroom")
        keys.add("newsroom", ("jobs",))
        assert [key.owner for key in keys.all()] != ["key newsroom"]
    with contextlib.closing(connect(place)) as again:
        assert Jobs(again).describe(job, "key newsroom") is not None


def test_a_reviewer_reads_what_is_to_be_reviewed_and_nobody_else_does(tmp_path: Path) -> None:
    with contextlib.closing(connect(tmp_path)) as base:
        keys = Keys(base)
        made = [keys.add("newsroom", ("scan",)), keys.add("other", ("scan", "jobs")), keys.add("reviewer", ("review",))]
        owner = keys.all()[0].owner
        place = f"/v1/decisions/{Decisions(base).keep(owner, {'asset': {}, 'label': 'none'})}"
    newsroom, other, reviewer = ({"authorization": f"Bearer {secret}"} for secret in made)
    with (
        served_here(obeying, state=tmp_path) as address,
        httpx.Client(base_url=address, trust_env=False) as ask,
    ):
        appeal = {"by": "me", "statement": "It is mine."}
        assert ask.get(place, headers=newsroom).json()["open_appeal"] is False
        assert ask.post(f"{place}/appeals", json=appeal, headers=newsroom).status_code == 201
        assert ask.get(place, headers=other).status_code == 404
        assert ask.get(place, headers=reviewer).json()["open_appeal"] is True
        assert ask.post(f"{place}/appeals", json=appeal, headers=reviewer).status_code == 403
        assert ask.post(f"{place}/reviews", json=appeal | {"label": "none"}, headers=newsroom).status_code == 403
        assert ask.post(f"{place}/reviews", json=appeal | {"label": "none"}, headers=reviewer).status_code == 201


def test_keys_guard_everything_and_can_be_turned(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with opened(state) as keys:
        scanner = keys.add("scanner", ("scan",))
        worker = keys.add("worker", ("scan", "jobs"), rate=60)
        assert scanner not in (state / "service.sqlite").read_bytes().decode("latin-1")
        with (
            served_here(obeying, state=state, rate=3) as address,
            httpx.Client(base_url=address, trust_env=False) as ask,
        ):

            def code(key: str, path: str = "/v1/scan") -> int:
                return ask.post(path, content=b"fine", headers={"authorization": f"Bearer {key}"}).status_code

            refused = ask.post("/v1/scan", content=b"fine")
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Basic")
            assert ask.get("/healthz").status_code == 200
            assert ask.get("/").status_code == 401
            assert ask.get("/metrics", headers={"authorization": f"Bearer {scanner}"}).status_code == 403
            assert code("assay_wrong") == 401
            assert code(scanner) == 200
            assert code(scanner, "/v1/jobs") == 403
            assert ask.get("/", auth=("anything", scanner)).status_code == 200
            assert code(scanner) == 200
            limited = ask.post("/v1/scan", content=b"fine", headers={"authorization": f"Bearer {scanner}"})
            assert (limited.status_code, 1 <= int(limited.headers["retry-after"]) <= 20) == (429, True)
            turned = keys.rotate("worker", overlap=0)
            scanned = keys.rotate("scanner", overlap=60)
            time.sleep(1.1)
            assert code(worker) == 401
            assert code(turned, "/v1/jobs") == 202
            assert code(scanned) == 429  # the same caller, whatever the key
            job = ask.post("/v1/jobs", content=b"fine", headers={"authorization": f"Bearer {turned}"}).headers[
                "location"
            ]
            assert until(address, job, headers={"authorization": f"Bearer {turned}"})["files"][0]["state"] == "done"
            keys.revoke("worker")
            time.sleep(1.1)
            assert code(turned) == 401


def test_jobs_by_http(tmp_path: Path) -> None:
    with (
        served_here(obeying, state=tmp_path / "state") as address,
        httpx.Client(base_url=address, trust_env=False) as ask,
    ):
        files = [("file", ("a", b"fine")), ("file", ("b", b"crash")), ("file", ("c", b"fine c"))]
        key = {"idempotency-key": "once"}
        first = ask.post("/v1/jobs", files=files, headers=key)
        again = ask.post("/v1/jobs", files=files, headers=key)
        other = ask.post("/v1/jobs", files=files[:1], headers=key)
        assert (first.status_code, again.status_code, other.status_code) == (202, 200, 422)
        assert first.json()["id"] == again.json()["id"]
        refused = ask.post("/v1/jobs", files=files, params={"webhook": "http://127.0.0.1:1/"})
        assert refused.status_code == 422
        assert "--webhook-host" in refused.json()["hint"]
        place = first.headers["location"]
        jsonschema.validate(first.json(), SCHEMA)
        deadline = time.monotonic() + 30
        while ask.get(f"{place}/files/1").status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "SIGSEGV" in ask.get(f"{place}/files/1").text
        assert ask.get(f"{place}/files/0").json()["said"] == "examined"
        jsonschema.validate(ask.get(place).json(), SCHEMA)
        assert ask.get("/v1/jobs/nothing").status_code == 404
        assert ask.delete(place).status_code == 204
        assert ask.get(place).status_code == 404
        assert ask.delete("/v1/contents/" + "0" * 64).status_code == 404


VERDICTS = 'verdicts_total{basis="none",origin="undetermined"}'
EXAMINED = 'examining_seconds_count{task="scan"}'


def test_what_jobs_examine_and_cost_is_counted_once(tmp_path: Path) -> None:
    with served_here(obeying, state=tmp_path / "state") as address:
        for name in ("one", "two"):  # the second is refused for what the first did
            files = [("file", (name, b"fine " + name.encode())), ("file", (name, b"crash"))]
            until(address, httpx.post(f"{address}/v1/jobs", files=files, trust_env=False).headers["location"])
        assert [counted(address, name) for name in (EXAMINED, VERDICTS, "worker_crashes_total")] == [2, 2, 1]
        httpx.post(f"{address}/v1/scan", content=b"crash", trust_env=False)
        assert counted(address, "worker_crashes_total") == 1


def test_a_verdict_that_nobody_gets_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = Jobs.finish

    def finish_too_late(self: Jobs, claimed: Item, *found: object, **named: object) -> bool:
        self.forget(claimed.sha256, "anybody")
        return finish(self, claimed, *found, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Jobs, "finish", finish_too_late)
    with served_here(obeying, state=tmp_path / "state") as address:
        until(address, httpx.post(f"{address}/v1/jobs", content=b"fine", trust_env=False).headers["location"])
        assert [counted(address, name) for name in (EXAMINED, VERDICTS)] == [1, 0]


def test_a_server_without_state_takes_no_jobs() -> None:
    with served_here(obeying) as address:
        answer = httpx.post(f"{address}/v1/jobs", content=b"x", trust_env=False)
    assert answer.status_code == 404
    assert "--state" in answer.json()["hint"]


def test_one_folder_serves_one_server(tmp_path: Path) -> None:
    from assay.scanning.service.base import StateRefused
    from assay.scanning.service.running import serve
    from assay.scanning.service.settings import Settings

    with served_here(obeying, state=tmp_path), pytest.raises(StateRefused, match="another server"):
        serve(Settings(port=0, model=None, state=tmp_path), make=obeying)


def test_scopes_have_one_list() -> None:
    from assay.commands import serve
    from assay.scanning.service import keys

    assert serve.SCOPES == keys.SCOPES


def test_a_label_and_its_trail(server: Server) -> None:
    content = picture()
    with server.client() as ask:
        given = ask.post("/v1/label", params={"policy": "eu-ai-act-50", "name": "a.png"}, content=content)
        assert (given.status_code, given.json()["label"]) == (200, "none")
        place = given.headers["location"]
        assert ask.post("/v1/label", params={"policy": "nonsense"}, content=content).status_code == 400
        assert ask.post(f"{place}/appeals", json={"by": "me"}).status_code == 400
        appealed = ask.post(f"{place}/appeals", json={"by": "me", "statement": "It is mine."})
        assert (appealed.status_code, appealed.json()["open_appeal"]) == (201, True)
        review = {"by": "desk", "statement": "Seen the original.", "label": "review"}
        trail = ask.post(f"{place}/reviews", json=review).json()
        assert (trail["label"], trail["decided_by"], trail["open_appeal"]) == ("review", "desk", False)
        assert [entry["kind"] for entry in trail["entries"]] == ["decision", "appeal", "review"]
        before = "0" * 64
        for entry in ask.get(place).json()["entries"]:
            said = entry.pop("digest")
            before = digest(before, json.dumps(entry, sort_keys=True))
            assert before == said
        assert ask.get("/v1/decisions/nothing").status_code == 404
        assert ask.post(f"{place}/reviews", content=b"x" * 100_000).status_code == 413
