"""False positives, recall and cost of the dwtDct decoder on a folder of labelled pictures.

    python benchmarks/watermarks.py FOLDER [--thorough] [--limit N]

FOLDER holds `pack.csv` (file, label, source …) and `images/`. False positives are counted on the pictures labelled "real",
separately for two halves of the sources (by hash of the source's name): thresholds were looked at on the first half only.
Recall is that of marks written by the tests' embedder into real pictures scaled to 1024×768.
"""

import argparse
import csv
import hashlib
import io
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from assay.detectors.watermarks.dwtdct import PAYLOADS, DwtDct, Match, as_it_is, can_carry, cropped, rescaled

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from dwtdct_marking import marked


def half(source: str) -> str:
    return "AB"[hashlib.sha256(source.encode()).digest()[0] % 2]


def real_pictures(folder: Path, limit: int) -> Iterator[tuple[str, Image.Image]]:
    with (folder / "pack.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["label"] == "real"]
    for row in sorted(rows, key=lambda row: hashlib.sha256(row["file"].encode()).hexdigest())[: limit or None]:
        yield half(row["source"]), Image.open(folder / "images" / row["file"])


def false_positives(folder: Path, limit: int, *, thorough: bool) -> None:
    looks: tuple[Callable[[Image.Image], Iterator[Match]], ...] = (
        (as_it_is, rescaled, cropped) if thorough else (as_it_is,)
    )
    most: dict[tuple[str, str, str, int], int] = defaultdict(int)
    searched: dict[str, int] = defaultdict(int)
    hits: dict[str, int] = defaultdict(int)
    for group, image in real_pictures(folder, limit):
        if not can_carry(image):
            continue
        searched[group] += 1
        for look in looks:
            for match in look(image):
                key = group, look.__name__, match.payload.generator, len(match.payload.bits)
                most[key] = max(most[key], match.matched)
                hits[group] += match.matched >= match.least
    for group in sorted(searched):
        number = searched[group]
        bound = 1 - 0.05 ** (1 / number) if not hits[group] else float("nan")
        print(f"half {group}: {number} real pictures, {hits[group]} false positives, 95 % upper bound {bound:.2%}")
        for (part, look_name, generator, bits), value in sorted(most.items()):
            if part == group:
                print(f"  {look_name:9} {generator:30} at most {value:3} of {bits}")


def recall(folder: Path, limit: int) -> None:
    def jpeg(quality: int, subsampling: int) -> Callable[[Image.Image], Image.Image]:
        def apply(image: Image.Image) -> Image.Image:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
            return Image.open(buffer)

        return apply

    attacks: dict[str, tuple[Callable[[Image.Image], Image.Image], bool]] = {
        "PNG": (lambda image: image, False),
        "JPEG 95 4:4:4": (jpeg(95, 0), False),
        "JPEG 90 4:4:4": (jpeg(90, 0), False),
        "JPEG 80 4:4:4": (jpeg(80, 0), False),
        "JPEG 95 4:2:0": (jpeg(95, 2), False),
        "crop (21, 13)": (lambda image: image.crop((21, 13, 1000, 740)), True),
        "resize 0.7": (lambda image: image.resize((717, 538), Image.Resampling.LANCZOS), True),
        "resize 1.5": (lambda image: image.resize((1536, 1152), Image.Resampling.LANCZOS), True),
    }
    found: dict[tuple[str, str], int] = defaultdict(int)
    wrong = pictures = 0
    for _, image in real_pictures(folder, 0):
        if min(image.size) < 480 or not can_carry(image):
            continue
        picture = image.convert("RGB").resize((1024, 768))
        pictures += 1
        for payload in PAYLOADS:
            mark = marked(picture, payload.bits)
            for name, (attack, thorough) in attacks.items():
                if thorough and payload not in PAYLOADS[:2]:  # seconds each: for the two families in most use
                    continue
                decoded = DwtDct().detect(attack(mark), thorough=thorough)
                right = decoded is not None and decoded.generator == payload.generator
                found[f"{payload.generator} {len(payload.bits)}", name] += right
                wrong += decoded is not None and not right
        if pictures == limit:
            break
    print(f"recall on {pictures} pictures ({wrong} marks read as another):")
    for (payload_name, attack_name), count in found.items():
        print(f"  {payload_name:34} {attack_name:14} {count / pictures:.0%}")


def cost(folder: Path) -> None:
    _, image = next(pair for pair in real_pictures(folder, 0) if min(pair[1].size) > 480)
    for size in ((1024, 1024), (2048, 2048)):
        picture = image.convert("RGB").resize(size)
        best = min(_timed(lambda picture=picture: DwtDct().detect(picture)) for _ in range(9))  # type: ignore[misc]
        thorough = _timed(lambda picture=picture: DwtDct().detect(picture, thorough=True))  # type: ignore[misc]
        print(
            f"{size[0]}×{size[1]}: {best * 1000:.1f} ms, thorough {thorough:.2f} s of processor time (decoding the file not counted)"
        )


def _timed(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--thorough", action="store_true")
    parser.add_argument("--limit", type=int, default=0, help="real pictures searched for false positives (0: all)")
    parser.add_argument("--recall", type=int, default=24, help="pictures marked for recall (0: none)")
    options = parser.parse_args()
    cost(options.folder)
    if options.recall:
        recall(options.folder, options.recall)
    false_positives(options.folder, options.limit, thorough=options.thorough)


if __name__ == "__main__":
    main()
