"""Fuzz for a while: `python tests/fuzzing/run.py --seconds 120 [--target metadata_is_read] [--corpus FOLDER] [--atheris]`.

Without more, our own mutators run over seeds that the tests make and over the files of `--corpus`; with `--atheris` (and that
package installed) coverage leads the search in one target. What fails is written to `tests/fuzzing/found/`, named by its
target and hash; once it is understood and cut down by hand, it goes to `tests/fuzzing/regressions/<target>/`.
"""

import argparse
import hashlib
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent / ".dev")]

from mutating import mutated, seeds  # noqa: E402
from targets import TARGETS  # noqa: E402

_FOUND = HERE / "found"
_SLOW = 5.0  # seconds of processor time for one input: a hang in the making


def search(targets: tuple[Callable[[bytes], None], ...], corpus: list[bytes], seconds: float, seed: int) -> int:
    """Give each target its share of the time; return how many inputs failed."""
    rng, failures = random.Random(seed), 0
    for target in targets:
        end, runs = time.monotonic() + seconds / len(targets), 0
        while time.monotonic() < end:
            content = mutated(rng, rng.choice(corpus))
            started = time.process_time()
            try:
                target(content)
            except Exception:
                failures += 1
                _keep(target, content, traceback.format_exc(limit=-3))
            if time.process_time() - started > _SLOW:
                failures += 1
                _keep(target, content, f"took {time.process_time() - started:.1f} seconds")
            runs += 1
        print(f"{target.__name__}: {runs:,} inputs", flush=True)
    return failures


def _keep(target: Callable[[bytes], None], content: bytes, why: str) -> None:
    _FOUND.mkdir(exist_ok=True)
    path = _FOUND / f"{target.__name__}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    print(f"{path.name}: {why}", file=sys.stderr, flush=True)


def _led_by_coverage(target: Callable[[bytes], None], corpus: list[bytes], seconds: float) -> None:
    import atheris

    folder = _FOUND / "corpus" / target.__name__
    folder.mkdir(parents=True, exist_ok=True)
    for content in corpus:
        (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds:.0f}", "-max_len=65536", str(folder)], target)
    atheris.Fuzz()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--target", choices=[target.__name__ for target in TARGETS])
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--atheris", action="store_true")
    given = parser.parse_args()
    targets = tuple(target for target in TARGETS if given.target in (None, target.__name__))
    corpus = list(seeds())
    if given.corpus:
        files = (path for path in sorted(given.corpus.rglob("*")) if path.is_file() and path.stat().st_size < 1 << 20)
        corpus += [path.read_bytes() for path in files]
    if given.atheris:
        _led_by_coverage(targets[0], corpus, given.seconds)
        return
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}, {len(corpus)} files", flush=True)
    sys.exit(bool(search(targets, corpus, given.seconds, seed)))


if __name__ == "__main__":
    main()
