"""Whatever is wrong with a request, the answer is a problem (RFC 9457) with the right status, and never a 500."""

import io
import json
import socket

import httpx
import pytest
from misbehaving import obeying
from outcomes import picture
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from serving import Server, served, served_here

from assay.provenance.repository import Repository
from assay.scanning.service.state import Service

FORM = b'--B\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n\r\n%b\r\n--B--\r\n'


def told(answer: httpx.Response) -> int:
    """The status of an answer that is a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    said = answer.json()
    assert {"type", "title", "status", "kind", "detail", "hint"} == said.keys()
    assert said["detail"]
    assert said["status"] == answer.status_code
    return answer.status_code


def test_what_the_framework_refuses_is_a_problem_like_any_other(server: Server) -> None:
    with server.client() as client:
        assert told(client.get("/v1/nothing")) == 404
        assert told(client.get("/static/nothing")) == 404
        wrong = client.put("/v1/scan", content=b"x")
        assert (told(wrong), wrong.headers["allow"]) == (405, "POST")
        for hostile in (b"[" * 50_000, b'\xff\xfe{"alg"', b"{"):
            assert told(client.post("/v1/decisions/a/appeals", content=hostile)) == 400


@pytest.mark.parametrize("charset", ["undefined", "punycode", "utf-7", "unicode_escape", "rot13", "nobody's"])
def test_a_form_is_decoded_by_a_charset_and_by_no_other_codec(server: Server, charset: str) -> None:
    kind = {"content-type": f'multipart/form-data; boundary=B; charset="{charset}"'}
    with server.client() as client:
        for path in ("/v1/scan", "/v1/jobs"):
            for name in (b"a.jpg", b"+2AA-", b"\\ud800"):
                assert told(client.post(path, content=FORM % (name, picture()), headers=kind)) == 400


@pytest.mark.parametrize(("charset", "name"), [("UTF-8", "é".encode()), ("ISO-8859-1", b"\xe9"), ("us-ascii", b"e")])
def test_the_charsets_of_clients_are_understood(server: Server, charset: str, name: bytes) -> None:
    kind = {"content-type": f"multipart/form-data; boundary=B; charset={charset}"}
    with server.client() as client:
        answer = client.post("/v1/scan", content=FORM % (name, picture()), headers=kind)
    assert answer.status_code == 200
    assert answer.json()["asset"]["name"] in ("é", "e")


@pytest.mark.parametrize("url", ["http://[::1", "http://[zz]/", "http://a:99999/"])
def test_a_webhook_that_is_no_url_is_refused_in_words(server: Server, url: str) -> None:
    with server.client() as client:
        assert told(client.post("/v1/jobs", params={"webhook": url}, content=b"x")) == 422


def test_a_binding_is_read_within_bounds_of_size_and_time(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ASSAY_REPOSITORY", str(tmp_path / "repository.sqlite"))
    (tmp_path / "repository.sqlite").touch()
    with served_here(obeying, receive=0.5) as address:
        url = f"{address}/v1/matches/byBinding"
        large = b'{"value": "", "alg": "%b"}' % (b"a" * 1_000_000)
        for body in (large, iter([large[:500_000], large[500_000:]])):
            assert told(httpx.post(url, content=body, timeout=30, trust_env=False)) == 413
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as line:
            line.sendall(b"POST /v1/matches/byBinding HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{")
            assert b" 408 " in line.recv(4096)


def test_what_a_worker_refuses_of_a_request_is_a_problem_too(tmp_path, monkeypatch) -> None:
    pytest.importorskip("pdqhash", reason="needs the extra `recovery`")
    monkeypatch.setenv("ASSAY_REPOSITORY", str(tmp_path / "repository.sqlite"))
    with Repository(tmp_path / "repository.sqlite"):
        pass
    with served("--max-megapixels", "1") as server, server.client() as client:
        assert told(client.post("/v1/matches/byContent", params={"alg": "unheard"}, content=picture())) == 400
        large = io.BytesIO()
        Image.new("RGB", (1200, 1000)).save(large, "PNG")
        for path in ("/v1/recover", "/v1/matches/byContent"):
            answer = client.post(path, content=large.getvalue())
            assert (told(answer), answer.json()["kind"]) == (413, "LimitExceeded")


@pytest.mark.parametrize("query", ["", "?name=a"])  # past the framework, and through it
def test_a_mistake_of_the_server_is_a_problem_as_well(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    def fail(self: Service, request: object, scope: str) -> str:
        raise KeyError("a caller's own words")

    monkeypatch.setattr(Service, "caller", fail)
    with served_here(obeying) as address:
        answer = httpx.post(f"{address}/v1/scan{query}", content=b"fine", trust_env=False)
    assert (told(answer), answer.json()["kind"]) == (500, "Defect")
    assert "own words" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_key_is_asked_for_before_a_binding_is_read(tmp_path) -> None:
    from assay.scanning.service.keys import opened

    with opened(tmp_path) as keys:
        keys.add("newsroom", ("scan",))
    with served_here(obeying, state=tmp_path) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as line:
            line.sendall(b"POST /v1/matches/byBinding HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{")
            assert b" 401 " in line.recv(4096)


def test_what_stands_behind_a_body_is_no_header(tmp_path) -> None:
    """Whoever checks headers before us has not seen it: a key there opens nothing."""
    from assay.scanning.service.keys import opened

    with opened(tmp_path) as keys:
        key = keys.add("newsroom", ("scan",))
    chunked = (
        b"POST /v1/scan HTTP/1.1\r\nHost: localhost\r\n%bTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n%b\r\n"
    )
    authorised = f"Authorization: Bearer {key}\r\n".encode()
    with served_here(obeying, state=tmp_path) as address:
        host, port = address.removeprefix("http://").split(":")
        for before, behind, status in ((b"", authorised, b" 401 "), (authorised, b"X-Other: 1\r\n", b" 200 ")):
            with socket.create_connection((host, int(port)), timeout=20) as line:
                line.sendall(chunked % (before, behind))
                assert status in line.recv(4096)


@pytest.mark.parametrize(
    "texts",
    [
        {"prompt": '{"4": {"class_type": "Loader", "inputs": {"ckpt_name": "a%sb"}}, "3": {"class_type": "KSampler"}}'},
        {"AIGC": '{"Label": "%s", "ContentProducer": "x"}'},
    ],
)
def test_metadata_that_is_no_text_is_answered_and_not_taken_for_a_crash(server: Server, texts: dict[str, str]) -> None:
    chunks = PngInfo()
    for name, text in texts.items():
        chunks.add_text(name, text % "\\ud800")
    drawn = io.BytesIO()
    Image.new("RGB", (64, 64)).save(drawn, "PNG", pnginfo=chunks)
    with server.client() as client:
        answer = client.post("/v1/scan", content=drawn.getvalue())
    assert answer.status_code == 200, answer.text
    json.dumps(answer.json(), ensure_ascii=False).encode()
