"""`assay describe`: a picture in words, for those who cannot see it and for publication."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from assay.commands.pictures import FILE, connection, connection_options
from assay.provenance.text import plain, plain_block


@click.command()
@click.argument("image", type=FILE)
@connection_options
def describe(image: Path, **options: Any) -> None:
    """Say what a picture shows: alt text and caption, kept apart

    The built-in provider `procedural` cannot see: it repeats what it wrote into its own pictures, and of any other says
    what can be measured. The picture's metadata never reaches a model.

    Example: assay describe photo.jpg --provider google --model NAME
    """
    from assay.provenance.asset import Asset
    from assay.provenance.generating.providers import open_provider

    provider = open_provider(options["provider"], connection(options))
    description = provider.describe(Asset.open(image), model=options["model"])
    if description.refusal:
        click.echo(f"assay: {plain(str(description.refusal))}", err=True)
        sys.exit(1)
    if options["as_json"]:
        names = ("alt_text", "caption", "provider", "model", "request_id")
        click.echo(json.dumps({name: getattr(description, name) for name in names}, ensure_ascii=False, indent=2))
        return
    click.echo(f"Alt text: {plain(description.alt_text)}")
    click.echo(f"Caption:  {plain_block(description.caption)}")
    click.echo(f"  described by {plain(', '.join(filter(None, [description.provider, description.model])))}", err=True)
