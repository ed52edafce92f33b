"""`assay demo`: a tour on embedded material, ending in a page."""

from pathlib import Path

import click


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("assay-demo"),
    show_default=True,
    help="Folder for the pictures and the page.",
)
def demo(output: Path) -> None:
    """Take a tour: generate, sign, edit, tamper, strip, launder, scan and report

    Needs no key and no network. Leaves a folder with ten pictures and one self-contained page.

    Example: assay demo -o /tmp/tour
    """
    import sys

    from assay.scanning.demo import tour
    from assay.scanning.report.terminal import TerminalPresenter

    done = tour(output, say=click.echo)
    click.echo()
    terminal = TerminalPresenter(sys.stdout)
    for outcome in done.outcomes:
        terminal.show(outcome)
    click.echo(f"The page with all of it: {done.page.resolve()}")
