"""The service under load: throughput and latency beside the bare Scanner, and what 64 clients at once are told.

Starts a server of its own on the loopback and ends it, whatever happens; takes about a minute for 2,000 requests without
pixels. Run: python benchmarks/service.py [--requests 2000] [--clients 64] [--pixels] [--megapixels 0.3]

The server with its workers and the bare scanners run on the same half of the processors, the clients on the other, so that what is
compared is the service and not the load generator. `loss`: of throughput. `cpu_loss`: of processor time, of the server with
its workers beside the bare scanners with theirs; other work on the machine moves the first and hardly the second.
`client_cpu_ms`: what the clients spend on a request, which is in neither.
"""

import argparse
import contextlib
import io
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

from PIL import Image, ImageDraw

from assay.provenance.trust import default_policy
from assay.scanning.service.examining import SCAN, Examining, Task
from assay.scanning.service.settings import Settings
from assay.scanning.worker import Pool, cores

MOST_SECONDS = 900


def pictures(number: int, megapixels: float) -> list[bytes]:
    """JPEG files of drawn scenes, each different, the same on every run."""
    made = []
    rng = random.Random(7)
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    for _ in range(number):
        image = Image.effect_noise((width, width * 3 // 4), 24).convert("RGB")
        draw = ImageDraw.Draw(image)
        for _ in range(40):
            x, y, size = rng.randrange(width), rng.randrange(width), rng.randrange(10, width // 4)
            draw.ellipse((x, y, x + size, y + size), fill=tuple(rng.randrange(256) for _ in range(3)))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=rng.choice((75, 85, 92)))
        made.append(buffer.getvalue())
    return made


def halves() -> tuple[set[int], set[int]]:
    """Processors for what is measured, and for the clients; the same where there is one, or where the platform pins nothing."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    every = sorted(os.sched_getaffinity(0))
    middle = len(every) // 2
    return (set(every[:middle]), set(every[middle:])) if middle else (set(every), set(every))


def stay_on(processors: set[int]) -> None:
    """Keep this thread, and the threads and processes that it starts, on these."""
    if processors:
        os.sched_setaffinity(0, processors)


class Bare:
    """The same scanners in the same number of processes, without HTTP; kept between rounds."""

    def __init__(self, files: list[bytes], *, workers: int, model: str | None) -> None:
        examining = Examining(model=model, policy=default_policy(), limits=Settings().limits)
        self._files = files
        self.pool = Pool(examining, size=workers, limits=Settings().worker_limits)

    def rate(self, requests: int) -> float:
        """Images a second."""
        started = time.perf_counter()
        for future in [self.pool.submit(self._task(number)) for number in range(requests)]:
            future.result()
        return requests / (time.perf_counter() - started)

    def _task(self, number: int) -> bytes:
        """Made anew for each image, for its hash is part of a scan."""
        return Task(do=SCAN, name="image", content=self._files[number % len(self._files)]).packed()


class Line:
    """One keep-alive connection that costs the machine as little as it can: it shares the processors with what is measured."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=120)

    def post(self, path: str, body: bytes) -> tuple[int, int]:
        """The status, and Retry-After in seconds (0 where there is none)."""
        try:
            return self._posted(path, body)
        except ConnectionError:  # the server closes what was idle for longer than its keep-alive
            self._connect()
            return self._posted(path, body)

    def _posted(self, path: str, body: bytes) -> tuple[int, int]:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        answer = self._socket.recv(262_144)
        while b"\r\n\r\n" not in answer:
            answer += self._received()
        told = answer[: answer.index(b"\r\n\r\n")].lower()
        left = int(told.split(b"content-length: ")[1].split(b"\r\n")[0]) - (len(answer) - len(told) - 4)
        while left > 0:
            left -= len(self._received())
        wait = told.split(b"retry-after: ")[1].split(b"\r\n")[0] if b"retry-after: " in told else b"0"
        return int(told[9:12]), int(wait)

    def _received(self) -> bytes:
        part = self._socket.recv(262_144)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part


def load(port: int, files: list[bytes], requests: int, clients: int) -> tuple[float, Counter[int], list[float]]:
    """Answers a second, statuses of all attempts, and seconds of the attempts that were answered with 200.

    Clients do as `Retry-After` tells them. The rate is taken until the last request was begun: afterwards clients that still sleep
    would be counted as the server's slowness.
    """
    statuses: Counter[int] = Counter()
    taken: list[float] = []
    lock = threading.Lock()
    numbers = iter(range(requests))
    full: list[float] = []  # images a second while there was more to ask

    def client(_: int) -> None:
        line = Line(port)
        while True:
            with lock:
                number = next(numbers, None)
                if number is None:
                    full.append(len(taken) / (time.perf_counter() - started))
                    return
            status = 429
            while status == 429:
                asked = time.perf_counter()
                status, wait = line.post("/v1/scan", files[number % len(files)])
                with lock:
                    statuses[status] += 1
                    if status == 200:
                        taken.append(time.perf_counter() - asked)
                if status == 429:
                    time.sleep(wait * random.uniform(1.0, 1.2))

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return full[0], statuses, sorted(taken)


def spent(*roots: int) -> float:
    """Seconds of processor time of processes and their children so far."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(stat.parent.name) in roots or int(fields[1]) in roots:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--workers", type=int, help="of both  [default: as many as processors they run on]")
    parser.add_argument("--megapixels", type=float, default=0.3)
    parser.add_argument("--pixels", action="store_true")
    parser.add_argument("--rounds", type=int, default=5, help="Bare, served, bare, served, …")
    wanted = parser.parse_args()
    measured, others = halves()
    stay_on(measured)
    workers = wanted.workers or len(measured) or cores()
    model = "deep" if wanted.pixels else None
    files = pictures(24, wanted.megapixels)
    command = [sys.executable, "-m", "assay.cli", "serve", "--port", "0", "--workers", str(workers)]
    command += ["--stop-after", str(MOST_SECONDS)] + ([] if wanted.pixels else ["--no-pixels"])
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    told: list[dict[str, float]] = []
    counted: Counter[int] = Counter()
    seconds: list[float] = []
    share = -(-wanted.requests // wanted.rounds)
    alone = Bare(files, workers=workers, model=model)
    try:
        assert server.stdout is not None
        found = re.search(r":(\d+)/", server.stdout.readline())
        assert found
        port = int(found[1])
        with alone.pool:
            alone.rate(4 * workers)
            until_ready(port)
            for _ in range(wanted.rounds):
                before = spent(os.getpid())
                bare = alone.rate(share)
                between, server_before = spent(os.getpid()), spent(server.pid)
                stay_on(others)
                clients_before = time.process_time()
                served, statuses, taken = load(port, files, share, wanted.clients)
                at_clients = (time.process_time() - clients_before) / share
                stay_on(measured)
                at_server = (spent(server.pid) - server_before) / share
                at_bare = (between - before) / share
                counted += statuses
                seconds += taken
                told.append(
                    {
                        "bare_per_second": round(bare, 1),
                        "served_per_second": round(served, 1),
                        "loss": round(1 - served / bare, 3),
                        "bare_cpu_ms": round(at_bare * 1e3, 2),
                        "served_cpu_ms": round(at_server * 1e3, 2),
                        "client_cpu_ms": round(at_clients * 1e3, 2),
                    }
                )
                print(json.dumps(told[-1]), flush=True)
    finally:
        server.terminate()
        server.wait(60)
    losses = sorted(each["loss"] for each in told)
    cpu = [sum(each[name] for each in told) for name in ("bare_cpu_ms", "served_cpu_ms")]
    seconds.sort()
    at = {f"p{part}": round(seconds[min(len(seconds) - 1, len(seconds) * part // 100)], 3) for part in (50, 95, 99)}
    summary = {
        "median_loss": losses[len(losses) // 2],
        "worst_loss": losses[-1],
        "cpu_loss": round(1 - cpu[0] / cpu[1], 3),
    }
    print(json.dumps({**summary, **at, "statuses": {str(status): count for status, count in sorted(counted.items())}}))
    bad = set(counted) - {200, 429}
    sys.exit(f"other statuses than 200 and 429: {bad}" if bad else 0)


def until_ready(port: int) -> None:
    """Wait until every worker is warm."""
    for _ in range(600):
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server does not get ready")


if __name__ == "__main__":
    main()
