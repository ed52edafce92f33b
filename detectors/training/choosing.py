"""Which pictures a shipped model is fitted on, and which are set aside to be measured alone.

Rules: nothing is fitted on, or calibrated with, that is offered for research or non-commercial use alone, or under the GPL and
its kin: such pictures are looked at to compare, with the finished model; neither side shares a group or a near-duplicate with
the other.
A group of both classes whose terms leave one of them only is set aside whole: portraits by a generator, without the
portraits by people that are aligned like them, would teach that such portraits are generated.
"""

import re
from collections import defaultdict
from collections.abc import Container, Sequence

from assay.detectors.training.examples import Example, Label, spread, without_near_duplicates

_SET_ASIDE = re.compile(r"\bNC\b|non-?commercial|research|nvidia|GPL", re.IGNORECASE)


def may_be_fitted(example: Example) -> bool:
    """Whether a head may learn from it: wholly human-made or generated, and on terms that do not forbid it."""
    return example.label is not Label.ALTERED and not _SET_ASIDE.search(example.licence)


def choose(
    examples: Sequence[Example], *, fitted: int, aside: int, seed: int, kept: Container[str] = ()
) -> tuple[list[Example], list[Example]]:
    """At most so many to fit on, and to set aside; of each group in proportion to the square root of its size.

    Pictures whose sha256 is `kept` are chosen again, on the side where their terms put them, and of groups that are fitted on no
    others: what is encoded stays encoded.
    """
    whole = [example for example in examples if example.label is not Label.ALTERED]
    free = [example for example in whole if may_be_fitted(example)]
    left = _labels(free)
    torn = {group for group, labels in _labels(whole).items() if left[group] and left[group] != labels}
    stay = [one for one in free if one.sha256 in kept and one.group not in torn]
    settled = {one.group for one in stay} | torn
    told = without_near_duplicates([*stay, *(one for one in free if one.group not in settled)])
    first = sorted(spread(told, seed=seed), key=lambda one: one.sha256 not in kept)[:fitted]
    met = {example.group for example in first}
    chosen = {example.sha256 for example in first}
    bound = [one for one in whole if one.group in torn or not (may_be_fitted(one) or one.group in met)]
    told_apart = without_near_duplicates([*first, *bound])
    rest = spread((one for one in told_apart if one.sha256 not in chosen), seed=seed)
    return first, sorted(rest, key=lambda one: one.sha256 not in kept)[:aside]


def _labels(examples: Sequence[Example]) -> dict[str, set[Label]]:
    found: dict[str, set[Label]] = defaultdict(set)
    for example in examples:
        found[example.group].add(example.label)
    return found
