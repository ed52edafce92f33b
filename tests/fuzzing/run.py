"""Fuzz for a while: `python tests/fuzzing/run.py --seconds 120 [--target metadata_is_read] [--corpus FOLDER] [--atheris]`.

Without more, our own mutators run over seeds that the tests make and over the files of `--corpus`, each target in a child
process that may die or hang; with `--atheris` (and that package installed) coverage leads the search as well. What fails is
written to `tests/fuzzing/found/`, named by its target and hash; once it is understood and cut down by hand, it goes to
`tests/fuzzing/regressions/<target>/`.
"""

import argparse
import hashlib
import mmap
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent / ".dev")]

# What coverage is to lead must be instrumented while it is imported; the process that starts one for each target leads none.
LED = "--atheris" in sys.argv and "--target" in sys.argv
if LED:
    try:
        import atheris
    except ImportError:
        sys.exit("--atheris needs a package that is not installed: pip install 'assay[fuzz]' (wheels are for Linux)")
    watching = atheris.instrument_imports(include=["assay", "targets", "asking"], enable_loader_override=False)
else:
    watching = nullcontext()
with watching:
    from mutating import mutated, seeds
    from targets import TARGETS

Target = Callable[[bytes], None]
_FOUND = HERE / "found"
_SLOW = 5.0  # seconds of processor time for one input: a hang in the making
_HUNG = 60.0  # seconds without a new input
_MOST = 4 << 20  # bytes of an input


class _Shared:
    """What outlives a child: the input in hand, how many there were, and how many failed."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 24 + _MOST)

    def begin(self, content: bytes) -> None:
        self._memory[24 : 24 + len(content)] = content
        self._memory[:16] = (self.runs + 1).to_bytes(8, "big") + len(content).to_bytes(8, "big")

    def fail(self) -> None:
        self._memory[16:24] = (self.failures + 1).to_bytes(8, "big")

    @property
    def runs(self) -> int:
        return int.from_bytes(self._memory[:8], "big")

    @property
    def failures(self) -> int:
        return int.from_bytes(self._memory[16:24], "big")

    @property
    def content(self) -> bytes:
        return self._memory[24 : 24 + int.from_bytes(self._memory[8:16], "big")]


def search(target: Target, corpus: list[bytes], seconds: float, rng: random.Random) -> int:
    """Search one target for so long, in children that are replaced when they die; return how many inputs failed."""
    shared, end = _Shared(), time.monotonic() + seconds
    while time.monotonic() < end:
        seed = rng.randrange(2**32)
        child = os.fork()
        if child == 0:
            _try(target, corpus, end, random.Random(seed), shared)
            os._exit(0)
        if why := _ended(child, shared):
            shared.fail()
            _keep(target, shared.content, why)
    print(f"{target.__name__}: {shared.runs:,} inputs, {shared.failures} failures", flush=True)
    return shared.failures


def _try(target: Target, corpus: list[bytes], end: float, rng: random.Random, shared: _Shared) -> None:
    while time.monotonic() < end:
        content = mutated(rng, rng.choice(corpus))[:_MOST]
        shared.begin(content)
        started = time.process_time()
        try:
            target(content)
        except Exception:
            shared.fail()
            _keep(target, content, traceback.format_exc(limit=-3))
        if (used := time.process_time() - started) > _SLOW:
            shared.fail()
            _keep(target, content, f"took {used:.1f} seconds")


def _ended(child: int, shared: _Shared) -> str:
    """Wait for a child; say how it died, or nothing where it did not."""
    runs, since = -1, time.monotonic()
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if shared.runs != runs:
            runs, since = shared.runs, time.monotonic()
        if time.monotonic() - since > _HUNG:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"no end within {_HUNG:g} seconds"
        time.sleep(0.05)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return f"the process ended with code {code}" if code else ""


def _keep(target: Target, content: bytes, why: str) -> None:
    _FOUND.mkdir(exist_ok=True)
    path = _FOUND / f"{target.__name__}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    print(f"{path.name}: {why}", file=sys.stderr, flush=True)


def led_by_coverage(target: Target, corpus: list[bytes], seconds: float) -> None:
    """libFuzzer over one target, for so long; never returns. Half of its mutations are our own, which know the formats."""
    folder = _FOUND / "corpus" / target.__name__
    folder.mkdir(parents=True, exist_ok=True)
    for content in corpus:
        (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)

    def mutate(content: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.5:
            return mutated(rng, content)[:most]
        return bytes(atheris.Mutate(content, most))

    options = [
        f"-max_total_time={seconds:.0f}",
        "-max_len=65536",
        "-timeout=60",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
    ]
    atheris.Setup(
        [sys.argv[0], *options, f"-artifact_prefix={_FOUND}/{target.__name__}-", str(folder)],
        target,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="of all targets together")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--target", choices=[target.__name__ for target in TARGETS])
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--atheris", action="store_true", help="led by coverage; one process per target")
    given = parser.parse_args()
    targets = tuple(target for target in TARGETS if given.target in (None, target.__name__))
    if given.atheris and given.target is None:
        each = ["--atheris", "--seconds", str(given.seconds / len(targets))]
        each += ["--corpus", str(given.corpus)] if given.corpus else []
        codes = [
            subprocess.run([sys.executable, __file__, *each, "--target", target.__name__], check=False).returncode
            for target in targets
        ]
        sys.exit(any(codes))
    corpus = list(seeds())
    if given.corpus:
        files = (path for path in sorted(given.corpus.rglob("*")) if path.is_file() and path.stat().st_size < 1 << 20)
        corpus += [path.read_bytes() for path in files]
    if given.atheris:
        led_by_coverage(targets[0], corpus, given.seconds)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}, {len(corpus)} files", flush=True)
    rng = random.Random(seed)
    failures = [search(target, corpus, given.seconds / len(targets), rng) for target in targets]
    sys.exit(bool(sum(failures)))


if __name__ == "__main__":
    main()
