"""The figures of a card, computed from cross-fitted answers: what fails first, then averages, then controls."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from assay.detectors import evaluation
from assay.detectors.calibration import Point, PredictionSet, rate
from assay.detectors.evaluation import Flags
from assay.detectors.training.examples import Example, Label
from assay.detectors.training.head import DOMAINS
from assay.detectors.training.protocol import ALPHA, Doubles, Judged, Recipe, Sample, Scores, out_of_fold

RECENT = (  # families first released in 2024 or later
    "gpt",
    "gemini",
    "flux",
    "grok",
    "qwen",
    "seedream",
    "z-image",
    "hidream",
    "krea",
    "ideogram",
    "recraft",
    "imagen",
    "sana",
    "omnigen",
    "wan",
    "hunyuan-image",
    "cogview",
    "lumina",
    "longcat",
    "ovis",
    "ernie",
    "chroma",
    "step1x",
    "glm",
    "sd3",
    "stable-diffusion-3",
    "kolors",
    "auraflow",
    "misc-open-dit",
    "boogu",
    "anima",
    "cosmos",
    "microsoft-lens",
    "bria",
    "kandinsky-5",
)


def is_recent(example: Example) -> bool:
    """Made by a generator of 2024 or later."""
    return example.label is Label.GENERATED and example.generator.startswith(RECENT)


def figures(sample: Sample, scores: Scores, judged: Judged) -> dict[str, Any]:
    """Everything but the controls, as JSON."""
    positive, groups = sample.positive, sample.groups
    recent = np.array([is_recent(example) for example in sample.examples])
    photograph = scores.domains == 0
    arms = {
        "all": np.ones(len(positive), bool),
        "recent generators": ~positive | recent,
        "photographs": photograph,
        "photographs, recent generators": photograph & (~positive | recent),
        "illustration": scores.domains == 1,
        "graphic": scores.domains == 2,
    }
    return {
        "worst_sources": _worst_sources(judged, positive, groups),
        "recall_by_generator": _recall(sample, judged),
        "arms": {
            name: evaluation.summary(
                judged.raw[rows], positive[rows], [g for g, r in zip(groups, rows, strict=True) if r]
            )
            for name, rows in arms.items()
            if 0 < positive[rows].sum() < rows.sum()  # an arm without one of the classes has no figures
        },
        "points": {
            point.value: {
                "false_positive": _rate(judged.passed[point][~positive]),
                "true_positive": _rate(judged.passed[point][positive]),
                "balanced_accuracy": round(
                    float(judged.passed[point][positive].mean() + (~judged.passed[point][~positive]).mean()) / 2, 3
                ),
            }
            for point in Point
        },
        "calibration": {
            "ece": round(evaluation.ece(judged.llr, positive), 3),
            "cllr": round(evaluation.cllr(judged.llr, positive), 3),
            "min_cllr": round(evaluation.min_cllr(judged.llr, positive), 3),
            "reliability": [
                [round(a, 3), round(b, 3), int(n)] for a, b, n in evaluation.reliability(judged.llr, positive)
            ],
        },
        "conformal": _conformal(judged, positive, scores.domains),
        "domain_agreement": _domain_agreement(sample, scores),
    }


WHOLE = "Altered regions, face swaps and edits were not trained on; a whole-picture answer misses most of them."


def failures(found: dict[str, Any], *, generators_unseen: bool, last: str = WHOLE) -> list[str]:
    """What fails, in sentences with their figures: `found` is what `figures` gave for the strict arm, `generators_unseen` whether
    that arm could hold generators out, `last` what is known without it."""
    balanced = found["points"]["balanced"]
    unseen = "sources and generators pass" if generators_unseen else "sources, but not of unseen generators, pass"
    sentences = [
        f"At the balanced point {balanced['true_positive'][1] - balanced['true_positive'][0]} of "
        f"{balanced['true_positive'][1]} generated pictures of unseen {unseen} unflagged."
    ]
    if missed := _missed(found):
        untrained = ", when not trained on," if generators_unseen else ""
        sentences.append(f"Nearly blind{untrained} to (flagged/pictures): {', '.join(missed)}.")
    flagged = [
        f"{name} {hits}/{trials}" for name, (hits, trials) in found["worst_sources"]["sensitive"].items() if hits
    ]
    if flagged:
        sentences.append(f"Human-made sources flagged most at the sensitive point: {', '.join(flagged)}.")
    for name in ("illustration", "graphic"):
        human = found["arms"][name]["human"] if name in found["arms"] else 0
        sentences.append(
            f"In the domain {name} only {human} human-made pictures were measured; rates there are uncertain."
        )
    sentences.append(last)
    return sentences


def failures_aside(found: dict[str, Any]) -> list[str]:
    """What fails where the finished model was measured on pictures whose terms keep them from being trained on."""
    balanced = found["points"]["balanced"]
    (flagged, human, *_), (seen, generated, *_) = balanced["false_positive"], balanced["true_positive"]
    worst = [f"{name} {hits}/{trials}" for name, (hits, trials) in found["worst_sources"]["balanced"].items() if hits]
    return [
        f"Of the pictures whose terms kept them from training, {flagged} of {human} human-made ones are flagged at the balanced "
        f"point{_listed(worst)}, and {seen} of {generated} generated ones{_listed(_missed(found))}."
    ]


def _missed(found: dict[str, Any]) -> list[str]:
    """Generators with a name of which less than a fifth is flagged, and how many pictures of each."""
    return [
        f"{name} {counts['balanced'][0]}/{counts['balanced'][1]}"
        for name, counts in found["recall_by_generator"].items()
        if name and counts["balanced"][1] >= 10 and counts["balanced"][0] < 0.2 * counts["balanced"][1]
    ]


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def controls(
    sample: Sample, folds: NDArray[np.int64], recipe: Recipe, *, metadata: NDArray[np.float64] | None, seed: int
) -> dict[str, Any]:
    """Three probes that must stay near chance: label shuffle by group, quality alone, and (where known) the originals'
    width, height, bytes and format; and one that shows how much of a source is visible: human-made against human-made."""
    positive = sample.positive
    recipe = replace(recipe, beside=None)  # their labels are true, whatever the control's are
    random = np.random.default_rng(seed)
    cells = sorted({(example.group, example.label) for example in sample.examples})
    drawn = dict(zip(cells, random.permutation(len(cells)) < len(cells) / 2, strict=True))
    shuffled = _with_labels(sample, np.array([drawn[example.group, example.label] for example in sample.examples]))
    found = {
        "labels_shuffled_auc": _auc(out_of_fold(shuffled, folds, recipe, strict=False).logits, shuffled.positive),
        "laundered_quality_only_auc": _auc(boosted(sample.covariates, positive, folds), positive),
        "human_sources_apart_auc": _sources_apart(sample, recipe, random),
    }
    if metadata is not None:
        found["originals_metadata_only_auc"] = _auc(boosted(metadata, positive, folds), positive)
    return found


def _auc(scores: Doubles, positive: Flags) -> float:
    return round(evaluation.auc(scores, positive), 3)


def boosted(table: NDArray[Any], positive: Flags, folds: NDArray[np.int64]) -> Doubles:
    """Out-of-fold scores (n,) of boosted trees on a few plain columns: how much these alone would tell."""
    scores = np.zeros(len(positive))
    for fold in np.unique(folds):
        model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
        model.fit(table[folds != fold], positive[folds != fold])
        scores[folds == fold] = model.predict_proba(table[folds == fold])[:, 1]
    return scores


def _sources_apart(sample: Sample, recipe: Recipe, random: np.random.Generator) -> float:
    """Two halves of the human-made groups told apart within themselves (random split of pictures): the source floor."""
    human = sample.rows(~sample.positive)
    names = sorted(set(human.groups))
    half = set(random.permutation(names)[: len(names) // 2])
    labelled = _with_labels(human, np.array([group in half for group in human.groups]))
    folds = random.integers(0, 3, len(human.examples))
    return _auc(out_of_fold(labelled, folds, recipe, strict=False).logits, labelled.positive)


def _with_labels(sample: Sample, positive: Flags) -> Sample:
    relabelled = tuple(
        Example(
            sha256=example.sha256,
            label=Label.GENERATED if flag else Label.HUMAN,
            generator="",
            source=example.source,
            group=example.group,
            domain=example.domain,
            licence=example.licence,
        )
        for example, flag in zip(sample.examples, positive, strict=True)
    )
    return replace(sample, examples=relabelled)


def _worst_sources(judged: Judged, positive: Flags, groups: Sequence[str]) -> dict[str, Any]:
    human = [group for group, flag in zip(groups, positive, strict=True) if not flag]
    found: dict[str, Any] = {}
    for point in Point:
        counts = evaluation.by_group(judged.passed[point][~positive], human, least=30)
        found[point.value] = {name: list(count) for name, count in list(counts.items())[:6]}
    return found


def _recall(sample: Sample, judged: Judged) -> dict[str, Any]:
    positive = sample.positive
    names = [example.generator for example in sample.examples if example.label is Label.GENERATED]
    tables = {
        point: evaluation.by_group(judged.passed[point][positive], names, least=5)
        for point in (Point.BALANCED, Point.SENSITIVE)
    }
    order = sorted(
        tables[Point.BALANCED], key=lambda name: tables[Point.BALANCED][name][0] / tables[Point.BALANCED][name][1]
    )
    return {name: {point.value: list(table[name]) for point, table in tables.items()} for name in order}


def _domain_agreement(sample: Sample, scores: Scores) -> dict[str, Any]:
    known = [
        (DOMAINS.index(e.domain), int(d)) for e, d in zip(sample.examples, scores.domains, strict=True) if e.domain
    ]
    return {
        domain.value: [sum(int(a == b) for a, b in known if a == index), sum(int(a == index) for a, _ in known)]
        for index, domain in enumerate(DOMAINS)
    }


def _conformal(judged: Judged, positive: Flags, domains: NDArray[np.int64]) -> dict[str, Any]:
    """By domain and class: pictures, those whose set holds their class, those with both classes (inconclusive) and with none."""

    def counted(sets: NDArray[np.str_], own: PredictionSet) -> dict[str, int]:
        both, neither = (int((sets == kind).sum()) for kind in (PredictionSet.BOTH, PredictionSet.NEITHER))
        covered = int((sets == own).sum()) + both
        return {"pictures": len(sets), "covered": covered, "both": both, "neither": neither}

    return {
        "alpha": ALPHA,
        "domains": {
            domain.value: {
                "human": counted(judged.sets[(domains == index) & ~positive], PredictionSet.HUMAN),
                "generated": counted(judged.sets[(domains == index) & positive], PredictionSet.GENERATED),
            }
            for index, domain in enumerate(DOMAINS)
        },
    }


def _rate(flags: Flags) -> list[float]:
    found = rate(int(flags.sum()), len(flags))
    return [found.hits, found.trials, round(found.low, 5), round(found.high, 5)]
