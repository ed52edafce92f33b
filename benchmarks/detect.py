"""How fast the pixel models are: `python benchmarks/detect.py [MODEL …]`.

Per model: pictures a second on one core at 1 and 12 megapixels, from the encoded file to the opinion, against decoding and
bare inference on the same arrays measured alone; the first answer of a cold process; peak memory of that process.
"""

import argparse
import io
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from assay.detectors.card import shipped_models
from assay.detectors.classifier import Classifier, load
from assay.detectors.quality import measure
from assay.detectors.views import upright, whole
from assay.provenance.asset import Asset
from assay.provenance.decoding import decode

COLD = """
import time; start = time.perf_counter()
import re, sys
from pathlib import Path
from PIL import Image
from assay.detectors.classifier import load
from assay.detectors.quality import measure
image = Image.effect_noise((1200, 900), 40).convert("RGB")
(opinion,) = load(sys.argv[1]).opinions([image], [measure(image)])
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())  # ru_maxrss would be the parent's
print(time.perf_counter() - start, time.process_time(), int(peak[1]) / 1024)
"""


def picture(megapixels: int) -> bytes:
    """A JPEG of quality 90 with structure at all scales."""
    side = round((megapixels * 1e6 / 12) ** 0.5)
    random = np.random.default_rng(megapixels)
    coarse = Image.fromarray(random.integers(0, 256, (48, 64, 3), np.uint8)).resize((4 * side, 3 * side))
    noisy = np.asarray(coarse, np.int16) + random.integers(-8, 9, (3 * side, 4 * side, 3), np.int16)
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def median(act: Callable[[], object], rounds: int) -> float:
    """Median seconds of processor time of `act` (a busy machine does not distort it), after one call that is not counted."""
    act()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        act()
        times.append(time.process_time() - start)
    return statistics.median(times)


def bare(classifier: Classifier, content: bytes) -> float:
    """Decoding and the two graphs on ready arrays, added up: what any pipeline must spend."""
    asset = Asset.from_bytes(content)
    pixels = whole(upright(decode(asset)))[None]
    decoding = median(lambda: decode(asset), 5)
    return decoding + median(lambda: classifier.head.run(classifier.encoder.run(pixels, "features")[0], "logits"), 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(shipped_models()))
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    print("| model | megapixels | ms of processor a picture | pictures a second and core | of decoding + inference |")
    print("|---|---|---|---|---|")
    for name in given.models:
        classifier = load(name, threads=1)
        for megapixels in (1, 12):
            content = picture(megapixels)

            def answer(content: bytes = content, classifier: Classifier = classifier) -> object:
                image = decode(Asset.from_bytes(content))
                return classifier.opinions([image], [measure(image)])

            spent = median(answer, given.rounds)
            share = bare(classifier, content) / spent
            print(f"| {name} | {megapixels} | {spent * 1e3:.0f} | {1 / spent:.1f} | {share:.0%} |")
    print()
    for name in given.models:
        done = subprocess.run([sys.executable, "-c", COLD, name], capture_output=True, text=True, check=True)
        seconds, busy, megabytes = (float(value) for value in done.stdout.split())
        print(
            f"{name}: first answer of a cold process {seconds:.2f} s ({busy:.2f} s of processor), peak memory {megabytes:.0f} MB"
        )
    print(f"this process: peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
