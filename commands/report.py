"""`assay report`: finished rows summarised, regrouped, judged by another policy, in another format."""

import sys
from pathlib import Path

import click

from assay.commands.audit import comma_separated
from assay.commands.outcome import EXIT_CONDITION, EXIT_FAILURE, EXIT_NOTHING
from assay.provenance.text import plain

GROUP_NAMES = ("verdict", "signer", "generator", "folder", "month")


@click.command()
@click.argument("rows", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", "outputs", multiple=True, help="Write here; the ending names the format; repeatable.")
@click.option("--html", is_flag=True, help="Write the page beside the first file of rows: rows.html.")
@click.option(
    "--by", type=click.Choice(GROUP_NAMES), default="verdict", show_default=True, help="Group on the terminal."
)
@click.option("--policy", type=click.Path(path_type=Path), help="Judge by this policy file instead.")
@click.option("--baseline", type=click.Path(path_type=Path), help="Compare with the rows of an earlier audit.")
@click.option(
    "--fail-on", multiple=True, callback=comma_separated, help="Exit with 10 if one of these holds for any row."
)
@click.option("-q", "--quiet", is_flag=True, help="Nothing on the terminal.")
def report(
    rows: tuple[Path, ...],
    outputs: tuple[str, ...],
    html: bool,
    by: str,
    policy: Path | None,
    baseline: Path | None,
    fail_on: tuple[str, ...],
    quiet: bool,
) -> None:
    """Summarise the rows of an audit again, without examining anything

    ROWS are JSONL files that `assay audit` wrote. Outputs end in .jsonl, .csv, .parquet, .sarif or .html.

    Example: assay report rows.jsonl --by signer -o summary.html
    """
    from assay.scanning.audit.reporting import summarise

    if html:
        outputs = (*outputs, str(rows[0].with_suffix(".html")))
    ending = summarise(rows, outputs=outputs, by=by, policy=policy, baseline=baseline, fail_on=fail_on, quiet=quiet)
    for failure in ending.failures:
        click.echo(f"assay: {plain(str(failure), limit=2000)}", err=True)
    if ending.failures:
        sys.exit(EXIT_FAILURE)
    if ending.met:
        sys.exit(EXIT_CONDITION)
    if not ending.tally.rows and not ending.tally.changes:
        click.echo("assay: no rows in there", err=True)
        sys.exit(EXIT_NOTHING)
