"""What a child process costs: the same pictures scanned in process and in one child, in processor time of both sides
and by the clock.

python benchmarks/isolation.py [--pictures 40] [--rounds 5] [--pixels]
"""

import argparse
import json
import statistics
import time

from PIL import Image

from assay.provenance.asset import Asset
from assay.provenance.trust import default_policy
from assay.scanning.audit.examining import Scanning
from assay.scanning.worker import Pool


def photo(number: int) -> bytes:
    """A JPEG of one megapixel with about the entropy of a photograph."""
    import io

    size = (1155, 866)
    noise = Image.effect_noise(size, 20 + number % 8)
    gradient = Image.linear_gradient("L").resize(size)
    buffer = io.BytesIO()
    Image.merge("RGB", (noise, Image.blend(noise, gradient, 0.5), gradient)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def child_seconds(pid: int) -> float:
    """Processor time of all threads of another process, to the nanosecond (clock_getcpuclockid of Linux's C library)."""
    return time.clock_gettime((~pid << 3) | 2)


def main() -> None:
    """Take turns picture by picture, so that a busy machine does not decide."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pixels", action="store_true", help="with the pixel classifier")
    given = parser.parse_args()
    pictures = [photo(number) for number in range(given.pictures)]
    scanning = Scanning(model="deep" if given.pixels else None, policy=default_policy())
    examine = scanning()
    rounds = []
    with Pool(scanning, size=1) as pool:
        for picture in pictures:
            pool.submit(picture).result()
            examine(picture)
        pid = pool._lanes[0]._child.pid
        for turn in range(given.rounds):
            sums = dict.fromkeys(("inside", "outside", "inside wall", "outside wall", "hash"), 0.0)
            for number, picture in enumerate(pictures):
                for side in ("inside", "outside") if (number + turn) % 2 else ("outside", "inside"):
                    own, child, wall = time.process_time(), child_seconds(pid), time.perf_counter()
                    _ = examine(picture) if side == "inside" else pool.submit(picture).result()
                    sums[side] += time.process_time() - own + child_seconds(pid) - child
                    sums[f"{side} wall"] += time.perf_counter() - wall
                own = time.process_time()
                Asset.from_bytes(picture)
                sums["hash"] += time.process_time() - own
            rounds.append(sums)
    each = {name: 1000 * statistics.median(sums[name] for sums in rounds) / given.pictures for name in rounds[0]}
    ratios = {
        "processor time": [sums["outside"] / sums["inside"] for sums in rounds],
        "processor time, and the parent hashes as well": [(r["outside"] + r["hash"]) / r["inside"] for r in rounds],
        "wall": [sums["outside wall"] / sums["inside wall"] for sums in rounds],
    }
    print(
        json.dumps(
            {
                "pictures": given.pictures,
                "rounds": given.rounds,
                "in process, ms of processor each": round(each["inside"], 2),
                "in a child, both sides": round(each["outside"], 2),
                "a hash": round(each["hash"], 2),
            }
            | {
                f"ratio of {name}: median, least, most": [
                    round(statistics.median(found), 3), round(min(found), 3), round(max(found), 3),
                ]
                for name, found in ratios.items()
            },
            indent=1,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
