"""`assay repository`: manifests that are remembered on this machine, so that stripped copies lead back to them."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.commands.outcome import EXIT_FAILURE, EXIT_NOTHING
from assay.provenance.text import plain

if TYPE_CHECKING:
    from assay.provenance.asset import Asset
    from assay.provenance.repository import Record

FILE = click.Path(path_type=Path)
REPOSITORY = click.option(
    "--repository",
    envvar="ASSAY_REPOSITORY",
    show_envvar=True,
    metavar="FILE|URL",
    help="Where manifests are remembered: a file, or postgresql://… for several machines; else a file in the state folder.",
)
REMEMBER = click.option(
    "--remember",
    is_flag=True,
    envvar="ASSAY_REMEMBER",
    show_envvar=True,
    help="Keep the manifest in this machine's repository, so that stripped copies lead back to it.",
)


@click.group()
def repository() -> None:
    """Keep manifests, so that copies that lost theirs lead back to them

    A repository holds hashes, manifests, small pictures and fingerprints, never the pictures themselves. It is a file that
    only you can read, and in which what is forgotten is overwritten; or a PostgreSQL database that several machines share.
    """


@repository.command()
@click.argument("paths", nargs=-1, required=True, type=FILE)
@REPOSITORY
def add(paths: tuple[Path, ...], repository: str | None) -> None:
    """Remember the manifests of pictures, or of every picture of a folder.

    Only manifests that hold for the file they are in are kept; what is known already stays as it is.

    Example: assay repository add signed/
    """
    from assay.provenance.errors import AssayError
    from assay.provenance.repository import open_repository, place
    from assay.provenance.repository.keeping import NothingToKeep
    from assay.provenance.trust import default_policy
    from assay.scanning.recovering import remember_path
    from assay.scanning.walking import files

    policy = default_policy()
    new = known = without = failed = 0
    with open_repository(place(repository) if repository else None) as kept:
        for path in files(paths):
            try:
                record, added = remember_path(path, kept, policy=policy)
            except NothingToKeep as error:
                without += 1
                click.echo(f"assay: {plain(str(error), limit=400)}", err=True)
            except AssayError as error:
                failed += 1
                click.echo(f"assay: {plain(str(error), limit=400)}", err=True)
            else:
                new, known = new + added, known + (not added)
                _show(record, "remembered" if added else "known already")
    click.echo(f"{new} remembered, {known} known already, {without} without a manifest that holds, {failed} failed")
    if failed:
        sys.exit(EXIT_FAILURE)
    if not new + known + without:
        sys.exit(EXIT_NOTHING)


@repository.command("list")
@REPOSITORY
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_(repository: str | None, form: str) -> None:
    """Show what is remembered, oldest first.

    Example: assay repository list --format json
    """
    import json
    from dataclasses import asdict

    from assay.provenance.repository import default_place, place
    from assay.scanning.recovering import require_repository

    with require_repository(place(repository) if repository else default_place(), reading=True) as kept:
        for record in kept.records():
            if form == "json":
                click.echo(json.dumps(asdict(record), ensure_ascii=False))
            else:
                _show(record, record.kept[:19])


@repository.command()
@click.argument("items", nargs=-1, metavar="[SHA256|FILE]...")
@REPOSITORY
@click.option("--older-than", type=click.IntRange(min=0), metavar="DAYS", help="Everything kept longer ago than that.")
def forget(items: tuple[str, ...], repository: str | None, older_than: int | None) -> None:
    """Forget pictures, named by hash or as files, or all that is old.

    Manifest, thumbnail and fingerprints are deleted and overwritten. Exit code 3 if there was nothing to forget.

    Example: assay repository forget signed/photo.jpg --older-than 365
    """
    from assay.provenance.repository import default_place, place
    from assay.scanning.recovering import require_repository

    if not items and older_than is None:
        raise click.UsageError("name hashes or files to forget, or --older-than DAYS")
    hashes = [_hash(item) for item in items]
    with require_repository(place(repository) if repository else default_place()) as kept:
        count = kept.forget(*hashes) if hashes else 0
        if older_than is not None:
            count += kept.forget_older(timedelta(days=older_than))
    click.echo(f"{count} forgotten")
    if not count:
        sys.exit(EXIT_NOTHING)


@repository.command()
@REPOSITORY
@click.option(
    "--approximate/--exact",
    "approximate",
    required=True,
    help="By pgvector in the database, which misses some; or every fingerprint compared, on each machine.",
)
def index(repository: str | None, approximate: bool) -> None:
    """Choose how a repository in PostgreSQL is searched by looks.

    Exact is what it does by itself, and faster up to some ten million pictures: each machine keeps 40 bytes for each
    fingerprint. Beyond, `--approximate` makes an index in the database (extension vector), which then serves all machines.

    Example: assay repository index --approximate --repository postgresql://db.example/assay
    """
    from assay.provenance.repository import default_place, place
    from assay.provenance.repository.postgres import PostgresRepository
    from assay.scanning.recovering import require_repository

    with require_repository(place(repository) if repository else default_place()) as kept:
        if not isinstance(kept, PostgresRepository):
            raise click.UsageError("a repository in a file is always searched exactly")
        kept.index(approximate=approximate)
    click.echo("searched by pgvector from now on" if approximate else "searched exactly from now on")


def remembering(asset: "Asset", sidecar: bytes | None = None) -> None:
    """Remember one picture in this user's repository and say so; why not is said on stderr and fails nothing."""
    from assay.provenance.errors import AssayError
    from assay.provenance.repository import open_repository
    from assay.scanning.recovering import remember

    try:
        with open_repository() as kept:
            _, added = remember(asset, kept, sidecar=sidecar)
    except AssayError as error:
        click.echo(f"assay: not remembered: {plain(str(error), limit=400)}", err=True)
    else:
        click.echo("  remembered" if added else "  known already", err=True)


def _hash(item: str) -> str:
    """A SHA-256 as written, or that of the file named."""
    if len(item) == 64 and all(character in "0123456789abcdefABCDEF" for character in item):
        return item.lower()
    import hashlib

    from assay.provenance.errors import UnreadableFile

    try:
        with Path(item).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile.from_os_error(item, error) from error


def _show(record: "Record", note: str) -> None:
    size = f"{record.width}×{record.height}" if record.width else "size unknown"
    click.echo(f"{record.sha256}  {note}  {plain(record.name)}  {size}  {record.bottom_line}  {plain(record.signer)}")
