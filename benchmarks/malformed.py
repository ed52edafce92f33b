"""What a folder of malformed files does to a scan: every file through a child process as `assay scan` and `assay audit` do.

python benchmarks/malformed.py FOLDER [--model deep|swift|none] [--in-process]

A death, a hang or too much of anything would be a row "crashed the parser". `--in-process` scans without a child, where a
death ends the run. Times are processor time, so that a busy machine does not decide.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from isolation import child_seconds

from assay.provenance.trust import default_policy
from assay.scanning.audit.examining import Scanning
from assay.scanning.audit.row import Content
from assay.scanning.worker import ParserCrashed, Pool


@contextmanager
def _asking(scanning: Scanning, *, in_process: bool) -> Iterator[tuple[Callable[[bytes], bytes], Callable[[], float]]]:
    """A function that examines, and one that says how much processor time whoever examines has used."""
    if in_process:
        yield scanning(), time.process_time
        return
    with Pool(scanning, size=1) as pool:

        def used() -> float:
            child = pool._lanes[0]._child
            return child_seconds(child.pid) if child is not None else 0.0

        yield lambda content: pool.submit(content).result(), used


def main() -> None:
    """Scan, count, and name the slowest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="deep")
    parser.add_argument("--in-process", action="store_true")
    given = parser.parse_args()
    model = None if given.model == "none" else given.model
    files = sorted(path for path in given.folder.rglob("*") if path.is_file())
    outcomes, crashed = Counter[str](), []
    total, slowest = 0.0, (0.0, "")
    started = time.monotonic()
    with _asking(Scanning(model=model, policy=default_policy()), in_process=given.in_process) as (examine, used):
        examine(b"")  # what it takes to start is no file's
        for path in files:
            content, before = path.read_bytes(), used()
            try:
                row = Content.from_json(examine(content))
                crash = row.error == "ParserCrashed"
                kind = row.error or ("decoded" if row.width is not None else f"not decoded: {_kind(row.undecoded)}")
            except ParserCrashed as error:
                crash, kind = True, error.reason
            outcomes[kind] += 1
            if crash:
                crashed.append(f"{path.name}: {kind}")
            took = max(0.0, used() - before)  # a child that was replaced begins at nothing
            total += took
            slowest = max(slowest, (took, path.name))
    print(
        json.dumps(
            {
                "files": len(files),
                "model": model,
                "outcomes": dict(outcomes.most_common()),
                "crashed the parser": crashed,
                "processor seconds": round(total, 1),
                "slowest": [round(slowest[0], 2), slowest[1]],
                "seconds by the clock": round(time.monotonic() - started),
            },
            indent=1,
        )
    )


def _kind(reason: str) -> str:
    if "limit" in reason or "more than" in reason:
        return "beyond a limit"
    return "no decoder" if "no pixels that assay decodes" in reason or "is not decoded" in reason else "damaged"


if __name__ == "__main__":
    main()
