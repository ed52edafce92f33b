"""The HTTP API of a real server: the command's own bytes, limits, refusals, counters."""

import subprocess
import sys
from pathlib import Path

import pytest
from outcomes import HOSTILE, picture
from serving import Server

ROOT = Path(__file__).resolve().parents[3]


def printed(folder: Path, *arguments: str) -> bytes:
    """What the command line prints in `folder`."""
    command = [sys.executable, "-m", "assay.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("uploads")
    (made / "picture.png").write_bytes(picture())
    (made / "ünï code.png").write_bytes(picture("navy"))
    (made / "notes.txt").write_text("no image at all")
    (made / "cut.png").write_bytes(picture()[:100])
    return made


@pytest.fixture(scope="module")
def commanded(folder: Path) -> dict[str, bytes]:
    """All files by one call of each command; one line is one document."""
    names = sorted(path.name for path in folder.iterdir())
    scanned = printed(folder, "scan", "--no-pixels", "--format", "json", *names).splitlines(keepends=True)
    verified = printed(folder, "verify", "--format", "json", *names).splitlines(keepends=True)
    return {f"scan {name}": line for name, line in zip(names, scanned, strict=True)} | {
        f"verify {name}": line for name, line in zip(names, verified, strict=True)
    }


@pytest.mark.parametrize("name", ["picture.png", "ünï code.png", "notes.txt", "cut.png"])
@pytest.mark.parametrize("route", ["scan", "verify"])
@pytest.mark.parametrize("way", ["form", "raw"])
def test_the_answer_is_what_the_command_prints(
    server: Server, folder: Path, commanded: dict[str, bytes], route: str, name: str, way: str
) -> None:
    content = (folder / name).read_bytes()
    with server.client() as client:
        if way == "form":
            answer = client.post(f"/v1/{route}", files={"file": (name, content)})
        else:
            answer = client.post(f"/v1/{route}", params={"name": name}, content=content)
    assert answer.content == commanded[f"{route} {name}"]
    assert answer.status_code == (415 if name == "notes.txt" else 200)
    assert answer.headers["content-type"] == "application/json"


def test_a_label_is_what_the_command_prints(server: Server, folder: Path) -> None:
    options = ("scan", "--no-pixels", "--labels", "eu-ai-act-50", "--format", "json")
    names = ["notes.txt", "picture.png"]
    lines = printed(folder, *options, *names).splitlines(keepends=True)
    with server.client() as client:
        for name, line in zip(names, lines, strict=True):
            asked = {"policy": "eu-ai-act-50", "name": name}
            assert client.post("/v1/label", params=asked, content=(folder / name).read_bytes()).content == line


def test_a_prior_gives_a_posterior(server: Server, folder: Path) -> None:
    with server.client() as client:
        answer = client.post("/v1/scan?prior=0.2", content=(folder / "picture.png").read_bytes())
        wrong = client.post("/v1/scan?prior=2", content=(folder / "picture.png").read_bytes())
    assert answer.json()["verdict"]["posterior"]["prior"] == 0.2
    assert wrong.status_code == 400
    assert "prior" in wrong.json()["detail"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"content": b""}, "no file in this request"),
        ({"data": {"note": "no file"}, "files": {"": ("", b"")}}, "no file"),
        ({"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=y"}}, "form"),
        ({"content": b"no boundary", "headers": {"content-type": "multipart/form-data"}}, "boundary"),
        ({"files": [("file", ("a", b"1")), ("file", ("b", b"2"))]}, "Too many files"),
    ],
)
def test_what_is_no_upload_is_refused_in_words(server: Server, options: dict[str, object], said: str) -> None:
    with server.client() as client:
        answer = client.post("/v1/scan", **options)  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"] + answer.json()["hint"]


def test_every_answer_carries_the_policy(server: Server) -> None:
    with server.client() as client:
        for path in ("/", "/healthz", "/v1/nothing", "/static/service.css"):
            headers = client.get(path).headers
            assert "script-src 'self'" in headers["content-security-policy"]
            assert "unsafe-inline" not in headers["content-security-policy"].replace(
                "style-src-attr 'unsafe-inline'", ""
            )
            assert headers["x-content-type-options"] == "nosniff"
            assert "server" not in headers


def test_another_host_name_is_refused(server: Server) -> None:
    with server.client() as client:
        assert client.get("/", headers={"host": "rebound.example"}).status_code == 403
        assert client.get("/", headers={"host": "localhost"}).status_code == 200
        assert client.get("/", headers={"host": "[::1"}).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_a_page_of_another_site_cannot_make_it_work(server: Server, headers: dict[str, str]) -> None:
    with server.client() as client:
        assert client.post("/v1/scan", content=picture(), headers=headers).status_code == 403
        assert client.post("/v1/scan", content=picture(), headers={"origin": server.address}).status_code == 200


def test_it_counts_what_it_did(server: Server) -> None:
    with server.client() as client:
        client.post("/v1/scan", content=picture())
        text = client.get("/metrics").text
    assert 'assay_verdicts_total{basis="none",origin="undetermined"}' in text
    assert 'assay_requests_total{route="/v1/scan",status="200"}' in text
    assert "assay_ready 1.0" in text


def test_names_from_uploads_stay_harmless(server: Server) -> None:
    with server.client() as client:
        answer = client.post("/v1/scan", files={"file": (HOSTILE.replace("\x1b", ""), picture())})
        page = client.post("/look", files={"file": ("<img src=x onerror=alert(1)>.png", picture())}).text
    assert answer.status_code == 200
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror" in page
