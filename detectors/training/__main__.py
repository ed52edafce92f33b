"""`python -m assay.detectors.training`: make the shipped models from their indexes, step by step, every step cached.

bring     fetch the sources of the indexes from their public places, one after the other, and keep the pictures that are named
gather    the same from clones and unpacked packages that are at hand
pairs     human-made pictures through an autoencoder, a CycleGAN or an upscaler: the same picture with and without a network's traces
choose    of the pictures of the indexes at hand, those to fit on and those that their terms set aside; writes both indexes
encoder   build a tier's encoder from the published weights
face-finder  build the networks that find faces from the published weights
fit       launder, encode, fit, calibrate, measure, and write head and card beside the encoder
faces     launder, find faces, encode them, fit, calibrate and measure a head for faces, and swaps apart
grid      bring some of these pictures to every cell of the laundering grid and measure there; writes laundering.json beside the card
"""

import argparse
from pathlib import Path

from assay.detectors.training.steps import RANGES, STEPS


def main(arguments: list[str] | None = None) -> None:
    """Parse and run one step."""
    parser = argparse.ArgumentParser(prog="python -m assay.detectors.training", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    bring = steps.add_parser("bring", help="fetch the pictures of the indexes into one folder, by content")
    gather = steps.add_parser("gather", help="the same from clones and unpacked packages at hand")
    choose = steps.add_parser("choose", help="which pictures to fit on, and which their terms set aside")
    pairs = steps.add_parser("pairs", help="human-made pictures and their reconstructions, for training alone")
    encoder = steps.add_parser("encoder", help="build a tier's encoder from the published weights")
    finder = steps.add_parser("face-finder", help="build the networks that find faces from the published weights")
    finder.add_argument("--folder", required=True, type=Path)
    fit = steps.add_parser("fit", help="launder, encode, fit, calibrate and measure")
    faces = steps.add_parser("faces", help="the same for the faces in pictures")
    grid = steps.add_parser("grid", help="measure at every cell of the laundering grid")
    for step in (bring, gather, choose, pairs, fit, faces, grid):
        step.add_argument("--index", action="append", required=True, type=Path)
        step.add_argument("--pictures", required=True, type=Path)
    gather.add_argument("places", nargs="+", type=Path, help="clones and unpacked packages")
    pairs.add_argument("--network", required=True, choices=("autoencoder", "cyclegan", "upscaler"))
    pairs.add_argument(
        "--clone",
        type=Path,
        help="for the autoencoder: holds taef2_encoder.pth and taef2_decoder.pth (madebyollin/taesd)",
    )
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
    grid.add_argument("--number", type=int, default=160, help="pictures of each class to bring to every cell")
    choose.add_argument("--fitted", required=True, type=Path, help="the index to write")
    choose.add_argument("--aside", required=True, type=Path, help="the other index to write")
    choose.add_argument(
        "--without", action="append", default=[], type=Path, help="an index of groups that neither is to have"
    )
    choose.add_argument(
        "--keep",
        action="append",
        default=[],
        type=Path,
        help="an index of pictures to choose again; of groups that are fitted on already no others join",
    )
    choose.add_argument("--number", nargs=2, type=int, default=(13_700, 1_600), metavar=("FITTED", "ASIDE"))
    fit.add_argument("--aside", type=Path, help="an index of pictures to measure the finished model on")
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
    STEPS[given.step](given)


if __name__ == "__main__":
    main()
