"""What looking for faces costs: `python benchmarks/faces.py FOLDER [--number 30]`.

Milliseconds of processor time a picture, one thread, decoded pictures of the folder taken in turns: finding faces, one opinion on a
face, and, to compare, one opinion of the deep model on the whole picture; medians and the slowest of ten.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from assay.detectors.card import FACES, read_card
from assay.detectors.classifier import Classifier, load
from assay.detectors.faces import NETWORKS, FaceFinder
from assay.detectors.quality import measure
from assay.provenance.asset import Asset
from assay.provenance.decoding import decode, upright
from assay.provenance.errors import AssayError


def spent(act: Callable[..., object], *arguments: object) -> float:
    """Milliseconds of processor time."""
    start = time.process_time()
    act(*arguments)
    return (time.process_time() - start) * 1e3


def line(name: str, times: list[float]) -> str:
    """A row of the table."""
    return f"| {name} | {len(times)} | {np.median(times):.0f} | {np.quantile(times, 0.9):.0f} |" if times else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=30)
    given = parser.parse_args()
    card = read_card(FACES)
    finder = FaceFinder(*(card.verified(name) for name in NETWORKS), threads=1)
    judge, deep = Classifier(card, threads=1), load("deep", threads=1)
    times: dict[str, list[float]] = {
        "finding, no face": [],
        "finding, with faces": [],
        "one face": [],
        "whole picture": [],
    }
    for path in sorted(given.folder.iterdir())[: given.number]:
        try:
            image = decode(Asset.open(path))
        except AssayError:
            continue
        picture: Image.Image = upright(image)
        quality = measure(image)
        found = finder.faces(picture)
        times["finding, with faces" if found else "finding, no face"].append(spent(finder.faces, picture))
        times["whole picture"].append(spent(deep.opinions, [image], [quality]))
        if found:
            crop = found[0].crop(picture)
            times["one face"].append(spent(judge.opinions, [crop], [quality]))
    print("| step | pictures | median, ms | one in ten takes more than, ms |\n|---|---|---|---|")
    print("\n".join(filter(None, (line(name, found) for name, found in times.items()))))


if __name__ == "__main__":
    main()
