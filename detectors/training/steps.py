"""The steps of `python -m assay.detectors.training`, each from its parsed arguments; what a step needs is imported when it runs."""

import argparse
import dataclasses
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assay.detectors.card import View
from assay.detectors.training.choosing import may_be_fitted
from assay.detectors.training.examples import Example, Label, read_index, spread, without_near_duplicates

if TYPE_CHECKING:
    from assay.detectors.training.laundering import Cell
    from assay.detectors.training.protocol import Recipe, Sample

SEED = 0
ENCODER = "encoder.onnx"
VIEWS = {"deep": View.BICUBIC, "swift": View.HAMMING}  # swift has no milliseconds to lose
RANGES = {  # features that the head reads: all of them
    "deep": ((0, 3072),),
    "swift": ((0, 1568),),
}
STRENGTH = {"deep": 0.005, "swift": 0.005}


def _bring(given: argparse.Namespace) -> None:
    from assay.detectors.training.bringing import bring

    wanted = present = 0
    for source in bring(read_index(*given.index), given.pictures):
        wanted, present = wanted + source.wanted, present + source.present
        _told(f"{source.source}: {source.present} of {source.wanted}{f' ({source.reason})' if source.reason else ''}")
    print(f"{present} of {wanted} pictures are there")


def _gather(given: argparse.Namespace) -> None:
    from assay.detectors.training.gathering import gather

    examples = read_index(*given.index)
    found = gather([example.sha256 for example in examples], given.places, given.pictures)
    print(f"{len(found)} of {len(examples)} pictures are there")


def _choose(given: argparse.Namespace) -> None:
    from assay.detectors.training.choosing import choose
    from assay.detectors.training.examples import write_index
    from assay.detectors.training.pipeline import examples_with_pictures

    examples, _ = examples_with_pictures(given.index, given.pictures)
    without = {example.group for example in read_index(*given.without)}
    examples = [example for example in examples if example.group not in without]
    kept = {example.sha256 for example in read_index(*given.keep)}
    count, apart = given.number
    fitted, aside = choose(examples, fitted=count, aside=apart, seed=SEED, kept=kept)
    for path, chosen in ((given.fitted, fitted), (given.aside, aside)):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_index(chosen, path)
        print(f"{path}: {len(chosen)} pictures, {len({example.group for example in chosen})} groups")


def _pairs(given: argparse.Namespace) -> None:
    from assay.detectors.training.pairs import AUTOENCODER, CYCLEGAN, UPSCALER, write_pairs
    from assay.detectors.training.pipeline import examples_with_pictures

    if given.network == "autoencoder":
        from assay.detectors.training.tiny_autoencoder import reconstructing

        if given.clone is None:
            raise SystemExit("--network autoencoder needs --clone: the folder that holds its weights")
        network, generator = reconstructing(given.clone), AUTOENCODER
    elif given.network == "cyclegan":
        from assay.detectors.training import cycle_translator

        network, generator = cycle_translator.translating(cycle_translator.published_weights()), CYCLEGAN
    else:
        from assay.detectors.training import upscaler

        network, generator = upscaler.restoring(upscaler.published_weights()), UPSCALER
    examples, places = examples_with_pictures(given.index, given.pictures)
    human = spread(without_near_duplicates([e for e in examples if e.label is Label.HUMAN]), seed=SEED)
    found = write_pairs(human[: given.number], places, given.output, network, generator)
    for count, _ in enumerate(found, 1):
        print(f"{count} pairs", file=sys.stderr)


def _encoder(given: argparse.Namespace) -> None:
    from assay.detectors.training import encoder as deep
    from assay.detectors.training import lite_encoder as swift

    if given.tier == "deep":
        deep.build(deep.published_weights(), given.output, (6, 8))
    else:
        swift.build(swift.published_weights(), given.output)


def _face_finder(given: argparse.Namespace) -> None:
    from assay.detectors.training import face_finder

    face_finder.build(face_finder.published_weights(), given.folder)


def _fit(given: argparse.Namespace) -> None:
    from assay.detectors.training.building import build_model
    from assay.detectors.training.pipeline import examples_with_pictures, originals

    chosen, places = _chosen(given)
    sample = _sample(given, chosen, places)
    pairs = None
    if given.pairs:
        twins = examples_with_pictures([given.pairs / "pairs.csv"], given.pairs)
        pairs = _extracted(given.folder / ENCODER, given.work, VIEWS[given.tier], *twins)
    aside = None
    if given.aside:
        apart = examples_with_pictures([given.aside], given.pictures)
        aside = _extracted(given.folder / ENCODER, given.work, VIEWS[given.tier], *apart)
    card = build_model(
        sample,
        _recipe(given, pairs),
        given.folder,
        name=given.tier,
        version=given.version,
        view=VIEWS[given.tier],
        seed=SEED,
        aside=aside,
        metadata=originals([places[example.sha256] for example in sample.examples]),
        command=_command(),
    )
    print(card["figures"]["strict"]["arms"]["all"])


def _faces(given: argparse.Namespace) -> None:
    from assay.detectors.faces import LEAST, NETWORKS
    from assay.detectors.training.building import Measured, build_model
    from assay.detectors.training.facing import extract_faces
    from assay.detectors.training.pipeline import examples_with_pictures, originals
    from assay.detectors.training.protocol import Recipe, Sample
    from assay.detectors.training.swaps import measure_swaps, pictures_flagged

    found, places = examples_with_pictures(given.index, given.pictures)
    encoder = "../deep/encoder.onnx"

    def extracted(examples: list[Example]) -> Sample:
        return extract_faces(
            examples,
            places,
            given.folder / encoder,
            given.folder,
            given.work,
            view=VIEWS["deep"],
            seed=SEED,
            progress=_told,
        )

    beside = None
    if given.beside:
        whole, there = examples_with_pictures(given.beside, given.pictures)
        whole = spread([example for example in whole if may_be_fitted(example)], seed=SEED)[: given.number]
        beside = _extracted(given.folder / encoder, given.work, VIEWS["deep"], whole, there)
    recipe = Recipe(ranges=RANGES["deep"], strength=STRENGTH["deep"], beside=beside)
    free = [example for example in found if may_be_fitted(example)]
    sample = extracted(spread(without_near_duplicates(free), seed=SEED)[: given.limit])
    swaps = extracted([example for example in found if example.label is Label.ALTERED])
    bound = [example for example in found if example.label is Label.HUMAN and not may_be_fitted(example)]
    untouched = extracted(bound) if bound else None

    def more(measured: Measured) -> dict[str, object]:
        return {"pictures": pictures_flagged(measured), "swaps": measure_swaps(measured, recipe, swaps, untouched)}

    card = build_model(
        sample,
        recipe,
        given.folder,
        name="faces",
        version=given.version,
        view=VIEWS["deep"],
        encoder=encoder,
        files=NETWORKS,
        least_side=LEAST,
        seed=SEED,
        last="Swapped faces were not trained on; faces that were repaired or retouched by a network were not measured.",
        more=more,
        metadata=originals([places[example.sha256] for example in sample.examples]),
        command=_command(),
    )
    print(card["figures"]["strict"]["arms"]["all"], card["figures"]["swaps"])


def _grid(given: argparse.Namespace) -> None:
    import json

    from assay.detectors.card import read_card
    from assay.detectors.training.grid import gridded, measure
    from assay.detectors.training.laundering import GRID

    chosen, places = _chosen(given)
    sample = _sample(given, chosen, places)
    some = gridded(sample.examples, given.number)
    view = VIEWS[given.tier]
    cells = {cell.name: _extracted(given.folder / ENCODER, given.work, view, some, places, cell=cell) for cell in GRID}
    found = measure(sample, _recipe(given), cells)
    document = {"version": read_card(given.folder).version, "command": _command(), "cells": found}
    (given.folder / "laundering.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


def _chosen(given: argparse.Namespace) -> "tuple[list[Example], dict[str, Path]]":
    from assay.detectors.training.pipeline import examples_with_pictures

    examples, places = examples_with_pictures(given.index, given.pictures)
    trained = without_near_duplicates([example for example in examples if may_be_fitted(example)])
    return spread(trained, seed=SEED)[: given.limit], places


def _recipe(given: argparse.Namespace, beside: "Sample | None" = None) -> "Recipe":
    from assay.detectors.training.protocol import Recipe

    if given.teacher and beside:
        raise SystemExit("--teacher and --pairs do not go together")
    teacher = Recipe(ranges=RANGES["deep"], strength=STRENGTH["deep"]) if given.teacher else None
    return Recipe(ranges=RANGES[given.tier], strength=STRENGTH[given.tier], beside=beside, teacher=teacher)


def _sample(given: argparse.Namespace, examples: list[Example], places: dict[str, Path]) -> "Sample":
    """What the head is fitted on, with the teacher's features where there is one."""
    sample = _extracted(given.folder / ENCODER, given.work, VIEWS[given.tier], examples, places)
    if not given.teacher:
        return sample
    stronger = _extracted(given.teacher / ENCODER, given.work, VIEWS["deep"], examples, places)
    return dataclasses.replace(sample, stronger=stronger.features)


def _extracted(
    encoder: Path,
    work: Path,
    view: View,
    examples: list[Example],
    places: dict[str, Path],
    *,
    cell: "Cell | None" = None,
) -> "Sample":
    from assay.detectors.training.pipeline import extract

    return extract(examples, places, encoder, work, view=view, seed=SEED, cell=cell, progress=_told)


def _told(line: str) -> None:
    print(line, file=sys.stderr)


def _command() -> str:
    """What was typed, without the places of this machine: `--work WORK`."""
    told = [
        before.removeprefix("--").upper() if Path(word).is_absolute() else word
        for before, word in itertools.pairwise(sys.argv)
    ]
    return "python -m assay.detectors.training " + " ".join(told)


STEPS = {
    "bring": _bring,
    "gather": _gather,
    "choose": _choose,
    "pairs": _pairs,
    "encoder": _encoder,
    "face-finder": _face_finder,
    "fit": _fit,
    "faces": _faces,
    "grid": _grid,
}
