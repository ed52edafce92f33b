"""Splits that keep apart what belongs together: by group always, by generator family in the strict arm.

Rules: a group is never on both sides; in the strict arm no generator family of the measured side is in training; folds are
balanced by class and domain, and depend on the examples alone.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.detectors.training.examples import Example, Label

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


def training_rows(
    examples: Sequence[Example], folds: NDArray[np.int64], fold: int, *, strict: bool
) -> NDArray[np.bool_]:
    """Which examples a model measured on `fold` may be trained on.

    Generators without a name are one another's strangers; where holding out families would leave no generated example,
    only groups are held out.
    """
    held_out = _families(example for example, place in zip(examples, folds, strict=True) if place == fold)
    apart = np.array(
        [place != fold and one.label is not Label.ALTERED for one, place in zip(examples, folds, strict=True)]
    )
    generated = np.array([example.label is Label.GENERATED for example in examples])
    known = np.array([bool(one.generator) and family(one.generator) in held_out for one in examples])
    chosen = apart & ~(generated & known)
    return chosen if strict and (chosen & generated).any() else apart


def rows_beside(others: Sequence[Example], held: Sequence[Example], *, strict: bool) -> NDArray[np.bool_]:
    """Which of `others`, never measured themselves, a model measured on `held` may be trained on."""
    groups = {example.group for example in held}
    families = _families(held) if strict else set()
    return np.array([one.group not in groups and family(one.generator) not in families for one in others], bool)


def _families(examples: Iterable[Example]) -> set[str]:
    return {family(one.generator) for one in examples if one.generator and one.label is not Label.HUMAN}


def _cell(example: Example) -> str:
    return f"{example.label}/{example.domain or ''}"
