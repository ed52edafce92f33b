"""`assay recover`: the manifest that a picture has lost, found again in this machine's repository."""

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.commands.outcome import EXIT_FAILURE, EXIT_NOTHING
from assay.commands.placing import OutputFile
from assay.commands.repository import REPOSITORY

if TYPE_CHECKING:
    from assay.scanning.recovering import Recovery

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=FILE)
@REPOSITORY
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("-o", "--output", type=OutputFile(), help="Write to a new file instead of the terminal.")
@click.option("--no-crops", is_flag=True, help="Do not try cut edges: several times faster where nothing is found.")
@click.option(
    "--save",
    type=OutputFile(),
    metavar="FILE",
    help="Write one picture's best recovered manifest store to a new .c2pa file.",
)
def recover(
    paths: tuple[Path, ...], repository: str | None, form: str, output: Path | None, no_crops: bool, save: Path | None
) -> None:
    """Find the manifest that a picture has lost

    Looks for the picture among those that were remembered (`--remember`, `assay repository add`): by its hash, then by
    the mark in its pixels (`--watermark`) and by its looks, which survive recompression, resizing, colour shifts, captions
    and cuts of up to 15 %. Says what is proved (the
    manifest) and what is only likely (that this is a copy). Exit code 3 if nothing was found.

    Example: assay recover downloaded.jpg --format html -o recovered.html
    """
    from assay.provenance.asset import Asset
    from assay.provenance.errors import AssayError, OutputRefused
    from assay.provenance.repository import RepositoryRefused, default_place, place
    from assay.provenance.text import plain
    from assay.provenance.trust import default_policy
    from assay.scanning.recovering import recover, require_repository
    from assay.scanning.report.recovery_presenting import presenter
    from assay.scanning.walking import files

    if save is not None and len(list(islice(files(paths), 2))) > 1:
        raise click.UsageError("--save takes the store of one picture; name just that one")
    if save is not None and save.exists():
        raise OutputRefused.exists(save)
    policy = default_policy()
    found = failed = presented = 0
    with (
        require_repository(place(repository) if repository else default_place(), reading=True) as kept,
        presenter(form, output) as present,
    ):
        for path in files(paths):
            try:
                recovery = recover(Asset.open(path), kept, policy=policy, crops=not no_crops)
            except AssayError as error:
                failed += 1
                about = f"{path}: not searched for: " if isinstance(error, RepositoryRefused) else ""
                click.echo(f"assay: {plain(f'{about}{error}', limit=600)}", err=True)
                continue
            present(recovery)
            presented += 1
            found += bool(recovery.found)
            if save is not None and recovery.found:
                _save(recovery, kept.store(recovery.found[0].record), save)
        if failed and not presented:
            sys.exit(EXIT_FAILURE)  # before an output of nothing takes its name
    if failed:
        sys.exit(EXIT_FAILURE)
    if not found:
        sys.exit(EXIT_NOTHING)


def _save(recovery: "Recovery", store: bytes, target: Path) -> None:
    from assay.provenance.replacing import replacing

    with replacing(target, sources=(recovery.asset.path,) if recovery.asset.path else ()) as temporary:
        temporary.write_bytes(store)
    click.echo(f"assay: {target}: the manifest store, which fits the original's bytes only", err=True)
