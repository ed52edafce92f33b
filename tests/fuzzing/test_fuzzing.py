"""A little of every fuzzer on every run, and everything that was ever found."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from mutating import HOSTILE, mutated, seeds  # noqa: E402
from targets import TARGETS  # noqa: E402

FOUND = sorted(path for path in (HERE / "regressions").rglob("*") if path.is_file() and path.suffix != ".md")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_mutants_of_our_own_files(target: Callable[[bytes], None]) -> None:
    rng = random.Random(target.__name__)
    for seed in seeds():
        target(seed)
    for _ in range(60):
        target(mutated(rng, rng.choice(seeds())))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_hostile_strings_and_nothing_at_all(target: Callable[[bytes], None]) -> None:
    for content in (b"", *HOSTILE, bytes(1_000), b"\xff" * 1_000):
        target(content)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once(path: Path) -> None:
    target = next(target for target in TARGETS if target.__name__ == path.parent.name)
    target(path.read_bytes())
