"""Splits that keep apart what belongs together: by group always, by generator family in the strict arm.

Rules: a group is never on both sides; in the strict arm a head has never met the generator family that it is measured on;
folds are balanced by class and domain, and depend on the examples alone.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.detectors.training.examples import Example, Label

_LEAST = 20  # pictures of a class, without which no head is fitted
_FAMILY = re.compile(
    r"^(sd|stable-diffusion|sdxl|text2video-zero|gpt|gemini|imagen|midjourney|dalle|dall-e|flux|stylegan)"
)
_SAME = {
    "sd": "stable-diffusion",
    "sdxl": "stable-diffusion",
    "text2video-zero": "stable-diffusion",
    "dall-e": "dalle",
    "imagen": "gemini",
}


def family(generator: str) -> str:
    """Generators of one family share architecture or makers: versions of Stable Diffusion, of GPT image models …"""
    found = _FAMILY.match(generator)
    if not found:
        return re.sub(r"-?v?\d+(\.\d+)*.*$", "", generator) or generator
    return _SAME.get(found[1], found[1])


def assign(examples: Sequence[Example], count: int = 6) -> NDArray[np.int64]:
    """The fold of each example, 0 to `count` - 1: largest groups first, each where its classes are rarest so far."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        members[example.group].append(index)
    totals = Counter(_cell(example) for example in examples)
    filled: list[Counter[str]] = [Counter() for _ in range(count)]
    folds = np.zeros(len(examples), np.int64)
    for group in sorted(members, key=lambda group: (-len(members[group]), group)):
        cells = Counter(_cell(examples[index]) for index in members[group])
        load = [sum(n * filled[fold][cell] / totals[cell] for cell, n in cells.items()) for fold in range(count)]
        size = [sum(filled[fold].values()) for fold in range(count)]
        best = min(range(count), key=lambda fold: (round(load[fold], 6), size[fold], fold))
        filled[best].update(cells)
        folds[members[group]] = best
    return folds


def ensure_enough(examples: Sequence[Example], count: int) -> None:
    """Raise `ValueError` where a head that leaves out one of `count` folds would have too few pictures of a class to learn from."""
    groups = len({example.group for example in examples})
    if groups < count:
        raise ValueError(
            f"too few groups, {groups} where it takes {count}: the column `group` says which pictures must stay together, "
            "their folder where it says nothing"
        )
    folds = assign(examples, count)
    for label in (Label.HUMAN, Label.GENERATED):
        here = np.array([example.label is label for example in examples])
        left = min(int((here & (folds != fold)).sum()) for fold in range(count))
        if left < _LEAST:
            raise ValueError(
                f"too few pictures of the label {label}: {int(here.sum())}, of which {left} are left where one of {count} parts "
                f"by the column `group` is held out, and it takes {_LEAST}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """What one head of the protocol may not see, a fold and some generator families, and what it is measured on (n,)."""

    fold: int
    families: frozenset[str]
    measured: NDArray[np.bool_]


def crossings(
    examples: Sequence[Example], folds: NDArray[np.int64], *, strict: bool, least: int = 20
) -> Iterator[Crossing]:
    """The heads that measure every example once.

    Not strict: one for each fold. Strict: one for each fold and each generator family with `least` pictures there, and one for
    the fold's rarer families together. The human-made pictures of a fold are shared out among its heads in proportion to the
    generated ones, by their hash, so that false positives are those of the same heads.
    """
    generated = np.array([example.label is Label.GENERATED for example in examples])
    families = np.array([_known_family(example) for example in examples])
    drawn = np.array([int(example.sha256[:8], 16) / 2**32 for example in examples])
    for fold in np.unique(folds):
        here = folds == fold
        counts = Counter(families[here & generated].tolist())
        common = [name for name, count in counts.items() if strict and name and count >= least]
        parts = [{name} for name in sorted(common)] + [set(counts) - set(common)]
        sizes = [sum(counts[name] for name in part) for part in parts]
        edges = np.cumsum([0, *sizes]) / max(1, sum(sizes))
        edges[-1] = 1.0
        for part, low, high in zip(parts, edges, edges[1:], strict=False):
            made = generated & np.isin(families, sorted(part))
            shared = ~generated & (low <= drawn) & (drawn < high)
            measured = here & (made | shared)
            if measured.any():
                yield Crossing(int(fold), frozenset(part - {""}) if strict else frozenset(), measured)


def training_rows(examples: Sequence[Example], folds: NDArray[np.int64], crossing: Crossing) -> NDArray[np.bool_]:
    """Which examples the head of `crossing` may be trained on.

    Generators without a name are one another's strangers; where holding out families would leave no generated example,
    only groups are held out.
    """
    apart = np.array(
        [place != crossing.fold and one.label is not Label.ALTERED for one, place in zip(examples, folds, strict=True)]
    )
    generated = np.array([example.label is Label.GENERATED for example in examples])
    known = np.isin([_known_family(example) for example in examples], sorted(crossing.families))
    chosen = apart & ~(generated & known)
    return chosen if (chosen & generated).any() else apart


def generators_apart(examples: Sequence[Example], folds: NDArray[np.int64]) -> bool:
    """Whether the strict arm measures each generated picture by a head that never met its generator's family: all of them name
    their generator, and no head had to fall back to holding out groups alone."""
    generated = np.array([example.label is Label.GENERATED for example in examples])
    families = np.array([_known_family(example) for example in examples])
    return bool((families[generated] != "").all()) and not any(
        crossing.families & set(families[generated & training_rows(examples, folds, crossing)].tolist())
        for crossing in crossings(examples, folds, strict=True)
    )


def rows_beside(others: Sequence[Example], held: Sequence[Example], families: Set[str]) -> NDArray[np.bool_]:
    """Which of `others`, never measured themselves, a head measured on `held` without `families` may be trained on."""
    groups = {example.group for example in held}
    return np.array([one.group not in groups and _known_family(one) not in families for one in others], bool)


def _known_family(example: Example) -> str:
    """The family of an example's generator; empty for human-made pictures and where nobody knows."""
    return family(example.generator) if example.generator and example.label is not Label.HUMAN else ""


def _cell(example: Example) -> str:
    return f"{example.label}/{example.domain or ''}"
