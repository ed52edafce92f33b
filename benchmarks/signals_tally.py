"""How many generated images each signal catches, and how many human-made ones it flags; pixels' classifiers left out.

    python benchmarks/signals_tally.py FOLDER

FOLDER holds `pack.csv` (file, label, generator, delivery …) and `images/`. "Catches": the signal speaks of generated content
(synthetic or composite). Every flag on a picture labelled "real" is printed with its fields, to be explained by hand.
"""

import argparse
import csv
import sys
from collections import Counter
from pathlib import Path

from assay.detectors.evidence import Evidence
from assay.detectors.signals import REGISTRY
from assay.detectors.subject import Subject
from assay.provenance.asset import Asset
from assay.provenance.custody.verifying import verify
from assay.provenance.errors import AssayError
from assay.provenance.trust import default_policy
from assay.scanning.verdict import GENERATED


def tally(folder: Path) -> tuple[Counter[tuple[str, str, str]], Counter[tuple[str, str]], list[str]]:
    """Counts by (label, delivery, signal), pictures by (label, delivery), and every flag on a real picture."""
    signals = [entry.make() for entry in REGISTRY if entry.name != "pixels"]
    policy = default_policy()
    flagged: Counter[tuple[str, str, str]] = Counter()
    seen: Counter[tuple[str, str]] = Counter()
    hits = []
    with (folder / "pack.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if (folder / "images" / row["file"]).exists()]
    for row in rows:
        delivery = "original" if row["delivery"] == "original" else "as a web page delivers it"
        seen[row["label"], delivery] += 1
        asset = Asset.open(folder / "images" / row["file"])
        try:
            subject = Subject(asset, verify(asset, policy))
        except AssayError as error:
            subject = Subject(asset, error)
        for signal in signals:
            evidence = signal.examine(subject)
            if evidence.origin in GENERATED:
                flagged[row["label"], delivery, signal.name] += 1
                if row["label"] == "real":
                    hits.append(f"{row['file']} ({row['source']}): {_told(evidence)}")
    return flagged, seen, hits


def _told(evidence: Evidence) -> str:
    return f"{evidence.signal}: {evidence.statement} " + "; ".join(
        f"{t.field}={t.value[:80]!r}" for t in evidence.traces
    )


def main() -> None:
    """Print the table and every flag on a real picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    flagged, seen, hits = tally(arguments.folder)
    groups = sorted(seen)
    print(
        "| signal | "
        + " | ".join(f"{label}, {delivery} ({seen[label, delivery]:,})" for label, delivery in groups)
        + " |"
    )
    print("|" + " --- |" * (len(groups) + 1))
    for entry in REGISTRY:
        if entry.name != "pixels":
            counts = " | ".join(f"{flagged[label, delivery, entry.name]:,}" for label, delivery in groups)
            print(f"| `{entry.name}` | {counts} |")
    for hit in hits:
        print(hit, file=sys.stderr)


if __name__ == "__main__":
    main()
