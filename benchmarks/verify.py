"""What verifying costs beside the bare C2PA library: per file, per folder and core, and in memory over many reads.

Run from the repository: `python benchmarks/verify.py`. Files are made on the spot with a throw-away authority; the lists are
those shipped with assay plus that authority, the same for both sides. Times are of one thread's CPU, the two sides taking
turns, lower quartile of the rounds, because other work on the machine lengthens wall time.
"""

import argparse
import gc
import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import custody_assets as made
from time_stamping import time_authority, time_stamper

from assay.provenance import _c2pa
from assay.provenance.asset import Asset
from assay.provenance.custody.examining import examine
from assay.provenance.custody.verifying import verify
from assay.provenance.trust import Purpose, TrustPolicy, default_policy

ROOT, TIME_ROOT = made.authority(), made.authority("Time Root")
SIZES = {"1 MP": (1152, 864), "12 MP": (4000, 3000)}


def policy() -> TrustPolicy:
    own = (made.trust_list(ROOT), made.trust_list(TIME_ROOT, purpose=Purpose.TIME_STAMPING))
    shipped = default_policy(development=False)
    return replace(shipped, lists=(*shipped.lists, *own))


def photograph(size: tuple[int, int], seed: int) -> bytes:
    """Smooth noise that compresses about as a photograph does."""
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 256, (height // 6, width // 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def assets(size: tuple[int, int], tsa_url: str) -> dict[str, bytes]:
    plain = photograph(size, 1)
    signed = made.sign(plain, made.created(), made.leaf(ROOT)).content
    edit = made.sign(plain, made.opened(), made.leaf(ROOT), ingredients=(made.parent(signed),)).content
    third = made.sign(plain, made.opened(), made.leaf(ROOT), ingredients=(made.parent(edit),)).content
    stamped = made.sign(plain, made.created(), made.leaf(ROOT), tsa_url=tsa_url).content
    return {"no manifest": plain, "signed": signed, "signed, stamped": stamped, "edit": edit, "edit of an edit": third}


def quartiles(bare: Callable[[], object], ours: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Milliseconds of CPU of each side, taking turns."""
    bare(), ours()
    times: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    for _ in range(rounds):
        for side, call in zip(times, (bare, ours), strict=True):
            start = time.thread_time()
            call()
            side.append(time.thread_time() - start)
    return tuple(sorted(side)[len(side) // 4] * 1000 for side in times)  # type: ignore[return-value]


def per_file(rounds: int) -> None:
    believed = policy()
    context = _c2pa.context(believed.anchors())
    print("| | file | bytes | library, ms | assay, ms | ratio |\n|---|---|---|---|---|---|")
    with time_authority(time_stamper(TIME_ROOT), made.NOW - timedelta(seconds=5)) as authority:
        for size, pixels in SIZES.items():
            for name, content in assets(pixels, authority.url).items():
                asset = Asset.from_bytes(content)
                bare, ours = quartiles(
                    lambda asset=asset: _c2pa.read(asset, context), lambda asset=asset: verify(asset, believed), rounds
                )
                print(
                    f"| {size} | {name} | {len(content):,} | {bare:.2f} | {ours:.2f} | {ours / bare:.2f} |", flush=True
                )


_believed: TrustPolicy | None = None


def _start(believed: TrustPolicy) -> None:
    global _believed
    _believed = believed


def _one(path: Path) -> str:
    assert _believed is not None
    return examine(path, _believed).custody.bottom_line.value


def per_folder(count: int) -> None:
    believed = policy()
    with tempfile.TemporaryDirectory() as folder:
        plain = [photograph(SIZES["1 MP"], seed) for seed in range(8)]
        signers = [made.leaf(ROOT, f"Signer {number}") for number in range(40)]
        paths = []
        for number in range(count):
            content = made.sign(plain[number % 8], made.created(), signers[number % 40]).content
            paths.append(Path(folder) / f"{number}.jpg")
            paths[-1].write_bytes(content)
        print(f"\n{count:,} signed files of 1 MP by 40 signers, read from disk, hashed and verified:\n")
        print("| workers | files a second | a worker |\n|---|---|---|")
        for workers in (1, 2):
            with ProcessPoolExecutor(workers, initializer=_start, initargs=(believed,)) as pool:
                list(pool.map(_one, paths[:20], chunksize=2))
                start = time.perf_counter()
                lines = list(pool.map(_one, paths, chunksize=8))
                took = time.perf_counter() - start
            assert set(lines) == {"trusted"}
            print(f"| {workers} | {count / took:.0f} | {count / took / workers:.0f} |", flush=True)


def memory(reads: int) -> None:
    believed = policy()
    small = photograph((320, 240), 3)
    signed = made.sign(small, made.created(), made.leaf(ROOT)).content
    contents = [small, signed]
    for number in range(30):
        contents.append(
            made.sign(small, made.opened(), made.leaf(ROOT, str(number)), ingredients=(made.parent(signed),)).content
        )
    contents += [content[: len(content) // 2] for content in contents]
    print(f"\nResident memory over {reads:,} reads of {len(contents)} files, good and broken:\n")
    print("| reads | MB | open files |\n|---|---|---|")
    for number in range(reads + 1):
        if number in (reads // 100, reads // 10, reads // 2, reads):
            print(f"| {number:,} | {_resident():.1f} | {len(list(Path('/proc/self/fd').iterdir()))} |", flush=True)
        verify(Asset.from_bytes(contents[number % len(contents)]), believed)


def _resident() -> float:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="rounds per file")
    parser.add_argument("--files", type=int, default=600, help="files of the folder")
    parser.add_argument("--reads", type=int, default=10_000, help="reads for memory")
    options = parser.parse_args()
    per_file(options.rounds)
    per_folder(options.files)
    memory(options.reads)


if __name__ == "__main__":
    main()
