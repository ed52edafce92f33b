"""Which pictures a shipped model is fitted on, and which are set aside to be measured alone.

Rules: nothing is fitted on, or calibrated with, that is offered for research or non-commercial use alone, or under the GPL and its kin:
such pictures are looked at to compare, with the finished model; neither side shares a group or a near-duplicate with the other.
"""

import re
from collections.abc import Sequence

from assay.detectors.training.examples import Example, Label, spread, without_near_duplicates

_SET_ASIDE = re.compile(r"\bNC\b|non-?commercial|research|nvidia|GPL", re.IGNORECASE)


def may_be_fitted(example: Example) -> bool:
    """Whether a head may learn from it: wholly human-made or generated, and on terms that do not forbid it."""
    return example.label is not Label.ALTERED and not _SET_ASIDE.search(example.licence)


def choose(examples: Sequence[Example], *, fitted: int, aside: int, seed: int) -> tuple[list[Example], list[Example]]:
    """At most so many to fit on, and to set aside; of each group in proportion to the square root of its size."""
    free = [example for example in examples if may_be_fitted(example)]
    first = spread(without_near_duplicates(free), seed=seed)[:fitted]
    met = {example.group for example in first}
    others = [e for e in examples if not may_be_fitted(e) and e.label is not Label.ALTERED and e.group not in met]
    told_apart = [example for example in without_near_duplicates([*first, *others]) if not may_be_fitted(example)]
    return first, spread(told_apart, seed=seed)[:aside]
