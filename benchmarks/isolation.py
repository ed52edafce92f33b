"""What a child process costs: the same pictures scanned in process and in one child, in processor time of both sides
and by the clock.

python benchmarks/isolation.py [--pictures 40] [--rounds 5] [--pixels]
"""

import argparse
import itertools
import json
import statistics
import time

from PIL import Image

from assay.provenance.asset import Asset
from assay.provenance.trust import default_policy
from assay.scanning.audit.examining import Scanning
from assay.scanning.worker import Pool

_BLOCK = 5  # pictures


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
    """Take turns every few pictures: often enough that a busy machine does not decide, and no more, for whoever has just begun
    finds the processor's caches full of the other's."""
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
        sides = {
            "inside": examine,
            "asked": pool.ask,
            "submitted": lambda picture: pool.submit(picture).result(),
            "hash": lambda picture: Asset.from_bytes(picture),
        }
        for picture in pictures:
            for side in sides.values():
                side(picture)
        pid = pool._lanes[0]._child.pid
        for turn in range(given.rounds):
            sums = dict.fromkeys((*sides, "inside wall", "asked wall", "submitted wall", "hash wall"), 0.0)
            for number, start in enumerate(range(0, len(pictures), _BLOCK)):
                for name in itertools.islice(itertools.cycle(sides), number + turn, number + turn + len(sides)):
                    own, child, wall = time.process_time(), child_seconds(pid), time.perf_counter()
                    for picture in pictures[start : start + _BLOCK]:
                        sides[name](picture)
                    sums[name] += time.process_time() - own + child_seconds(pid) - child
                    sums[f"{name} wall"] += time.perf_counter() - wall
            rounds.append(sums)
    each = {name: round(1000 * statistics.median(sums[name] for sums in rounds) / given.pictures, 2) for name in sides}

    def ratios(of: str, beside: str = "") -> list[float]:
        found = [
            (sums[of] + (sums[beside] if beside else 0)) / sums[f"inside{of[len(of.split()[0]) :]}"] for sums in rounds
        ]
        return [round(number, 3) for number in (statistics.median(found), min(found), max(found))]

    print(
        json.dumps(
            {
                "pictures": given.pictures,
                "rounds": given.rounds,
                "milliseconds of processor each, both sides": each,
                "ratios to in process: median, least, most": {
                    "asked, as a scan does": ratios("asked"),
                    "submitted and waited for": ratios("submitted"),
                    "asked, and the parent hashes as well": ratios("asked", "hash"),
                    "asked, by the clock": ratios("asked wall"),
                },
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
