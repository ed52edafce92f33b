"""`assay detect`: what the pixels alone say, with the numbers behind it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.commands.outcome import CONDITION_NAMES
from assay.commands.placing import OutputFile
from assay.commands.scan import examine

if TYPE_CHECKING:
    from assay.detectors.subject import Signal
    from assay.scanning.scan import Failure, Report


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("-o", "--output", type=OutputFile(), help="Write to this file instead of the terminal.")
@click.option("--model", default="deep", show_default=True, help="Pixel model: a name under models/, or a folder.")
@click.option(
    "--point",
    type=click.Choice(["strict", "balanced", "sensitive"]),
    default="balanced",
    show_default=True,
    help="From which operating point on the model speaks; its card has the error rates.",
)
@click.option("--faces", is_flag=True, help="Judge every face by itself as well; the answers are not mixed.")
@click.option(
    "--heatmap",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a picture per judged image into this folder: where the evidence lies.",
)
@click.option(
    "--fail-on", multiple=True, type=click.Choice(CONDITION_NAMES), help="Exit with 10 if this holds; repeatable."
)
def detect(
    paths: tuple[Path, ...],
    form: str,
    output: Path | None,
    model: str,
    point: str,
    faces: bool,
    heatmap: Path | None,
    fail_on: tuple[str, ...],
) -> None:
    """Ask the pixel classifier alone, and show the numbers behind its answer

    A classifier says "synthetic" at a stated error rate, or nothing; it never says that a picture is a photograph. For a
    verdict on everything that is known use `assay scan`.

    Example: assay detect photo.jpg --point strict
    """
    from assay.commands.loading import load_model
    from assay.detectors.calibration import Point
    from assay.detectors.classifier import load
    from assay.detectors.faces import load as load_faces
    from assay.detectors.heatmap import refuse_without_patches
    from assay.detectors.signals.faces import FacesSignal
    from assay.detectors.signals.pixels import PixelsSignal
    from assay.scanning.report.presenting import presenter
    from assay.scanning.scan import Scanner

    load_model(model)  # a model that cannot be used is one failure at the start, not one per image
    if heatmap is not None:
        refuse_without_patches(load(model))
    signals: tuple[Signal, ...] = (PixelsSignal(model, point=Point(point)),)
    if faces:
        load_faces()
        signals = (*signals, FacesSignal(point=Point(point)))
    scanner = Scanner(signals=signals)
    with presenter(form, output, depth=2) as present:

        def shown(outcome: "Report | Failure") -> None:
            present(outcome)
            if heatmap is not None:
                _write_heatmap(outcome, model, heatmap)

        code = examine(paths, scanner, shown, fail_on=fail_on)
    sys.exit(code)


def _write_heatmap(outcome: "Report | Failure", model: str, folder: Path) -> None:
    """`<name>.heatmap.png` for a picture that the model judged; existing files are never overwritten."""
    from assay.detectors.classifier import load
    from assay.detectors.evidence import PIXELS, Silence
    from assay.detectors.heatmap import heatmap, overlay
    from assay.provenance.decoding import decode
    from assay.provenance.replacing import free
    from assay.provenance.text import plain
    from assay.scanning.scan import Failure

    if isinstance(outcome, Failure):
        click.echo(f"assay: no heat map: {plain(str(outcome.error), limit=2000)}", err=True)
        return
    said = next(piece for piece in outcome.evidence if piece.signal == PIXELS)
    name = outcome.asset.name
    if said.silence in (Silence.INAPPLICABLE, Silence.FAILED):  # a map would be read as the judgement that is missing
        why = said.statement.removeprefix(f"{name}: ")
        click.echo(f"assay: no heat map of {plain(name, limit=1000)}: {plain(why, limit=1000)}", err=True)
        return
    image = decode(outcome.asset)
    folder.mkdir(parents=True, exist_ok=True)
    target = free(folder / f"{name.rsplit('/', 1)[-1]}.heatmap.png")
    overlay(image, heatmap(load(model), image)).save(target)
    click.echo(plain(str(target), limit=2000), err=True)
