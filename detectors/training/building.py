"""From cached features to a model folder: head, calibration, operating points, figures, card."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.detectors.card import FITTED, FITTED_DIGITS, SCHEMA, View, read_card
from assay.detectors.training.examples import Example, Label
from assay.detectors.training.folds import assign, generators_apart
from assay.detectors.training.head import DOMAINS, write_head
from assay.detectors.training.protocol import (
    Judged,
    Recipe,
    Sample,
    Scores,
    judge,
    judge_by,
    operating_points,
    out_of_fold,
    score,
)
from assay.detectors.training.reporting import WHOLE, controls, failures, failures_aside, figures

FOLDS = 6
_NOVELTY_SHARE = 0.995  # of human-made pictures, out of fold, stay below the novelty limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a model's own figures may be computed from: answers of the strict arm, scores with generators known."""

    sample: Sample
    folds: NDArray[np.int64]
    strict: Judged
    known: Scores
    card: Mapping[str, Any]


More = Callable[[Measured], dict[str, Any]]


def build_model(
    sample: Sample,
    recipe: Recipe,
    folder: Path,
    *,
    name: str,
    version: str,
    seed: int,
    command: str,
    view: View,
    encoder: str = "encoder.onnx",
    files: Sequence[str] = (),
    least_side: int = 128,
    notes: Sequence[str] = (),
    last: str = WHOLE,
    more: More | None = None,
    aside: Sample | None = None,
    metadata: "np.ndarray[Any, np.dtype[np.float64]] | None" = None,
) -> dict[str, Any]:
    """Write `head.onnx`, `fitted.txt` and `card.json` into `folder`, where the encoder stands under the name `encoder`
    (another model's: "../deep/encoder.onnx") and what else the model needs under the names `files`; returns the card.

    `last` is a failure that is known without measuring; `more` measures what only this model has, after everything else; the
    finished model is measured on the pictures set `aside`, of which it has met neither group nor calibration.
    """
    folds = assign(sample.examples, FOLDS)
    strict = out_of_fold(sample, folds, recipe, strict=True)
    known = out_of_fold(sample, folds, recipe, strict=False)
    judged, judged_known = judge(sample, strict, folds), judge(sample, known, folds)
    calibration, points, conformal = operating_points(sample, strict, judged)
    found = figures(sample, strict, judged)
    head = recipe.fit(sample)
    write_head(head, sample.features.shape[1], folder / "head.onnx")
    card: dict[str, Any] = {
        "schema": SCHEMA,
        "name": name,
        "version": version,
        "views": view.value,
        "encoder": encoder,
        "failures": [*notes, *failures(found, generators_unseen=generators_apart(sample.examples, folds), last=last)],
        "files": {file: _sha256(folder / file) for file in (encoder, "head.onnx", *files)},
        "columns": [list(run) for run in recipe.ranges],
        "domains": [domain.value for domain in DOMAINS],
        "limits": {
            "least_side": least_side,
            "novelty": round(float(np.quantile(strict.novelty[~sample.positive], _NOVELTY_SHARE)), 3),
        },
        "calibration": calibration,
        "points": points,
        "conformal": conformal,
        "figures": {
            "strict": found,
            "generators_known": {"arms": figures(sample, known, judged_known)["arms"]},
            "controls": controls(sample, folds, recipe, metadata=metadata, seed=seed),
        },
        "training": {
            "command": command,
            "seed": seed,
            "folds": FOLDS,
            "strength": recipe.strength,
            "taught": recipe.teacher is not None,
            "pictures": _counts(sample.examples),
            "beside": len(recipe.beside.examples) if recipe.beside else 0,
            "terms": _terms(sample.examples),
        },
    }
    if more is not None:
        card["figures"] |= more(Measured(sample=sample, folds=folds, strict=judged, known=known, card=card))
    seen = [*sample.examples, *(recipe.beside.examples if recipe.beside else ())]
    fitted = sorted({example.sha256[:FITTED_DIGITS] for example in seen})
    (folder / FITTED).write_text("\n".join(fitted) + "\n", encoding="ascii")
    _write_card(card, folder)
    if aside is not None:
        scores = score(head, aside)
        apart = figures(aside, scores, judge_by(read_card(folder), aside, scores))
        card["figures"]["aside"] = apart
        card["failures"] += failures_aside(apart)
        _write_card(card, folder)
    return card


def _write_card(card: dict[str, Any], folder: Path) -> None:
    partial = folder / "card.json.partial"
    partial.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(folder / "card.json")


def _counts(examples: Sequence[Example]) -> dict[str, Any]:
    def count(label: Label) -> int:
        return len({example.sha256 for example in examples if example.label is label})

    return {
        "human": count(Label.HUMAN),
        "generated": count(Label.GENERATED),
        "views": len(examples),
        "groups": len({example.group for example in examples}),
        "generators": len({example.generator for example in examples if example.label is Label.GENERATED}),
    }


def _terms(examples: Sequence[Example]) -> dict[str, int]:
    terms: dict[str, int] = {}
    for example in examples:
        terms[example.licence or "not stated"] = terms.get(example.licence or "not stated", 0) + 1
    return dict(sorted(terms.items(), key=lambda entry: (-entry[1], entry[0])))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
