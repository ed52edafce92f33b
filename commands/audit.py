"""`assay audit`: folders, archives and buckets, examined row by row, remembered, resumed."""

import sys
from pathlib import Path

import click
from click.core import ParameterSource

from assay.commands.outcome import CONDITION_NAMES, EXIT_CONDITION, EXIT_FAILURE, EXIT_NOTHING
from assay.provenance.text import plain


def comma_separated(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Conditions, named one by one or with commas between them."""
    names = tuple(name.strip() for part in given for name in part.split(",") if name.strip())
    for name in names:
        if name not in CONDITION_NAMES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(CONDITION_NAMES)}")
    if given and not names:  # an empty variable must not open a gate
        raise click.BadParameter(f"names none of {', '.join(CONDITION_NAMES)}")
    return names


@click.command()
@click.argument("targets", nargs=-1, required=True)
@click.option(
    "-o", "--output", "outputs", multiple=True, help="Write rows here; the ending names the format; repeatable."
)
@click.option(
    "--fail-on", multiple=True, callback=comma_separated, help="Exit with 10 if one of these holds for any file."
)
@click.option(
    "--policy", type=click.Path(path_type=Path), help="Policy file.  [default: assay.toml, where there is one]"
)
@click.option("--baseline", type=click.Path(path_type=Path), help="Rows of an earlier audit: report only what changed.")
@click.option("--exclude", multiple=True, help="Leave out what matches this gitignore pattern; repeatable.")
@click.option("--archives", is_flag=True, help="Look into archives that lie in folders, too.")
@click.option(
    "--model",
    default="swift",
    show_default=True,
    help="Pixel model: swift, deep (sees more, takes some ten times as long), or a folder.",
)
@click.option("--no-pixels", is_flag=True, help="Only what files say and carry; no pixel classifier.")
@click.option(
    "--thorough", is_flag=True, help="Search for seconds: cropped or rescaled watermarks, traces in large pictures."
)
@click.option("--near", is_flag=True, help="Name the first file that looks nearly the same (perceptual hash).")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where to work; ray needs the extra `cluster`.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 512),
    help="Processes (with ray: actors) that examine files.  [default: one per core]",
)
@click.option(
    "--ledger", type=click.Path(path_type=Path), help="Where results are remembered.  [default: in assay's own folder]"
)
@click.option(
    "--fresh", is_flag=True, help="Believe nothing that was remembered; examine every file again, and remember that."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no count.")
@click.option("-v", "--verbose", is_flag=True, help="A line for every file, not only for those that deserve a look.")
@click.pass_context
def audit(
    ctx: click.Context,
    targets: tuple[str, ...],
    outputs: tuple[str, ...],
    fail_on: tuple[str, ...],
    policy: Path | None,
    baseline: Path | None,
    exclude: tuple[str, ...],
    archives: bool,
    model: str,
    no_pixels: bool,
    thorough: bool,
    near: bool,
    engine: str,
    workers: int | None,
    ledger: Path | None,
    fresh: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Examine folders, archives and buckets, and remember what was found

    TARGETS are files, folders, globs, zip and tar archives, s3://, gs:// or az:// URLs, or - for a list of names on standard
    input. Outputs end in .jsonl, .csv, .parquet, .sarif or .html. A run that was stopped goes on where it was when it is
    started again; what has not changed is not examined twice.

    Example: assay audit photos/ -o rows.jsonl -o summary.html --fail-on tampered,undisclosed
    """
    from assay.scanning.audit.running import Options, run

    if "" in targets:  # it would mean this folder, and is a variable that was not set
        raise click.UsageError("an empty target; name `.` for this folder")
    ending = run(
        Options(
            targets=targets,
            outputs=outputs,
            fail_on=fail_on,
            policy=policy,
            baseline=baseline,
            exclude=exclude,
            archives=archives,
            model=None if no_pixels else model,
            insist=ctx.get_parameter_source("model") is not ParameterSource.DEFAULT,
            thorough=thorough,
            near=near,
            engine=engine,
            workers=workers,
            ledger=ledger,
            fresh=fresh,
            quiet=quiet,
            verbose=verbose,
        )
    )
    for failure in ending.failures:
        click.echo(f"assay: {plain(str(failure), limit=2000)}", err=True)
    if ending.failures or not ending.complete:
        sys.exit(EXIT_FAILURE)
    if ending.met:
        sys.exit(EXIT_CONDITION)
    if not ending.tally.rows and not ending.tally.changes and not ending.excluded:
        click.echo("assay: nothing to audit: no images in there", err=True)
        sys.exit(EXIT_NOTHING)
    if ending.unread:
        click.echo(
            f"assay: {ending.unread:,} file{'s' * (ending.unread != 1)} could not be read at all, or not to the end",
            err=True,
        )
        sys.exit(EXIT_FAILURE)
