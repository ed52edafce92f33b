"""Turning what the user named into files, lazily.

Rules: folders are walked in a stable order without holding the list; no link is followed out of the tree; hidden files are
left out; a named file is always given, whatever its ending, while a folder gives only files whose content is an image.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from assay.provenance.media_type import sniff


def files(targets: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that `targets` (files and folders) name; missing ones are yielded too, so that opening them says so."""
    for target in targets:
        if target.is_dir():
            yield from _inside(target)
        else:
            yield target


def _inside(folder: Path) -> Iterator[Path]:
    entries: list[os.DirEntry[str]] = []
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError:
        yield folder  # opening it will say why it cannot be read
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _inside(Path(entry.path))
        elif entry.is_file(follow_symlinks=False) and _worth_opening(entry.path):
            yield Path(entry.path)


_IMAGE_ENDINGS = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".gif",
        ".tif",
        ".tiff",
        ".dng",
        ".avif",
        ".heic",
        ".heif",
        ".hif",
        ".jxl",
        ".svg",
        ".bmp",
        ".mpo",
    ]
)


def _worth_opening(path: str) -> bool:
    """An image by content or by name: what calls itself an image and is none deserves a word; a README does not."""
    if os.path.splitext(path)[1].lower() in _IMAGE_ENDINGS:  # noqa: PTH122 - a million times, Path is slow
        return True
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return sniff(file.read(4096)) is not None
    except OSError:
        return True
