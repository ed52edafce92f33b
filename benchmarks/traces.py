"""How often traces of compression and thumbnails are told rightly, and what the local signals cost.

    python benchmarks/traces.py FOLDER [--limit N]

FOLDER holds `pack.csv` (file, label …) and `images/`. Pictures labelled "real" are scaled to 0.55 (which removes every grid),
then compressed in known ways. Rates are shares of pictures in which a trace was told; where none is there, the largest
strength is printed beside its threshold.
"""

import argparse
import csv
import hashlib
import io
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from assay.detectors.signals import REGISTRY
from assay.detectors.subject import Subject
from assay.detectors.traces import recompression
from assay.detectors.traces.jpeg import tables_of
from assay.provenance.asset import Asset
from assay.provenance.errors import AssayError

LOCAL = ("watermark", "trace-compression", "trace-camera", "trace-delivery", "trace-demosaicing")


def uncompressed(folder: Path, limit: int) -> Iterator[Image.Image]:
    with (folder / "pack.csv").open() as file:
        names = [row["file"] for row in csv.DictReader(file) if row["label"] == "real"]
    found = 0
    for name in sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        image = Image.open(folder / "images" / name).convert("RGB")
        if min(image.size) < 480:
            continue
        size = int(image.width * 0.55) // 8 * 8, int(image.height * 0.55) // 8 * 8
        yield image.resize(size, Image.Resampling.LANCZOS)
        found += 1
        if found == limit:
            return


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    stored = Image.open(buffer)
    stored.load()
    return stored


def history(folder: Path, limit: int) -> None:
    strengths: dict[str, list[float]] = defaultdict(list)
    right: dict[str, list[bool]] = defaultdict(list)
    for image in uncompressed(folder, limit):
        pixels = recompression.luminance(image)
        grid = recompression.grid_of(pixels)
        fit = recompression.quality_before_decoding(recompression.coefficients(pixels, grid.across, grid.down))
        strengths["uncompressed: grid"].append(grid.strength)
        strengths["uncompressed: steps"].append(fit.strength)
        for quality in (70, 80, 90, 95):
            single = jpeg(image, quality)
            pixels = recompression.luminance(single)
            strengths["compressed once: second grid"].append(recompression.grid_of(pixels, ignore=(0, 0)).strength)
            gaps = recompression.quality_before_last(
                recompression.coefficients(pixels), tables_of(single.quantization)[0]
            )
            strengths["compressed once: gaps"].append(gaps.strength)
            pixels = recompression.luminance(single.crop((3, 5, image.width, image.height)))
            grid = recompression.grid_of(pixels)
            fit = recompression.quality_before_decoding(recompression.coefficients(pixels, grid.across, grid.down))
            told = fit.strength >= recompression.FITS or grid.strength >= recompression.LINES
            right[f"JPEG {quality}, cropped, PNG: told, grid right"].append(told and (grid.across, grid.down) == (5, 3))
            right[f"JPEG {quality}, cropped, PNG: quality within 2"].append(
                fit.strength >= recompression.FITS and abs(fit.quality - quality) <= 2
            )
        for first, second in ((60, 90), (75, 90), (75, 95), (85, 90), (90, 95), (80, 85), (90, 75)):
            twice = jpeg(jpeg(image, first), second)
            found = recompression.coefficients(recompression.luminance(twice))
            gaps = recompression.quality_before_last(found, tables_of(twice.quantization)[0])
            right[f"JPEG {first}, then {second}: told"].append(gaps.strength >= recompression.GAPS)
            shifted = jpeg(jpeg(image, first).crop((3, 5, image.width - 5, image.height - 3)), second)
            grid = recompression.grid_of(recompression.luminance(shifted), ignore=(0, 0))
            told = grid.strength >= recompression.LINES
            right[f"JPEG {first}, cropped, then {second}: told, grid right"].append(
                told and (grid.across, grid.down) == (5, 3)
            )
    for name, values in strengths.items():
        ordered = np.sort(values)
        print(f"{name:32} {len(values)} pictures, largest {ordered[-3:].round(1).tolist()}")
    for name, hits in right.items():
        print(f"{name:52} {np.mean(hits):.0%}")


def cost(folder: Path) -> None:
    """Milliseconds of processor time of each signal, best of seven, on JPEGs at quality 90; opening and hashing counted in the sum."""
    image = next(uncompressed(folder, 1))
    for width, height in ((1000, 1000), (4000, 3000)):
        buffer = io.BytesIO()
        image.resize((width, height)).save(buffer, "JPEG", quality=90, subsampling=0)
        content = buffer.getvalue()
        signals = [entry.make() for entry in REGISTRY if entry.name in LOCAL]
        best: dict[str, float] = defaultdict(lambda: float("inf"))
        for _ in range(7):
            start = last = time.process_time()
            subject = Subject(Asset.from_bytes(content), AssayError("not verified"))
            for signal in signals:
                signal.examine(subject)
                now = time.process_time()
                best[signal.name] = min(best[signal.name], now - last)
                last = now
            best["together"] = min(best["together"], last - start)
        print(f"{width}×{height}: " + ", ".join(f"{name} {seconds * 1000:.1f} ms" for name, seconds in best.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=150, help="pictures")
    options = parser.parse_args()
    cost(options.folder)
    history(options.folder, options.limit)


if __name__ == "__main__":
    main()
