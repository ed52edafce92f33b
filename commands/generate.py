"""`assay generate`: pictures from a prompt, each signed before it is written."""

from typing import Any

import click

from assay.commands.pictures import Size, asked, picture_options, run


@click.command()
@click.argument("prompt")
@click.option("--size", type=Size(), help="Width and height in pixels.")
@picture_options
def generate(prompt: str, size: tuple[int, int] | None, **options: Any) -> None:
    """Make pictures from a prompt, signed as they leave

    The manifest says who made the picture, with which model and parameters. The prompt stays private: the manifest holds
    a salted hash of it. The built-in provider `procedural` needs no key and no network.

    Example: assay generate "a lake in the mountains at dusk" -n 2 -o pictures/
    """
    run(asked(prompt, options, size=size), options)
