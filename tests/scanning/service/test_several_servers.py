"""Several servers on one PostgreSQL: every job done once, though a server, a worker and the database are killed meanwhile."""

import contextlib
import itertools
import json
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import psycopg
import pytest
from click.testing import CliRunner
from misbehaving import obeying
from outcomes import picture
from postgresql import cluster
from pytest_httpserver import HTTPServer
from serving import Server, served, served_here
from standardwebhooks import Webhook
from werkzeug import Request, Response

from assay.commands.serve import serve
from assay.scanning.service.base import StateRefused, connect
from assay.scanning.service.jobs import Jobs, Options
from assay.scanning.service.keys import opened
from assay.scanning.service.receiving import Upload

JOBS, FILES = 24, 3


def shared(database: str) -> tuple[str, ...]:
    return ("--database", database)


def items(database: str) -> list[tuple[str, int, str, int]]:
    with psycopg.connect(database) as asking:
        return asking.execute("SELECT job, number, state, attempts FROM assay.item ORDER BY job, number").fetchall()


def until_done(database: str, number: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(psycopg.Error):
            if sum(state == "done" for _, _, state, _ in items(database)) >= number:
                return
        time.sleep(0.05)
    raise AssertionError(Counter(state for _, _, state, _ in items(database)))


def running(database: str) -> set[tuple[str, int]]:
    return {(job, number) for job, number, state, _ in items(database) if state == "running"}


def stopped_with_an_item_in_hand(server: Server, other: Server, database: str) -> tuple[str, int]:
    """Stop a server (SIGSTOP) while an item is in work there; returns the item."""
    for _ in range(20):
        os.kill(other.child.pid, signal.SIGSTOP)
        theirs = running(database)
        for _ in range(4):
            time.sleep(0.1)
            theirs &= running(database)  # what the stopped one has does not change
        os.kill(server.child.pid, signal.SIGSTOP)
        time.sleep(0.1)
        held = running(database) - theirs
        os.kill(other.child.pid, signal.SIGCONT)
        if len(held) == 1:
            return held.pop()
        os.kill(server.child.pid, signal.SIGCONT)
        time.sleep(0.05)
    raise AssertionError("it never had anything in hand")


def test_two_servers_and_a_killed_one_do_every_job_once(database: str, httpserver: HTTPServer) -> None:
    heard: list[Request] = []

    def hear(request: Request) -> Response:
        heard.append(request)
        return Response(status=204)

    httpserver.expect_request("/hook", method="POST").respond_with_handler(hear)
    options = (*shared(database), "--webhook-host", f"{httpserver.host}:{httpserver.port}")
    content = picture(size=(2000, 1600))
    with served(*options) as first, served(*options) as second:
        accepted: dict[str, list[str]] = {}
        for number, server in zip(range(JOBS), itertools.cycle((first, second)), strict=False):
            names = [f"{number}-{each}.png" for each in range(FILES)]
            files = [("file", (name, content)) for name in names]
            with server.client() as client:
                answer = client.post("/v1/jobs", files=files, params={"webhook": httpserver.url_for("/hook")})
            assert answer.status_code == 202
            accepted[answer.json()["id"]] = names
        until_done(database, 6, 60)
        held = stopped_with_an_item_in_hand(first, second, database)
        os.kill(second.workers()[0], signal.SIGKILL)
        os.kill(first.child.pid, signal.SIGKILL)
        first.child.wait()
        assert sum(state == "done" for _, _, state, _ in items(database)) < JOBS * FILES
        until_done(database, JOBS * FILES, 90)
        with second.client() as client:
            for job, names in accepted.items():
                said = client.get(f"/v1/jobs/{job}").json()
                assert said["state"] == "finished"
                assert [file["name"] for file in said["files"]] == names
                assert [file["document"]["asset"]["name"] for file in said["files"]] == names
        deadline = time.monotonic() + 80  # an attempt that died with its server is made again after a minute
        while len({request.headers["webhook-id"] for request in heard}) < JOBS and time.monotonic() < deadline:
            time.sleep(0.1)
        assert second.stop() == 0
    again = {(job, number) for job, number, _, attempts in items(database) if attempts > 1}
    assert again == {held}  # only what was in the dead hands was begun anew
    told = Counter(request.headers["webhook-id"] for request in heard)
    assert set(told) == {"msg_" + job.removeprefix("job_") for job in accepted}
    assert sum(told.values()) <= JOBS + 1
    with opened(database) as keys:
        (secret,) = keys.webhook_secrets()
    for request in heard:  # whichever server told it, under the same secret
        Webhook(secret).verify(request.get_data(), dict(request.headers))


def test_postgresql_restarted_in_the_middle_costs_no_job() -> None:
    with cluster() as own, served(*shared(own.url)) as server, server.client() as client:
        files = [("file", (f"{number}.png", picture(size=(900, 700 + number)))) for number in range(12)]
        accepted = client.post("/v1/jobs", files=files)
        assert accepted.status_code == 202
        until_done(own.url, 1, 60)
        own.stop()
        refused = client.post("/v1/jobs", files=files[:1], headers={"idempotency-key": "again"})
        assert refused.status_code == 503
        assert refused.json()["kind"] == "StateUnavailable"
        assert refused.headers["retry-after"] == "5"
        assert "SELECT" not in refused.text
        assert client.get(accepted.headers["location"]).status_code == 503
        assert client.get("/healthz").status_code == 200
        assert client.post("/v1/scan", content=picture()).status_code == 200  # needs no state
        own.start()
        again = client.post("/v1/jobs", files=files[:1], headers={"idempotency-key": "again"})
        assert again.status_code == 202
        until_done(own.url, 13, 90)
        said = client.get(accepted.headers["location"]).json()
        assert [file["state"] for file in said["files"]] == ["done"] * 12
        assert {number for _, _, _, number in items(own.url)} == {
            1
        }  # what was in work was kept until it could be noted
        assert server.stop() == 0


def test_keys_that_cannot_be_read_are_not_believed_for_long(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.scanning.service import keys as room

    with opened(database) as keys:
        keys.add("newsroom", ("scan",))
        keys.refresh()
        assert keys.any()
        monkeypatch.setattr(room, "_STALE_SECONDS", -1.0)
        assert not keys.fresh
        with pytest.raises(room.StateUnavailable, match="could not be read"):
            keys.any()


def test_a_claim_that_nobody_renews_passes_to_another(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.scanning.service import jobs as room

    monkeypatch.setattr(room, "CLAIM_SECONDS", 0.3)
    with contextlib.closing(connect(database)) as here, contextlib.closing(connect(database)) as there:
        first, second = Jobs(here), Jobs(there)
        job, _ = first.accept("anybody", [Upload("a\0.png", b"x")], Options())
        slow = first.claim()
        assert slow is not None
        assert slow.name == "a\0.png"
        assert second.claim() is None
        time.sleep(0.2)
        first.renew([slow.holder])
        time.sleep(0.2)
        assert second.claim() is None
        time.sleep(0.2)
        taken = second.claim()
        assert taken is not None
        first.finish(slow, b'{"by": "first"}')  # came too late: the other one's answer counts
        assert second.document(job, 0, "anybody") is None
        second.finish(taken, b'{"by": "second"}')
        first.finish(slow, b'{"by": "first"}')
        assert first.document(job, 0, "anybody") == b'{"by": "second"}'


def test_a_server_renews_what_it_has_in_work(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.scanning.service import jobs, working

    for room in (jobs, working):
        monkeypatch.setattr(room, "CLAIM_SECONDS", 4.0)
    with (
        served_here(obeying, database=database) as address,
        contextlib.closing(connect(database)) as base,
    ):
        assert httpx.post(f"{address}/v1/jobs", content=b"long", trust_env=False).status_code == 202
        while not running(database):
            time.sleep(0.02)
        looked = 0
        while running(database):
            assert Jobs(base).claim() is None  # though the claim is shorter than the work
            looked += 1
            time.sleep(0.05)
        assert looked > 10
        assert [(state, attempts) for _, _, state, attempts in items(database)] == [("done", 1)]


def test_many_claim_at_once_and_nobody_gets_what_another_has(database: str) -> None:
    claimed: list[tuple[str, int]] = []

    def work() -> None:
        with contextlib.closing(connect(database)) as base:
            jobs = Jobs(base)
            while (item := jobs.claim()) is not None:
                claimed.append((item.job, item.number))
                jobs.finish(item, b"{}")

    with contextlib.closing(connect(database)) as base:
        jobs = Jobs(base)
        for number in range(10):
            jobs.accept(
                "anybody", [Upload(f"{each}", b"x%d" % each) for each in range(6)], Options(), idempotency=f"{number}"
            )
        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(claimed) == len(set(claimed)) == 60
        assert jobs.counts() == {"waiting": 0, "finished": 10}  # the last two items of a job ended at once in some


def test_the_same_key_at_two_servers_at_once_gives_one_job(database: str) -> None:
    given: list[tuple[str, bool]] = []
    ready = threading.Barrier(4)

    def hand_in() -> None:
        with contextlib.closing(connect(database)) as base:
            ready.wait()
            given.append(Jobs(base).accept("anybody", [Upload("a", b"x")], Options(), idempotency="once"))

    threads = [threading.Thread(target=hand_in) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({job for job, _ in given}) == 1
    assert sorted(new for _, new in given) == [False, False, False, True]


def test_keys_of_a_database_are_turned_by_command(database: str) -> None:
    def command(*words: str) -> str:
        done = CliRunner().invoke(serve, ["keys", *words], env={"ASSAY_DATABASE": database})
        assert done.exit_code == 0, done.output
        return done.output.strip()

    secret = command("add", "newsroom", "--scope", "scan")
    assert "newsroom: scan" in command("list")
    with served_here(obeying, database=database) as address:
        asked = {"content": b"fine", "trust_env": False}
        assert httpx.post(f"{address}/v1/scan", **asked).status_code == 401
        known = {"headers": {"authorization": f"Bearer {secret}"}, **asked}
        assert httpx.post(f"{address}/v1/scan", **known).status_code == 200
        assert httpx.post(f"{address}/v1/jobs", **known).status_code == 403
        command("revoke", "newsroom")
        time.sleep(1.2)
        assert httpx.post(f"{address}/v1/scan", **known).status_code == 401


def test_what_is_no_database_of_ours_is_refused(database: str, tmp_path: Path) -> None:
    for place, said in (
        ("mysql://a/b", "shares"),
        ("nonsense", "no URL"),
        ("postgresql://u:secret@127.0.0.1:1/x", "no usable state"),
    ):
        with pytest.raises(StateRefused, match=said) as refused:
            connect(place)
        assert "secret" not in str(refused.value)
    with contextlib.closing(connect(database)), psycopg.connect(database, autocommit=True) as asking:
        asking.execute("UPDATE assay.version SET version = 99")
    with pytest.raises(StateRefused, match="another version"):
        connect(database)
    done = CliRunner().invoke(serve, ["keys", "list", "--state", str(tmp_path), "--database", database])
    assert done.exit_code == 2


def test_deletion_and_expiry_reach_every_server(database: str) -> None:
    with contextlib.closing(connect(database)) as here, contextlib.closing(connect(database)) as there:
        first, second = Jobs(here), Jobs(there)
        job, _ = first.accept("anybody", [Upload("a", b"secret bytes"), Upload("b", b"others")], Options())
        item = first.claim()
        assert second.forget(item.sha256, "anybody") == 1
        first.finish(item, b'{"found": 1}')
        assert first.document(job, 0, "anybody") is None
        first.finish(second.claim() or first.claim(), b"{}")
        said = second.describe(job, "anybody")
        assert [file["state"] for file in said["files"]] == ["failed", "done"]
        with psycopg.connect(database) as asking:
            assert asking.execute("SELECT count(*) FROM assay.upload").fetchone() == (0,)
        time.sleep(0.01)
        assert second.expire(0) == 1
        assert first.describe(job, "anybody") is None
        assert json.dumps(said)
