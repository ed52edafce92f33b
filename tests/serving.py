"""A server in a thread or in a process of its own, for tests: on a free port of the loopback, ended by whoever began it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from assay.scanning.child import Examine
from assay.scanning.service.settings import Settings

STARTED = re.compile(rb"serving at (http://\S+)/")


@dataclass
class Server:
    """A process that serves. `address` has no slash at its end."""

    address: str
    child: subprocess.Popen[bytes]

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=60, trust_env=False, **options)

    def workers(self) -> list[int]:
        """Process numbers of its workers, from the system's own table."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = status.read_text().rpartition(")")[2].split()
                command = status.with_name("cmdline").read_bytes()
                if int(fields[1]) == self.child.pid and b"spawn_main" in command:
                    found.append(int(status.parent.name))
        return found

    def stop(self) -> int:
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(30)


@contextlib.contextmanager
def served(*options: str, wait: bool = True, stop_after: int = 120) -> Iterator[Server]:
    """`assay serve` as a user runs it, without pixels and with one worker unless told otherwise."""
    command = [
        sys.executable,
        "-m",
        "assay.cli",
        "serve",
        "--port",
        "0",
        "--no-pixels",
        "--stop-after",
        str(stop_after),
    ]
    if "--workers" not in options:
        command += ["--workers", "1"]
    child = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": _path()})
    try:
        assert child.stdout is not None
        found = STARTED.search(child.stdout.readline())
        assert found, "the server does not start"
        server = Server(found[1].decode(), child)
        if wait:
            until_ready(server.address)
        yield server
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        child.stdout.close()


@contextlib.contextmanager
def served_here(make: Callable[[], Examine], **options: object) -> Iterator[str]:
    """A server in a thread of this process, with workers of the test's own making; yields its address."""
    from assay.scanning.service import running

    addresses: list[str] = []
    there = threading.Event()

    def say(line: str) -> None:
        addresses.append(line.split()[-1].rstrip("/"))
        there.set()

    stop = threading.Event()
    settings = Settings(**{"port": 0, "workers": 1, "model": None, "drain": 5.0} | options)
    thread = threading.Thread(
        target=running.serve, args=(settings,), kwargs={"say": say, "make": make, "stop": stop}, daemon=True
    )
    thread.start()
    try:
        assert there.wait(20)
        until_ready(addresses[0])
        yield addresses[0]
    finally:
        stop.set()
        thread.join(20)


def until_ready(address: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/readyz", timeout=10) as answer:
            if json.load(answer)["status"] == "ready":
                return
        time.sleep(0.05)
    raise AssertionError("the server does not get ready")


def _path() -> str:
    return str(Path(__file__).resolve().parent.parent / ".dev")
