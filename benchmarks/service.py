"""The service under load: throughput and latency beside the bare Scanner, and what 64 clients at once are told.

Starts a server of its own on the loopback and ends it, whatever happens; takes about a minute for 2,000 requests without
pixels. Run: python benchmarks/service.py [--requests 2000] [--clients 64] [--pixels] [--megapixels 0.3]
"""

import argparse
import io
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

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


def bare(files: list[bytes], requests: int, *, workers: int, model: str | None) -> float:
    """Images a second that the same scanners examine in the same number of processes, without HTTP."""
    examining = Examining(model=model, policy=default_policy(), limits=Settings().limits)
    tasks = [Task(do=SCAN, name="image", content=content).packed() for content in files]
    with Pool(examining, size=workers, limits=Settings().worker_limits) as pool:
        for future in [pool.submit(task) for task in tasks[: 2 * workers]]:
            future.result()
        started = time.perf_counter()
        for future in [pool.submit(tasks[number % len(tasks)]) for number in range(requests)]:
            future.result()
        return requests / (time.perf_counter() - started)


def load(port: int, files: list[bytes], requests: int, clients: int) -> tuple[float, Counter[int], list[float]]:
    """Answers a second, statuses of all attempts, and seconds of the attempts that were answered with 200."""
    statuses: Counter[int] = Counter()
    taken: list[float] = []
    lock = threading.Lock()
    numbers = iter(range(requests))

    def client(_: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            status = 429
            while status == 429:
                started = time.perf_counter()
                connection.request("POST", "/v1/scan", files[number % len(files)], {"Content-Type": "image/jpeg"})
                answer = connection.getresponse()
                answer.read()
                status = answer.status
                with lock:
                    statuses[status] += 1
                    if status == 200:
                        taken.append(time.perf_counter() - started)
                if status == 429:
                    time.sleep(min(2.0, int(answer.headers["Retry-After"])) * random.uniform(0.3, 0.7))

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return requests / (time.perf_counter() - started), statuses, sorted(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--megapixels", type=float, default=0.3)
    parser.add_argument("--pixels", action="store_true")
    parser.add_argument("--runs", type=int, default=3, help="Bare and served by turns; the median ratio is told.")
    wanted = parser.parse_args()
    model = "deep" if wanted.pixels else None
    files = pictures(24, wanted.megapixels)
    command = [sys.executable, "-m", "assay.cli", "serve", "--port", "0", "--workers", str(wanted.workers)]
    command += ["--stop-after", str(MOST_SECONDS)] + ([] if wanted.pixels else ["--no-pixels"])
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    told: list[dict[str, object]] = []
    try:
        assert server.stdout is not None
        found = re.search(r":(\d+)/", server.stdout.readline())
        assert found
        port = int(found[1])
        until_ready(port)
        share = max(1, wanted.requests // wanted.runs)
        for _ in range(wanted.runs):
            alone = bare(files, min(share, 400), workers=wanted.workers, model=model)
            served, statuses, taken = load(port, files, share, wanted.clients)
            at = {f"p{part}": round(taken[min(len(taken) - 1, len(taken) * part // 100)], 3) for part in (50, 95, 99)}
            told.append(
                {
                    "bare_per_second": round(alone, 1),
                    "served_per_second": round(served, 1),
                    "overhead": round(1 - served / alone, 3),
                    "statuses": {str(status): count for status, count in sorted(statuses.items())},
                    **at,
                }
            )
            print(json.dumps(told[-1]), flush=True)
    finally:
        server.terminate()
        server.wait(60)
    overheads = sorted(float(str(run["overhead"])) for run in told)
    print(json.dumps({"median_overhead": overheads[len(overheads) // 2], "worst_overhead": overheads[-1]}))
    bad = {status for run in told for status in dict(run["statuses"]) if status not in ("200", "429")}  # type: ignore[call-overload]
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
