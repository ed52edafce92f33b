"""`assay evaluate`: how a pixel model does on labelled pictures of one's own."""

import json
from pathlib import Path
from typing import Any

import click

from assay.commands.placing import OutputFile


@click.command()
@click.argument("indexes", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", default="deep", show_default=True, help="Pixel model: a name under models/, or a folder.")
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of pictures named by sha256.  [default: the index has a column `path`, relative to itself]",
)
@click.option(
    "--as-delivered", is_flag=True, help="Take files as they are; formats and sizes may then tell the classes."
)
@click.option(
    "--cell",
    metavar="NAME",
    help="Bring every picture to this cell of the laundering grid instead: screenshot, messenger, jpeg-60 …",
)
@click.option("--limit", type=click.IntRange(1), help="At most this many pictures, spread over sources.")
@click.option("--seed", default=0, show_default=True, help="Of the laundering draws and of the choice by --limit.")
@click.option("-o", "--output", type=OutputFile(), help="Write all figures as JSON to a new file.")
@click.option(
    "--plots", type=click.Path(file_okay=False, path_type=Path), help="Write roc.svg and reliability.svg here."
)
def evaluate(
    indexes: tuple[Path, ...],
    model: str,
    pictures: Path | None,
    as_delivered: bool,
    cell: str | None,
    limit: int | None,
    seed: int,
    output: Path | None,
    plots: Path | None,
) -> None:
    """Measure a pixel model on labelled pictures, by the protocol of docs/evaluation.md

    INDEXES are CSV files with the columns path and label (human or generated), and where known generator, group and domain.
    An archive of human-made pictures alone tells how often the model would accuse them.
    Unless told otherwise every picture is re-encoded alike first, so that formats and sizes cannot tell the classes.

    Example: assay evaluate archive.csv --model deep --plots plots
    """
    from assay.detectors.classifier import load
    from assay.detectors.training.examples import spread
    from assay.detectors.training.laundering import GRID
    from assay.detectors.training.pipeline import examples_with_pictures, undecodable
    from assay.detectors.training.trial import ask, result
    from assay.provenance.errors import AssayError, OutputRefused

    cells = {one.name: one for one in GRID}
    if cell is not None and as_delivered:
        raise click.UsageError("--cell and --as-delivered exclude one another")
    if cell is not None and cell not in cells:
        raise click.BadParameter(f"{cell} is none of {', '.join(cells)}", param_hint="--cell")
    if output is not None and output.exists():
        raise OutputRefused.exists(output)
    try:
        examples, places = examples_with_pictures(indexes, pictures)
        examples = spread(examples, seed=seed)[:limit]
        classifier = load(model)
        answers = ask(
            classifier,
            examples,
            places,
            as_delivered=as_delivered,
            cell=cells[cell] if cell else None,
            seed=seed,
            progress=lambda done: click.echo(f"{done} of {len(examples)}", err=True) if done % 100 == 0 else None,
        )
        answered = {answer.example.sha256 for answer in answers}
        lost = [places[example.sha256] for example in examples if example.sha256 not in answered]
        if lost:
            click.echo(undecodable(lost, len(examples)), err=True)
        found = result(answers, classifier.card) | {"undecodable": [str(path) for path in lost]}
    except ValueError as error:
        raise AssayError(str(error), "see docs/evaluation.md for the columns of an index") from error
    arm = "as delivered: formats and sizes may tell the classes" if as_delivered else "every picture re-encoded alike"
    click.echo(_text(classifier.card.name, classifier.card.version, found, f"every one as {cell}" if cell else arm))
    if output is not None:
        output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if plots is not None and found["auc"] is None:
        click.echo("no plots: they take human-made and generated pictures", err=True)
    elif plots is not None:
        _plot(answers, found, plots)


def _text(name: str, version: str, found: dict[str, Any], arm: str) -> str:
    from assay.detectors.card import FITTED

    lines = [f"{name} {version} on {found['pictures']} pictures ({arm})"]
    lines += [
        f"  human-made {found['human']}, generated {found['generated']}, outside what was measured {found['outside']}, "
        f"inconclusive {found['inconclusive']}"
    ]
    if found["fitted_on"] is None:
        lines.append(f"  which pictures it was fitted on is not known: {FITTED} is missing from its folder")
    elif found["fitted_on"]:
        lines.append(
            f"  {found['fitted_on']} of these pictures are among those that the model was fitted on: "
            "the figures flatter it. Measure on others."
        )
    covered = [f"{label} {hits} of {trials}" for label, (hits, trials, *_) in found["coverage"].items() if trials]
    if covered:
        lines.append(f"  conformal sets that hold the truth: {', '.join(covered)}")
    if found["auc"] is None:
        lines.append("  pictures of one class alone: how well it tells the two apart cannot be measured on them")
    else:
        lines += _compared(found)
    for point, rates in found["points"].items():
        lines += _point(point, rates)
    return "\n".join(lines)


def _compared(found: dict[str, Any]) -> list[str]:
    lines = []
    for figure, label in (
        ("auc", "AUC"),
        ("tpr_at_5_percent", "recall at 5 % false positives"),
        ("tpr_at_1_percent", "recall at 1 %"),
    ):
        value, low, high = found[figure]
        lines.append(f"  {label}: {value:.3f} ({low:.3f} to {high:.3f})")
    if found["originals_metadata_only_auc"] is not None:
        lines.append(f"  AUC of size, bytes and format of the files alone: {found['originals_metadata_only_auc']:.3f}")
    lines.append(
        f"  calibration: ECE {found['ece']:.3f}, Cllr {found['cllr']:.3f} (best possible {found['min_cllr']:.3f})"
    )
    return lines


def _point(point: str, rates: dict[str, Any]) -> list[str]:
    flagged, recall = rates["false_positive"], rates["true_positive"]
    measured, more = [], []
    if flagged[1]:
        measured.append(f"false positives {flagged[0]} of {flagged[1]} (up to {flagged[3]:.1%})")
        worst = [f"{group} {hits}/{trials}" for group, (hits, trials) in rates["worst_sources"].items() if hits]
        more += [f"    worst sources: {', '.join(worst)}"] if worst else []
    if recall[1]:
        measured.append(f"recall {recall[0]} of {recall[1]} ({recall[2]:.0%} to {recall[3]:.0%})")
        missed = [f"{name} {hits}/{trials}" for name, (hits, trials) in list(rates["recall_by_generator"].items())[:5]]
        more.append(f"    least flagged generators: {', '.join(missed)}")
    return [f"  {point}: {', '.join(measured)}", *more]


def _plot(answers: Any, found: dict[str, Any], folder: Path) -> None:
    import numpy as np

    from assay.detectors import plots
    from assay.detectors.training.examples import Label

    judged = [a for a in answers if a.opinion.llr is not None and a.example.label is not Label.ALTERED]
    llr = np.array([a.opinion.llr for a in judged], np.float64)
    positive = np.array([a.example.label is Label.GENERATED for a in judged])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "roc.svg").write_text(plots.roc({"all": (llr, positive)}, title="Recall"), encoding="utf-8")
    drawn = plots.reliability(found["reliability"], title="Reliability")
    (folder / "reliability.svg").write_text(drawn, encoding="utf-8")
