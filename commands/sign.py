"""`assay sign`: one picture or a folder of them, by one recipe."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from assay.commands.placing import output_path
from assay.commands.repository import REMEMBER, remembering
from assay.provenance.errors import AssayError, OutputRefused, UnreadableFile, UnsupportedFormat
from assay.provenance.text import plain

if TYPE_CHECKING:
    from assay.provenance.signing import Signed
    from assay.provenance.signing.timestamp import TimestampAuthority

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)


SOFT_BINDING = click.option(
    "--soft-binding", is_flag=True, help="State the picture's ISCC fingerprint, by which the manifest is found again."
)


def signing_options(command: F) -> F:
    """The options that every signing command has."""
    options = (
        click.option("--signer", "signer_uri", default="dev:", show_default=True, envvar="ASSAY_SIGNER", show_envvar=True,
                     metavar="URI", help="Who signs: dev:, pem:CHAIN,KEY, pkcs11:…, aws-kms:…, gcp-kms:… or azure-kms:…"),
        click.option("--timestamp", "timestamp_url", envvar="ASSAY_TIMESTAMP_URL", show_envvar=True, metavar="URL",
                     help="An RFC 3161 authority that certifies the time."),
        click.option("--without-stamp", type=click.Choice(["fail", "warn"]), default="fail", show_default=True,
                     help="What to do when the authority gives no stamp."),
        click.option("--thumbnail", type=click.IntRange(0, 256), default=None, metavar="PIXELS",
                     help="Long edge of the manifest's thumbnails; 0 for none."),
        click.option("--sidecar", is_flag=True, help="Write the manifest beside the picture as .c2pa."),
        click.option("--overwrite", is_flag=True, help="Replace outputs that exist already; never a source."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def time_authority(url: str | None, without_stamp: str) -> "TimestampAuthority | None":
    """The authority that the options name."""
    from assay.provenance.signing.timestamp import TimestampAuthority, WithoutStamp

    return TimestampAuthority(url, WithoutStamp(without_stamp)) if url else None


def show(signed: "Signed") -> None:
    """Say what was signed: the file on stdout, warnings on stderr."""
    click.echo(f"{plain(str(signed.path), limit=4096)}  {signed.manifest_label}  {len(signed.asset.content):,} bytes")
    if signed.sidecar_path:
        click.echo(f"{plain(str(signed.sidecar_path), limit=4096)}  its manifest")
    click.echo(f"  signed by {plain(signed.signer)}{', time-stamped' if signed.timestamped else ''}")
    if signed.upstream != "none":
        click.echo(f"  it carried a manifest ({signed.upstream}), which is its parent now")
    for warning in signed.warnings:
        click.echo(f"assay: {plain(warning)}", err=True)


@click.command()
@click.argument("source", type=FILE)
@click.option("-o", "--out", required=True, type=click.Path(), help="The file or folder to write.")
@click.option("--recipe", "recipe_path", type=FILE, metavar="TOML", help="What to state; else: opened and published.")
@click.option("--parent", "parent_path", type=FILE, help="The picture that SOURCE was made from.")
@SOFT_BINDING
@REMEMBER
@click.option("--skip-existing", is_flag=True, help="In a folder: go on where an earlier run stopped.")
@signing_options
def sign(
    source: Path,
    out: str,
    recipe_path: Path | None,
    parent_path: Path | None,
    soft_binding: bool,
    remember: bool,
    skip_existing: bool,
    signer_uri: str,
    timestamp_url: str | None,
    without_stamp: str,
    thumbnail: int | None,
    sidecar: bool,
    overwrite: bool,
) -> None:
    """Sign a picture, or every picture of a folder.

    The picture's data stays as it is, byte for byte. A manifest that is there already becomes the parent.
    Without a recipe the manifest states only that the picture was opened and published.

    Example: assay sign photo.jpg -o signed/ --recipe recipe.toml
    """
    from dataclasses import replace

    from assay.provenance.asset import Asset
    from assay.provenance.signing import Recipe, open_signer, sign
    from assay.provenance.signing.ingredients import own_sidecar
    from assay.provenance.signing.recipe_file import load_recipe
    from assay.provenance.trust import default_policy
    from assay.scanning.recovering import softly_bound

    parent = Asset.open(parent_path) if parent_path else None
    if parent and not recipe_path:
        raise click.UsageError("--parent needs a --recipe that says what was done to it")
    recipe = load_recipe(recipe_path, parent=parent) if recipe_path else Recipe.published()
    if parent:
        recipe = replace(recipe, parent_sidecar=own_sidecar(parent))
    if thumbnail is not None:
        recipe = replace(recipe, thumbnail=thumbnail)
    signer = open_signer(signer_uri)
    timestamp = time_authority(timestamp_url, without_stamp)
    policy = default_policy()

    def one(path: Path, target: Path) -> "Signed":
        asset = Asset.open(path)
        signed = sign(
            asset,
            softly_bound(recipe, asset) if soft_binding else recipe,
            signer,
            into=target,
            sidecar=sidecar,
            overwrite=overwrite,
            timestamp=timestamp,
            asset_sidecar=own_sidecar(asset),
            policy=policy,
        )
        if remember:
            remembering(signed.asset, signed.sidecar)
        return signed

    if source.is_dir():
        _folder(source, Path(out), one, skip_existing=skip_existing)
    else:
        show(one(source, output_path(out, source.name)))


def _folder(source: Path, out: Path, one: "Callable[[Path, Path], Signed]", *, skip_existing: bool) -> None:
    """Sign file by file; one bad file does not stop the rest, and makes the whole a failure."""
    if out.resolve().is_relative_to(source.resolve()):
        raise OutputRefused(f"{out}: is inside the source folder", "name a folder beside it")
    files = list(_files(source))
    signed = skipped = 0
    failures: list[str] = []
    warnings: set[str] = set()
    with click.progressbar(files, label="signing", file=sys.stderr, item_show_func=_shown) as progress:
        for path in progress:
            target = out / path.relative_to(source)
            if skip_existing and target.exists():
                skipped += 1
                continue
            try:
                warnings.update(one(path, target).warnings)
                signed += 1
            except UnsupportedFormat:
                skipped += 1
            except AssayError as error:
                failures.append(str(error))
    for line in (*failures, *sorted(warnings)):
        click.echo(f"assay: {plain(line, limit=1000)}", err=True)
    click.echo(f"{signed} signed, {skipped} skipped, {len(failures)} failed, of {len(files)} files")
    if failures:
        sys.exit(1)
    if not signed and not skipped:
        raise click.exceptions.Exit(3)


def _files(folder: Path) -> Iterator[Path]:
    try:
        for path in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_file() and not hidden and path.suffix != ".c2pa":
                yield path
    except OSError as error:
        raise UnreadableFile.from_os_error(folder, error) from error


def _shown(path: Path | None) -> str | None:
    return plain(path.name, limit=40) if path else None
