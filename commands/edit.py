"""`assay edit`: a picture changed as a prompt says, with the original as its parent."""

from pathlib import Path
from typing import Any

import click

from assay.commands.pictures import FILE, asked, picture_options, run


@click.command()
@click.argument("image", type=FILE)
@click.argument("prompt")
@click.option("--mask", type=FILE, help="Where the picture may change, as the provider understands it.")
@click.option("--also", "others", type=FILE, multiple=True, help="A further picture for the provider to look at.")
@picture_options
def edit(image: Path, prompt: str, mask: Path | None, others: tuple[Path, ...], **options: Any) -> None:
    """Change a picture as a prompt says, signed with the original as its parent

    IMAGE itself is never touched. Its own manifest, embedded or beside it, becomes part of the new one's history.

    Example: assay edit photo.jpg "warmer light" -o edited/
    """
    from assay.provenance.asset import Asset

    inputs = tuple(Asset.open(path) for path in (image, *others))
    run(asked(prompt, options, inputs=inputs, mask=Asset.open(mask) if mask else None), options)
