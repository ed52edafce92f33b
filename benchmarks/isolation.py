"""What a child process costs: the same pictures scanned in process and in one child, in processor time of both sides.

python benchmarks/isolation.py [--pictures 40] [--rounds 5] [--pixels]
"""

import argparse
import json
import os
import resource
import statistics
import time
from pathlib import Path

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
    """Processor time that a living process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Alternate the two, so that a busy machine does not decide, and print the median of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pixels", action="store_true", help="with the pixel classifier")
    given = parser.parse_args()
    pictures = [photo(number) for number in range(given.pictures)]
    scanning = Scanning(model="deep" if given.pixels else None, policy=default_policy())
    examine = scanning()
    ratios, inside, outside = [], [], []
    with Pool(scanning, size=1) as pool:
        pid = int(pool.submit(pictures[0]).result() and pool._lanes[0]._child.pid)
        examine(pictures[0])
        for _ in range(given.rounds):
            before = own_seconds()
            for picture in pictures:
                Asset.from_bytes(picture)  # the parent of a child reads and hashes, too
                examine(picture)
            inside.append(own_seconds() - before)
            before = own_seconds() + child_seconds(pid)
            for picture in pictures:
                Asset.from_bytes(picture)
                pool.submit(picture).result()
            outside.append(own_seconds() + child_seconds(pid) - before)
            ratios.append(outside[-1] / inside[-1])
            time.sleep(0.05)
    print(
        json.dumps(
            {
                "pictures": given.pictures,
                "rounds": given.rounds,
                "in process, ms each": round(1000 * statistics.median(inside) / given.pictures, 2),
                "in a child, ms each": round(1000 * statistics.median(outside) / given.pictures, 2),
                "ratio, median": round(statistics.median(ratios), 3),
                "ratios": [round(ratio, 3) for ratio in ratios],
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
