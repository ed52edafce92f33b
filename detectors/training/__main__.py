"""`python -m assay.detectors.training`: make the shipped models from their indexes, step by step, every step cached.

gather    bring the pictures of the indexes from clones and unpacked packages
pairs     reconstruct human-made pictures by an autoencoder: the same picture with and without a decoder's traces
encoder   build a tier's encoder from the published weights
fit       launder, encode, fit, calibrate, measure, and write head and card beside the encoder
"""

import argparse
import sys
from pathlib import Path

from assay.detectors.training.examples import Example, Label, read_index, spread, without_near_duplicates

SEED = 0
RANGES = {  # features that the head reads: blocks 6 and 8 of the deep encoder; every stage of the swift one
    "deep": ((4608, 6144), (7680, 9216)),
    "swift": ((0, 1568),),
}
STRENGTH = {"deep": 0.005, "swift": 0.005}


def main(arguments: list[str] | None = None) -> None:
    """Parse and run one step."""
    parser = argparse.ArgumentParser(prog="python -m assay.detectors.training", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    gather = steps.add_parser("gather", help="bring the pictures of the indexes into one folder, by content")
    pairs = steps.add_parser("pairs", help="human-made pictures and their reconstructions, for training alone")
    encoder = steps.add_parser("encoder", help="build a tier's encoder from the published weights")
    fit = steps.add_parser("fit", help="launder, encode, fit, calibrate and measure")
    for step in (gather, pairs, fit):
        step.add_argument("--index", action="append", required=True, type=Path)
        step.add_argument("--pictures", required=True, type=Path)
    gather.add_argument("places", nargs="+", type=Path, help="clones and unpacked packages")
    pairs.add_argument("clone", type=Path, help="holds taef2_encoder.pth and taef2_decoder.pth (madebyollin/taesd)")
    pairs.add_argument("--output", required=True, type=Path)
    pairs.add_argument("--number", type=int, default=330, help="pictures to start from, spread over groups")
    for step in (encoder, fit):
        step.add_argument("tier", choices=sorted(RANGES))
    encoder.add_argument("--output", required=True, type=Path)
    fit.add_argument("--work", required=True, type=Path, help="where views and features are kept")
    fit.add_argument("--folder", required=True, type=Path, help="holds encoder.onnx; head and card are written here")
    fit.add_argument("--pairs", type=Path, help="a folder that the step `pairs` wrote")
    fit.add_argument("--version", required=True)
    fit.add_argument("--limit", type=int, help="this many pictures, spread over groups")
    given = parser.parse_args(arguments)
    {"gather": _gather, "pairs": _pairs, "encoder": _encoder, "fit": _fit}[given.step](given)


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


def _fit(given: argparse.Namespace) -> None:
    from assay.detectors.training.building import build_model
    from assay.detectors.training.pipeline import examples_with_pictures, extract, originals
    from assay.detectors.training.protocol import Recipe, Sample

    examples, places = examples_with_pictures(given.index, given.pictures)
    chosen = spread(without_near_duplicates([e for e in examples if e.label is not Label.ALTERED]), seed=SEED)

    def extracted(examples: list[Example], places: dict[str, Path]) -> Sample:
        return extract(
            examples,
            places,
            given.folder / "encoder.onnx",
            given.work,
            views="whole",
            seed=SEED,
            progress=lambda line: print(line, file=sys.stderr),
        )

    sample = extracted(chosen[: given.limit], places)
    pairs = extracted(*examples_with_pictures([given.pairs / "pairs.csv"], given.pairs)) if given.pairs else None
    card = build_model(
        sample,
        Recipe(ranges=RANGES[given.tier], strength=STRENGTH[given.tier], pairs=pairs),
        given.folder,
        name=given.tier,
        version=given.version,
        views="whole",
        seed=SEED,
        metadata=originals([places[example.sha256] for example in sample.examples]),
        command="python -m assay.detectors.training " + " ".join(sys.argv[1:]),
    )
    print(card["figures"]["strict"]["arms"]["all"])


if __name__ == "__main__":
    main()
