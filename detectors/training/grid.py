"""The laundering grid: the same pictures brought to each of its cells, judged by heads that saw neither source nor family.

Rules: the heads are those of the strict arm (`protocol.out_of_fold`), fitted on drawn launderings as ever; only what they are shown
differs from cell to cell, and nothing of a cell is trained on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.detectors import evaluation
from assay.detectors.training.building import FOLDS
from assay.detectors.training.examples import Example, Label
from assay.detectors.training.folds import assign, crossings
from assay.detectors.training.protocol import Recipe, Sample


def gridded(examples: Sequence[Example], number: int) -> list[Example]:
    """`number` human-made and `number` generated examples: those of the lowest sha256, so that more sources change few."""
    ordered = sorted(examples, key=lambda example: example.sha256)
    kinds = ([e for e in ordered if e.label is label][:number] for label in (Label.HUMAN, Label.GENERATED))
    return [example for kind in kinds for example in kind]


def measure(sample: Sample, recipe: Recipe, cells: Mapping[str, Sample]) -> dict[str, Any]:
    """By cell: `evaluation.summary` of the pictures brought to it. `sample` is what the heads are fitted on."""
    folds = assign(sample.examples, FOLDS)
    logits = {name: np.full(len(cell.examples), np.nan) for name, cell in cells.items()}
    for crossing in crossings(sample.examples, folds, strict=True):
        head = recipe.fit_apart(sample, folds, crossing)
        mine = {one.sha256 for one, here in zip(sample.examples, crossing.measured, strict=True) if here}
        for name, cell in cells.items():
            rows = np.array([one.sha256 in mine for one in cell.examples], bool)
            if rows.any():
                logits[name][rows] = head.logit(cell.features[rows])
    found = {}
    for name, cell in cells.items():
        judged = cell.rows(~np.isnan(logits[name]))
        found[name] = evaluation.summary(logits[name][~np.isnan(logits[name])], judged.positive, judged.groups)
    return found
