"""What all signals but the pixel classifier cost: milliseconds for a 1 MP and a 12 MP JPEG on one core.

    python benchmarks/signals.py [IMAGE…]

Reading, hashing, custody and one shared decode are counted. Without arguments the pictures are made: smooth shapes with
sensor-like noise, JPEG quality 92, with XMP and EXIF as an editor writes them. Printed: the median of the runs, per stage, in
processor time, which other programs on the machine disturb least; the pictures are in the file cache.
The bounds are 15 ms and 60 ms; the exit code is 1 where one is missed.
"""

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from assay.detectors.signals import REGISTRY
from assay.detectors.subject import Subject
from assay.provenance.asset import Asset
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.trust import default_policy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from metadata_files import exif_segment, jpeg, source_type, tiff, xmp_segment

BOUNDS = {1: 15.0, 12: 60.0}  # megapixels: milliseconds


def photograph(width: int, height: int) -> bytes:
    """A picture that compresses like a photograph."""
    generator = np.random.default_rng(5)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    scene = 128 + 60 * np.sin(x / 180) * np.cos(y / 140) + 30 * np.sin((x + 2 * y) / 61)
    pixels = np.stack([scene, scene * 0.8 + 20, scene * 0.6 + 40], axis=-1)
    pixels += generator.normal(0, 3, (height, width, 1)).astype(np.float32)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=92)
    exif = tiff({0x010F: "Maker", 0x0110: "Model", 0x0131: "Editor 3.1"})
    return jpeg(xmp_segment(source_type("digitalCapture")), exif_segment(exif), base=buffer.getvalue())


def measure(path: Path, runs: int) -> dict[str, float]:
    """Median milliseconds per stage; "all" is the whole."""
    signals = [entry.make() for entry in REGISTRY if entry.name != "pixels"]
    policy = default_policy()
    times: dict[str, list[float]] = defaultdict(list)
    for run in range(runs + 2):
        stages, begun = {}, time.process_time()
        asset = Asset.open(path)
        stages["read, hash"] = time.process_time()
        try:
            subject = Subject(asset, verify(asset, policy))
        except AssayError as error:
            subject = Subject(asset, error)
        stages["custody"] = time.process_time()
        _ = subject.metadata.fields
        stages["metadata"] = time.process_time()
        for signal in signals:
            signal.examine(subject)
            stages[signal.name] = time.process_time()
        if run >= 2:  # the first two warm caches and imports
            previous = begun
            for stage, moment in stages.items():
                times[stage].append(1_000 * (moment - previous))
                previous = moment
            times["all"].append(1_000 * (previous - begun))
    return {stage: statistics.median(values) for stage, values in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=15)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        paths = list(arguments.images)
        for megapixels, size in {} if paths else {1: (1_152, 864), 12: (4_000, 3_000)}.items():
            paths.append(Path(folder) / f"{megapixels} MP.jpg")
            paths[-1].write_bytes(photograph(*size))
        for path in paths:
            medians = measure(path, arguments.runs)
            print(f"{path.name}, {path.stat().st_size:,} bytes")
            for stage, value in sorted(medians.items(), key=lambda item: -item[1]):
                print(f"  {stage:28} {value:8.2f} ms")
            bound = BOUNDS.get(int(path.name.split(" ")[0])) if path.name.endswith(" MP.jpg") else None
            if bound and medians["all"] > bound:
                missed = True
                print(f"  over the bound of {bound:.0f} ms")
    sys.exit(missed)


if __name__ == "__main__":
    main()
