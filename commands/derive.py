"""`assay derive`: a smaller, cropped, converted or cleaned copy that keeps its history."""

import re
from pathlib import Path

import click

from assay.commands.placing import is_folder, output_path
from assay.commands.repository import REMEMBER, remembering
from assay.commands.sign import FILE, show, signing_options, time_authority


@click.command()
@click.argument("image", type=FILE)
@click.option("-o", "--out", required=True, type=click.Path(), help="The file or folder to write.")
@click.option("--resize", metavar="EDGE|WxH", help="Greatest long edge, or greatest width and height; never enlarges.")
@click.option("--crop", metavar="X,Y,W,H", help="A rectangle in pixels of the upright picture; comes before --resize.")
@click.option(
    "--format",
    "image_format",
    type=click.Choice(["jpeg", "png", "webp", "avif", "tiff", "gif"]),
    help="Convert to this; else the ending of OUT decides.",
)
@click.option("--quality", type=click.IntRange(1, 100), default=85, show_default=True, help="For JPEG, WebP and AVIF.")
@click.option("--drop-gps", is_flag=True, help="Take positions out of the file, and out of the manifests it carries.")
@REMEMBER
@signing_options
def derive(
    image: Path,
    out: str,
    resize: str | None,
    crop: str | None,
    image_format: str | None,
    quality: int,
    drop_gps: bool,
    remember: bool,
    signer_uri: str,
    timestamp_url: str | None,
    without_stamp: str,
    thumbnail: int | None,
    sidecar: bool,
    overwrite: bool,
) -> None:
    """Make a derivative of a picture, signed with the original as its parent.

    Every change becomes an action of the manifest: cropped, resized, converted, redacted. What the new format cannot
    carry over is named there too.

    Example: assay derive photo.jpg --resize 1200 --format webp --drop-gps -o web/
    """
    box, limit = _box(crop), _limit(resize)
    from assay.provenance.asset import Asset
    from assay.provenance.signing import open_signer
    from assay.provenance.signing.deriving import WRITABLE, Box, Derivation, derive
    from assay.provenance.signing.ingredients import own_sidecar

    asset = Asset.open(image)
    written = {kind.suffix: kind for kind in WRITABLE.values()} | {".jpeg": WRITABLE["jpeg"], ".tiff": WRITABLE["tiff"]}
    named = None if is_folder(out) else written.get(Path(out).suffix.lower())
    target = WRITABLE[image_format] if image_format else named or asset.media_type
    if named and named is not target:
        raise click.UsageError(f"--format {image_format} and the name {Path(out).name} contradict each other")
    derivation = Derivation(
        crop=Box(*box) if box else None,
        resize=limit,
        media_type=target,
        quality=quality,
        drop_gps=drop_gps,
    )
    name = image.name if target is asset.media_type else image.with_suffix(target.suffix).name
    signed = derive(
        asset,
        derivation,
        open_signer(signer_uri),
        into=output_path(out, name),
        sidecar=sidecar,
        overwrite=overwrite,
        timestamp=time_authority(timestamp_url, without_stamp),
        asset_sidecar=own_sidecar(asset),
        thumbnail=thumbnail or 0,
    )
    if remember:
        remembering(signed.asset, signed.sidecar)
    show(signed)


def _box(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", text.replace(" ", ""))
    if not found or not int(found[3]) or not int(found[4]):
        raise click.BadParameter("give x,y,width,height in pixels, such as 0,0,800,600", param_hint="--crop")
    x, y, width, height = map(int, found.groups())
    return x, y, width, height


def _limit(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    if not found or not int(found[1]) or (found[2] is not None and not int(found[2])):
        raise click.BadParameter("give one edge or WxH in pixels, such as 1200 or 1200x800", param_hint="--resize")
    return int(found[1]), int(found[2] or found[1])
