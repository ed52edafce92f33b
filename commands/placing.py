"""Where a command writes what `-o` names.

Rule: a name that ends in a slash is a folder's, whatever dots are in it.
"""

import os
from pathlib import Path
from typing import Any

import click


class OutputFile(click.Path):
    """The path of a file to write; one that ends as a folder's is a usage error."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if _ends_as_a_folder(os.fspath(value)):
            self.fail(f"{os.fspath(value)!r} ends as a folder's name does: name a file", param, ctx)
        return super().convert(value, param, ctx)


def output_path(out: str, name: str) -> Path:
    """`out` itself, or a file of that name in it where it is a folder, or written like one: with a slash at its end, or without
    an ending."""
    path = Path(out)
    return path / name if is_folder(out) or not path.suffix else path


def is_folder(out: str) -> bool:
    """Whether it is a folder, or its slash says that it is to be one."""
    return _ends_as_a_folder(out) or Path(out).is_dir()


def _ends_as_a_folder(name: str) -> bool:
    return os.path.basename(name) in ("", ".", "..")  # noqa: PTH119 - a Path has forgotten it
