"""`assay train`: refit a model's head and calibration on labelled pictures of one's own, without a training framework."""

import os
import shutil
import sys
from functools import reduce
from pathlib import Path

import click


@click.command()
@click.option(
    "--data",
    "indexes",
    multiple=True,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Index: CSV with path and label, and where known generator, group, domain; repeatable.",
)
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of pictures named by sha256.  [default: the index has a column `path`, relative to itself]",
)
@click.option("--base", default="deep", show_default=True, help="Model whose encoder is used: a name, or a folder.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="New folder for the model.")
@click.option(
    "--work", type=click.Path(path_type=Path), help="Where views and features are kept.  [default: OUTPUT.work]"
)
@click.option("--limit", type=click.IntRange(1), help="At most this many pictures, spread over sources.")
@click.option(
    "--draws", default=1, show_default=True, type=click.IntRange(1, 8), help="Laundered views of each picture."
)
@click.option("--seed", default=0, show_default=True, help="Of the laundering draws.")
@click.option("--strength", default=0.003, show_default=True, help="Inverse regularisation of the head (C).")
def train(
    indexes: tuple[Path, ...],
    pictures: Path | None,
    base: str,
    output: Path,
    work: Path | None,
    limit: int | None,
    draws: int,
    seed: int,
    strength: float,
) -> None:
    """Refit the pixel model on labelled pictures of your own

    Launders and encodes the pictures (about three a second and core), fits a linear head and its calibration, measures them by
    the protocol of docs/evaluation.md, and writes a model folder whose card says what came out. Every step is cached.

    Example: assay train --data archive.csv --base deep -o models/mine
    """
    from assay.detectors.card import read_card
    from assay.detectors.training.examples import Label, spread, without_near_duplicates
    from assay.detectors.training.pipeline import examples_with_pictures, extract, originals, undecodable, with_hashes
    from assay.provenance.errors import AssayError, MissingExtra, OutputRefused

    try:
        import onnx  # noqa: F401 - needed at the end; better missed at the start

        from assay.detectors.training.building import FOLDS, build_model
        from assay.detectors.training.folds import assign, ensure_enough, generators_apart
        from assay.detectors.training.protocol import Recipe, Sample
    except ImportError as error:
        raise MissingExtra("assay train", "train") from error
    if output.exists():
        raise OutputRefused.exists(output)
    card = read_card(base)
    encoder = card.verified("encoder.onnx")
    try:
        examples, places = examples_with_pictures(indexes, pictures)
        hashed = with_hashes([example for example in examples if example.label is not Label.ALTERED], places)
        decoded = [example for example in hashed if example.dhash]
        notes = [f"Fitted on the pictures of {', '.join(index.name for index in indexes)}; untested elsewhere."]
        if lost := [places[example.sha256] for example in hashed if not example.dhash]:
            notes.append(undecodable(lost, len(hashed)))
        told_apart = without_near_duplicates(decoded)
        if twins := len(decoded) - len(told_apart):
            notes.append(f"{twins} pictures are left out: near-duplicates of pictures in other groups.")
        chosen = spread(told_apart, seed=seed)[:limit]
        for note in notes[1:]:
            click.echo(note, err=True)
        ensure_enough(chosen, FOLDS)
        samples = [
            extract(
                chosen,
                places,
                encoder,
                work or output.with_name(f"{output.name}.work"),
                view=card.view,
                seed=seed + draw,
                progress=lambda line: click.echo(line, err=True),
            )
            for draw in range(draws)
        ]
        partial = output.with_name(f"{output.name}.partial")
        partial.mkdir(parents=True, exist_ok=True)
        _link(encoder, partial / "encoder.onnx")
        sample = reduce(Sample.joined, samples)
        built = build_model(
            sample,
            Recipe(ranges=card.columns, strength=strength),
            partial,
            name=output.name,
            version="1",
            seed=seed,
            view=card.view,
            command=" ".join(["assay", *sys.argv[1:]]),
            metadata=originals([places[example.sha256] for example in sample.examples]),
            notes=notes,
        )
    except ValueError as error:
        raise AssayError(
            str(error), "see docs/evaluation.md for the columns of an index and how many pictures it takes"
        ) from error
    partial.rename(output)
    arm = built["figures"]["strict"]["arms"]["all"]
    unseen = (
        "sources and generators not seen"
        if generators_apart(sample.examples, assign(sample.examples, FOLDS))
        else "sources not seen; generators could not be held out: that takes several families, and the generator of every picture"
    )
    click.echo(f"{output}: AUC {arm['auc'][0]:.3f} ({arm['auc'][1]:.3f} to {arm['auc'][2]:.3f}) on {unseen}")


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
