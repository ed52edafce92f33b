"""How fast the pixel models are: `python benchmarks/detect.py [MODEL …]`.

Per model: pictures a second on one core at 1 and 12 megapixels, from the encoded file to the opinion, and each step alone, with
the share that decoding and bare inference on ready arrays have; the first answer of a cold process; peak memory of that process.
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
from assay.detectors.views import whole
from assay.provenance.asset import Asset
from assay.provenance.decoding import decode, upright

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


def medians(acts: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of processor time of each act, taken in turns (a busy machine then disturbs all of them alike), after
    one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(rounds + 1):
        for name, act in acts.items():
            start = time.process_time()
            act()
            times[name].append(time.process_time() - start)
    return {name: statistics.median(found[1:]) * 1e3 for name, found in times.items()}


def steps(classifier: Classifier, content: bytes) -> dict[str, Callable[[], object]]:
    """What is timed: the whole way from the file to the opinion, and its steps alone on arrays that are ready."""
    asset = Asset.from_bytes(content)
    image = decode(asset)
    pixels = whole(upright(image), classifier.card.view)[None]
    features = classifier.encoder.run(pixels, "features")[0]

    def answer() -> object:
        decoded = decode(Asset.from_bytes(content))
        return classifier.opinions([decoded], [measure(decoded)])

    return {
        "all": answer,
        "decode": lambda: decode(asset),
        "quality": lambda: measure(image),
        "view": lambda: whole(upright(image), classifier.card.view),
        "encoder": lambda: classifier.encoder.run(pixels, "features"),
        "head": lambda: classifier.head.run(features, "logits", "domain", "novelty"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(shipped_models()))
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    print("Milliseconds of processor time a picture; the last column is decode, encoder and head alone, of all.")
    print(
        "| model | megapixels | decode | quality | view | encoder | head | all | pictures a second and core | bare / all |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in given.models:
        classifier = load(name, threads=1)
        for megapixels in (1, 12):
            took = medians(steps(classifier, picture(megapixels)), given.rounds)
            cells = [f"{took[step]:.1f}" for step in ("decode", "quality", "view", "encoder", "head", "all")]
            bare = took["decode"] + took["encoder"] + took["head"]
            rate, share = f"{1e3 / took['all']:.1f}", f"{bare / took['all']:.0%}"
            print(f"| {' | '.join([name, str(megapixels), *cells, rate, share])} |")
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
