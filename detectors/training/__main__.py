"""`python -m assay.detectors.training`: make the shipped models from their indexes, step by step, every step cached.

bring     fetch the sources of the indexes from their public places, one after the other, and keep the pictures that are named
gather    the same from clones and unpacked packages that are at hand
pairs     reconstruct human-made pictures by an autoencoder: the same picture with and without a decoder's traces
encoder   build a tier's encoder from the published weights
face-finder  build the networks that find faces from the published weights
fit       launder, encode, fit, calibrate, measure, and write head and card beside the encoder
faces     launder, find faces, encode them, fit, calibrate and measure a head for faces, and swaps apart
grid      bring some of these pictures to every cell of the laundering grid and measure there; writes laundering.json beside the card
"""

import argparse
import dataclasses
import functools
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assay.detectors.training.examples import Example, Label, read_index, spread, without_near_duplicates

if TYPE_CHECKING:
    from assay.detectors.training.laundering import Cell
    from assay.detectors.training.protocol import Recipe, Sample

SEED = 0
ENCODER = "encoder.onnx"
RANGES = {  # features that the head reads: blocks 6 and 8 of the deep encoder; every stage of the swift one
    "deep": ((4608, 6144), (7680, 9216)),
    "swift": ((0, 1568),),
}
STRENGTH = {"deep": 0.005, "swift": 0.005}


def main(arguments: list[str] | None = None) -> None:
    """Parse and run one step."""
    parser = argparse.ArgumentParser(prog="python -m assay.detectors.training", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    bring = steps.add_parser("bring", help="fetch the pictures of the indexes into one folder, by content")
    gather = steps.add_parser("gather", help="the same from clones and unpacked packages at hand")
    pairs = steps.add_parser("pairs", help="human-made pictures and their reconstructions, for training alone")
    encoder = steps.add_parser("encoder", help="build a tier's encoder from the published weights")
    finder = steps.add_parser("face-finder", help="build the networks that find faces from the published weights")
    finder.add_argument("--folder", required=True, type=Path)
    fit = steps.add_parser("fit", help="launder, encode, fit, calibrate and measure")
    faces = steps.add_parser("faces", help="the same for the faces in pictures")
    grid = steps.add_parser("grid", help="measure at every cell of the laundering grid")
    for step in (bring, gather, pairs, fit, faces, grid):
        step.add_argument("--index", action="append", required=True, type=Path)
        step.add_argument("--pictures", required=True, type=Path)
    gather.add_argument("places", nargs="+", type=Path, help="clones and unpacked packages")
    pairs.add_argument("clone", type=Path, help="holds taef2_encoder.pth and taef2_decoder.pth (madebyollin/taesd)")
    pairs.add_argument("--output", required=True, type=Path)
    pairs.add_argument("--number", type=int, default=330, help="pictures to start from, spread over groups")
    for step in (encoder, fit, grid):
        step.add_argument("tier", choices=sorted(RANGES))
    encoder.add_argument("--output", required=True, type=Path)
    for step in (fit, faces, grid):
        step.add_argument("--work", required=True, type=Path, help="where views and features are kept")
        step.add_argument(
            "--folder", required=True, type=Path, help="holds encoder.onnx; what is found is written here"
        )
        step.add_argument("--limit", type=int, help="this many pictures, spread over groups")
    for step in (fit, grid):
        step.add_argument(
            "--teacher", type=Path, help="the deep model's folder: the head learns what that one would say"
        )
        step.add_argument(
            "--draws", type=int, default=1, help="launderings of every picture to train on; the first is measured"
        )
    grid.add_argument("--number", type=int, default=160, help="pictures of each class to bring to every cell")
    fit.add_argument("--pairs", type=Path, help="a folder that the step `pairs` wrote")
    faces.add_argument(
        "--beside",
        action="append",
        default=[],
        type=Path,
        help="an index of whole pictures that are trained on as well",
    )
    faces.add_argument("--number", type=int, default=1500, help="whole pictures beside, spread over groups")
    for step in (fit, faces):
        step.add_argument("--version", required=True)
    given = parser.parse_args(arguments)
    doing = {
        "bring": _bring,
        "gather": _gather,
        "pairs": _pairs,
        "encoder": _encoder,
        "face-finder": _face_finder,
        "fit": _fit,
        "faces": _faces,
        "grid": _grid,
    }
    doing[given.step](given)


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


def _pairs(given: argparse.Namespace) -> None:
    from assay.detectors.training.pairs import write_pairs
    from assay.detectors.training.pipeline import examples_with_pictures
    from assay.detectors.training.tiny_autoencoder import reconstructing

    examples, places = examples_with_pictures(given.index, given.pictures)
    human = spread(without_near_duplicates([e for e in examples if e.label is Label.HUMAN]), seed=SEED)
    for count, _ in enumerate(write_pairs(human[: given.number], places, given.output, reconstructing(given.clone)), 1):
        print(f"{count} pairs", file=sys.stderr)


def _encoder(given: argparse.Namespace) -> None:
    from assay.detectors.training import encoder as deep
    from assay.detectors.training import lite_encoder as swift

    if given.tier == "deep":
        deep.build(deep.published_weights(), given.output, (3, 4, 5, 6, 7, 8))
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
    beside = _further_draws(given, chosen, places)
    if given.pairs:
        twins = examples_with_pictures([given.pairs / "pairs.csv"], given.pairs)
        pairs = _extracted(given.folder / ENCODER, given.work, *twins)
        beside = pairs if beside is None else beside.joined(pairs)
    card = build_model(
        sample,
        _recipe(given, beside),
        given.folder,
        name=given.tier,
        version=given.version,
        views="whole",
        seed=SEED,
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
            examples, places, given.folder / encoder, given.folder, given.work, seed=SEED, progress=_told
        )

    beside = None
    if given.beside:
        whole, there = examples_with_pictures(given.beside, given.pictures)
        beside = _extracted(given.folder / encoder, given.work, spread(whole, seed=SEED)[: given.number], there)
    recipe = Recipe(ranges=RANGES["deep"], strength=STRENGTH["deep"], beside=beside)
    unaltered = [example for example in found if example.label is not Label.ALTERED]
    sample = extracted(spread(without_near_duplicates(unaltered), seed=SEED)[: given.limit])
    swaps = extracted([example for example in found if example.label is Label.ALTERED])

    def more(measured: Measured) -> dict[str, object]:
        return {"pictures": pictures_flagged(measured), "swaps": measure_swaps(measured, recipe, swaps)}

    card = build_model(
        sample,
        recipe,
        given.folder,
        name="faces",
        version=given.version,
        views="whole",
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
    cells = {cell.name: _extracted(given.folder / ENCODER, given.work, some, places, cell=cell) for cell in GRID}
    found = measure(sample, _recipe(given, _further_draws(given, chosen, places)), cells)
    document = {"version": read_card(given.folder).version, "command": _command(), "cells": found}
    (given.folder / "laundering.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


def _chosen(given: argparse.Namespace) -> "tuple[list[Example], dict[str, Path]]":
    from assay.detectors.training.pipeline import examples_with_pictures

    examples, places = examples_with_pictures(given.index, given.pictures)
    trained = without_near_duplicates([example for example in examples if example.label is not Label.ALTERED])
    return spread(trained, seed=SEED)[: given.limit], places


def _recipe(given: argparse.Namespace, beside: "Sample | None" = None) -> "Recipe":
    from assay.detectors.training.protocol import Recipe

    if given.teacher and beside and beside.stronger is None:
        raise SystemExit("--teacher and --pairs do not go together")
    teacher = Recipe(ranges=RANGES["deep"], strength=STRENGTH["deep"]) if given.teacher else None
    return Recipe(ranges=RANGES[given.tier], strength=STRENGTH[given.tier], beside=beside, teacher=teacher)


def _sample(given: argparse.Namespace, examples: list[Example], places: dict[str, Path], seed: int = SEED) -> "Sample":
    """What the head is fitted on, with the teacher's features where there is one."""
    sample = _extracted(given.folder / ENCODER, given.work, examples, places, seed=seed)
    if not given.teacher:
        return sample
    stronger = _extracted(given.teacher / ENCODER, given.work, examples, places, seed=seed)
    return dataclasses.replace(sample, stronger=stronger.features)


def _further_draws(given: argparse.Namespace, examples: list[Example], places: dict[str, Path]) -> "Sample | None":
    """The same pictures, laundered anew."""
    draws = [_sample(given, examples, places, seed=SEED + draw) for draw in range(1, given.draws)]
    return functools.reduce(lambda joined, draw: joined.joined(draw), draws) if draws else None


def _extracted(
    encoder: Path,
    work: Path,
    examples: list[Example],
    places: dict[str, Path],
    *,
    cell: "Cell | None" = None,
    seed: int = SEED,
) -> "Sample":
    from assay.detectors.training.pipeline import extract

    return extract(examples, places, encoder, work, views="whole", seed=seed, cell=cell, progress=_told)


def _told(line: str) -> None:
    print(line, file=sys.stderr)


def _command() -> str:
    """What was typed, without the places of this machine: `--work WORK`."""
    told = [
        before.removeprefix("--").upper() if Path(word).is_absolute() else word
        for before, word in itertools.pairwise(sys.argv)
    ]
    return "python -m assay.detectors.training " + " ".join(told)


if __name__ == "__main__":
    main()
