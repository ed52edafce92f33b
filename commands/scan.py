"""`assay scan`: everything that is known of one image or a few, weighed into one verdict each."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.commands.outcome import CONDITION_NAMES, EXIT_CONDITION, EXIT_FAILURE, EXIT_NOTHING
from assay.commands.placing import OutputFile

if TYPE_CHECKING:
    from assay.scanning.labels.policy import LabelPolicy
    from assay.scanning.report.presenting import Present
    from assay.scanning.scan import Scanner


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("-o", "--output", type=OutputFile(), help="Write to this file instead of the terminal.")
@click.option("--no-pixels", is_flag=True, help="Only what the file says and carries; no pixel classifier.")
@click.option("--model", default="deep", show_default=True, help="Pixel model: a name under models/, or a folder.")
@click.option("--faces", is_flag=True, help="Judge every face by itself as well, beside the whole picture.")
@click.option(
    "--thorough", is_flag=True, help="Search for seconds: cropped or rescaled watermarks, traces in large pictures."
)
@click.option(
    "--prior",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Your own probability, before looking, that such an image is generated; turns a likelihood ratio into yours.",
)
@click.option(
    "--fail-on", multiple=True, type=click.Choice(CONDITION_NAMES), help="Exit with 10 if this holds; repeatable."
)
@click.option(
    "--isolate/--no-isolate", default=None, help="Open files in a child process that may die.  [default: with several]"
)
@click.option(
    "--labels",
    metavar="PRESET|FILE",
    help="Say which label a policy gives instead: iptc-ai-info, eu-ai-act-50, or your own.",
)
@click.option("-v", "--verbose", count=True, help="Show silent signals too; -vv every field that was read.")
def scan(
    paths: tuple[Path, ...],
    form: str,
    output: Path | None,
    no_pixels: bool,
    model: str,
    faces: bool,
    thorough: bool,
    prior: float | None,
    fail_on: tuple[str, ...],
    isolate: bool | None,
    labels: str | None,
    verbose: int,
) -> None:
    """Say where images come from, who says so and how sure that is

    Looks at the C2PA manifest, at what the file declares, at watermarks and at pixels, and gives one verdict each. PATHS are
    files or folders; nothing leaves this machine. JSON is one document per line.

    Example: assay scan photo.jpg downloads/ --fail-on tampered
    """
    policy = None
    if labels is not None:
        from assay.scanning.labels.policy import read_label_policy

        if form == "html":
            raise click.UsageError("labels are written as text or json")
        policy = read_label_policy(labels)
    if faces and no_pixels:
        raise click.UsageError("faces are judged by their pixels: leave out --no-pixels or --faces")
    if isolate if isolate is not None else several(paths):
        used = None if no_pixels else model
        sys.exit(_isolated(paths, form, output, used, faces, thorough, prior, fail_on, verbose, policy))
    from assay.commands.loading import load_model
    from assay.detectors.classifier import RuntimeUnavailable
    from assay.scanning.report.presenting import presenter
    from assay.scanning.scan import Scanner, standard_signals

    if not no_pixels:
        with suppress(RuntimeUnavailable):  # each report says so, and everything else is still examined
            load_model(model)  # a model that cannot be used is one failure at the start, not one per image
            if faces:
                from assay.detectors.faces import load as load_faces

                load_faces()
    scanner = Scanner(signals=standard_signals(None if no_pixels else model, faces=faces), thorough=thorough)
    with presenter(form, output, depth=verbose, prior=prior, labels=policy) as present:
        code = examine(paths, scanner, present, fail_on=fail_on)
    sys.exit(code)


def several(paths: tuple[Path, ...]) -> bool:
    """Whether more than one file is meant: then a child process costs little, and one bad file must not end the rest."""
    return len(paths) > 1 or os.path.isdir(paths[0])  # noqa: PTH112 - which raises nothing


def _isolated(
    paths: tuple[Path, ...],
    form: str,
    output: Path | None,
    model: str | None,
    faces: bool,
    thorough: bool,
    prior: float | None,
    fail_on: tuple[str, ...],
    verbose: int,
    labels: "LabelPolicy | None",
) -> int:
    """The same in a child process that may die."""
    from assay.detectors.card import read_card
    from assay.provenance.trust import default_policy
    from assay.scanning.isolating import ScanTask, Style, isolated
    from assay.scanning.walking import files

    if model is not None:
        read_card(model)  # a model that is not there is one failure, in plain words
    style = Style.of(form, output, sys.stdout, verbose)
    task = ScanTask(
        style=style,
        policy=default_policy(),
        model=model,
        faces=faces,
        thorough=thorough,
        prior=prior,
        labels=labels,
    )
    with isolated(task, output, sys.stdout) as show:
        shown = [(one.held, one.failed) for one in map(show, files(paths))]
    if not shown:
        click.echo("assay: nothing to scan: no images in there", err=True)
        return EXIT_NOTHING
    if any(held & set(fail_on) for held, _ in shown):
        return EXIT_CONDITION
    return EXIT_FAILURE if any(failed for _, failed in shown) else 0


def examine(paths: tuple[Path, ...], scanner: "Scanner", present: "Present", *, fail_on: tuple[str, ...]) -> int:
    """Scan every file that `paths` name, present each outcome as it comes, and return the exit code."""
    from assay.provenance.errors import DecodeFailed, LimitExceeded
    from assay.scanning.gate import conditions
    from assay.scanning.scan import Failure
    from assay.scanning.walking import files

    met: set[str] = set()
    seen = failed = 0
    for path in files(paths):
        outcome = scanner.scan_path(path)
        present(outcome)
        met |= conditions(outcome)
        seen += 1
        failed += isinstance(outcome, Failure) or isinstance(outcome.undecoded, DecodeFailed | LimitExceeded)
    if not seen:
        click.echo("assay: nothing to scan: no images in there", err=True)
        return EXIT_NOTHING
    if met & set(fail_on):
        return EXIT_CONDITION
    return EXIT_FAILURE if failed else 0
