"""Nothing that examines opens a connection, not even to the place that a file names: the kernel ends whoever tries."""

import ctypes
import json
import os
import platform
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from metadata_files import jpeg, xmp_segment
from serving import STARTED, Server, until_ready

CONNECT = {"x86_64": (0xC000003E, 42), "aarch64": (0xC00000B7, 203)}.get(platform.machine())
pytestmark = pytest.mark.skipif(sys.platform != "linux" or CONNECT is None, reason="needs a seccomp filter of Linux")
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="http://127.0.0.1:9/far.c2pa"/>'
    "</rdf:RDF></x:xmpmeta>"
)


def deny_connections() -> None:
    """In a child, before it becomes another program: connect(2) kills, in it and in all that it starts."""
    assert CONNECT is not None
    architecture, number = CONNECT
    step = struct.Struct("=HBBI")
    code = b"".join(
        (
            step.pack(0x20, 0, 0, 4),
            step.pack(0x15, 0, 3, architecture),
            step.pack(0x20, 0, 0, 0),
            step.pack(0x15, 0, 1, number),
            step.pack(0x06, 0, 0, 0x80000000),  # SECCOMP_RET_KILL_PROCESS
            step.pack(0x06, 0, 0, 0x7FFF0000),
        )
    )
    held = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(held)), 16)
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(38, 1, 0, 0, 0) or library.prctl(22, 2, program):  # no new privileges; PR_SET_SECCOMP, a filter
        os._exit(77)


@pytest.fixture
def pointing(tmp_path: Path) -> Path:
    """A picture that says where its manifest can be fetched."""
    path = tmp_path / "pointing.jpg"
    path.write_bytes(jpeg(xmp_segment(XMP)))
    return path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, preexec_fn=deny_connections, capture_output=True, text=True, timeout=100)


def test_whoever_connects_is_ended() -> None:
    """So that the other tests here can fail."""
    far = "import socket; socket.create_connection(('127.0.0.1', 9))"
    assert run(sys.executable, "-c", far).returncode == -signal.SIGSYS
    assert run(sys.executable, "-c", "import socket; socket.socket()").returncode == 0


@pytest.mark.parametrize("command", [("scan", "--no-pixels"), ("verify",), ("audit", "--no-pixels")])
def test_commands_that_examine(pointing: Path, command: tuple[str, ...]) -> None:
    place = str(pointing.parent if command[0] == "audit" else pointing)
    done = run(sys.executable, "-m", "assay.cli", *command, place)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_service_and_its_page(pointing: Path) -> None:
    pytest.importorskip("uvicorn", reason="the service extra is not installed")
    state = str(pointing.parent / "state")
    options = ("--port", "0", "--no-pixels", "--workers", "1", "--stop-after", "100", "--state", state)
    child = subprocess.Popen(
        [sys.executable, "-m", "assay.cli", "serve", *options], stdout=subprocess.PIPE, preexec_fn=deny_connections
    )
    try:
        assert child.stdout is not None
        found = STARTED.search(child.stdout.readline())
        assert found
        server = Server(found[1].decode(), child)
        until_ready(server.address)
        content = pointing.read_bytes()
        with server.client() as client:
            for path in ("/", "/openapi.json", "/metrics", "/static/service.js", "/static/service.css"):
                page = client.get(path)
                assert page.status_code == 200
            assert "http://" not in client.get("/").text.replace("http://www.w3.org/2000/svg", "")
            for path in ("/v1/scan", "/v1/verify", "/v1/label", "/look", "/v1/scan?thorough=true"):
                answer = client.post(path, content=content)
                assert answer.status_code == 200, (path, answer.text)
            custody = client.post("/v1/verify", content=content).json()
            assert custody["remote_url"] == "http://127.0.0.1:9/far.c2pa"
            job = client.post("/v1/jobs", content=content).headers["location"]
            while (said := client.get(job).json())["state"] != "finished":
                pass
            assert json.dumps(said).count("assay.report/1") == 1
        assert server.stop() == 0  # and not killed
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
