"""Servers that speak the protocols of Google Cloud Storage and Azure Blob Storage, on loopback: fake-gcs-server and Azurite.

They are programs of the system and not Python packages; whoever uses them here skips where they are missing.
"""

import base64
import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

# The account that every Azurite has; published by its makers, and of no use anywhere else.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


Put = Callable[[str, bytes], None]  # name and content of a new object


@contextmanager
def google_server(bucket: str) -> Iterator[Put]:
    """An empty bucket, found by whoever reads the usual variables. Gives the way to fill it."""
    port = _free_port()
    command = [_program("fake-gcs-server"), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-backend", "memory", "-public-host", f"127.0.0.1:{port}"]
    endpoint = f"http://127.0.0.1:{port}"

    def put(name: str, content: bytes) -> None:
        where = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={urllib.parse.quote(name, safe='')}"
        _send(urllib.request.Request(endpoint + where, content, {"Content-Type": "application/octet-stream"}))

    with _running(command, port), _variables(GOOGLE_BASE_URL=endpoint, GOOGLE_SKIP_SIGNATURE="true"):
        body, headers = json.dumps({"name": bucket}).encode(), {"Content-Type": "application/json"}
        _send(urllib.request.Request(f"{endpoint}/storage/v1/b?project=p", body, headers))
        yield put


@contextmanager
def azure_server(container: str, folder: Path) -> Iterator[Put]:
    """The same for a container; the server keeps it in `folder`."""
    import obstore
    import obstore.store

    port = _free_port()
    command = [_program("azurite-blob"), "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    command += ["--blobPort", str(port), "--location", str(folder)]
    endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
    settings = {"ENDPOINT": endpoint, "ACCOUNT_NAME": ACCOUNT, "ACCOUNT_KEY": ACCOUNT_KEY}
    with _running(command, port), _variables(**{f"AZURE_STORAGE_{name}": value for name, value in settings.items()}):
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
        lines = [f"{name}:{value}" for name, value in headers.items()]
        signed = "\n".join(["PUT", *[""] * 11, *lines, f"/{ACCOUNT}/{ACCOUNT}/{container}", "restype:container"])
        mac = base64.b64encode(hmac.digest(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256)).decode()
        headers |= {"Authorization": f"SharedKey {ACCOUNT}:{mac}", "Content-Length": "0"}
        url = f"{endpoint}/{container}?restype=container"
        _send(urllib.request.Request(url, headers=headers, method="PUT"))
        store = obstore.store.from_url(f"az://{container}", client_options={"allow_http": True})

        def put(name: str, content: bytes) -> None:
            obstore.put(store, name, content)

        yield put


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _send(request: urllib.request.Request) -> None:
    urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(300):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                raise RuntimeError(f"{command[0]} does not come up")
            yield
        finally:
            server.kill()


@contextmanager
def _variables(**settings: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("GOOGLE_", "AZURE_"))]:
            patch.delenv(name)
        for name, value in settings.items():
            patch.setenv(name, value)
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
