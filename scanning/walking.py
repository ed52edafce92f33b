"""Turning what the user named into files, lazily.

Rules: folders are walked in a stable order, holding the names of one folder per level and no more; no link is followed out
of the tree; hidden files and what an `.assayignore` names are left out; a named file is always given, whatever its ending,
while a folder gives only files whose content or ending is an image's.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.provenance.errors import AssayError
from assay.provenance.media_type import sniff

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class PatternRefused(AssayError):
    """What was given as a gitignore pattern is none."""


IGNORE_FILE = ".assayignore"  # gitignore syntax; holds for its folder and everything below it
_Rules = tuple[tuple[str, "GitIgnoreSpec"], ...]  # (folder, its patterns), outermost first


def files(
    targets: Iterable[Path], *, exclude: Iterable[str] = (), also: Callable[[str], bool] | None = None
) -> Iterator[Path]:
    """Yield the files that `targets` (files and folders) name; missing ones are yielded too, so that opening them says so.

    `exclude` are gitignore patterns, relative to each folder named. `also` adds files of folders by name, beside images.
    """
    patterns = tuple(exclude)
    for target in targets:
        if os.path.isdir(target):  # noqa: PTH112 - what cannot be asked is yielded, and opening it says why
            rules: _Rules = ((str(target), exclusions(patterns)),) if patterns else ()
            for path in _inside(str(target), rules, also):
                yield Path(path)
        else:
            yield target


def _inside(root: str, rules: _Rules, also: Callable[[str], bool] | None) -> Iterator[str]:
    stack = [_Folder(root, rules)]  # no recursion: a hostile tree may be deeper than Python's stack
    while stack:
        folder = stack[-1]
        name = folder.next_name()
        if name is None:
            stack.pop()
        elif name == "":
            yield folder.path  # opening it will say why it cannot be read
        else:
            path = os.path.join(folder.path, name)  # noqa: PTH118 - a million times, Path is slow
            is_folder = name in folder.folders
            if _ignored(path + "/" * is_folder, folder.rules):
                continue
            if is_folder:
                stack.append(_Folder(path, folder.rules))
            elif _worth_opening(path) or (also is not None and also(path)):
                yield path


class _Folder:
    """One open level of the walk: names in order, and which of them are folders."""

    def __init__(self, path: str, rules: _Rules) -> None:
        self.path, self.rules = path, rules
        self.folders: set[str] = set()
        names: list[str] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name == IGNORE_FILE and entry.is_file(follow_symlinks=False):
                        try:
                            self.rules = (
                                *rules,
                                (path, _tolerant(os.fsdecode(Path(entry.path).read_bytes()).splitlines())),
                            )
                        except OSError:
                            names.append(entry.name)  # opening it will say why
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        self.folders.add(entry.name)
                        names.append(entry.name)
                    elif entry.is_file(follow_symlinks=False):
                        names.append(entry.name)
        except OSError:
            names.append("")
        names.sort(reverse=True)
        self._names = names

    def next_name(self) -> str | None:
        """The next name, an empty one for a folder that cannot be read, None at the end."""
        return self._names.pop() if self._names else None


def exclusions(patterns: Iterable[str]) -> "GitIgnoreSpec":
    """Gitignore patterns that somebody wrote for this very run. Raises `PatternRefused`."""
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise PatternRefused(f"an exclusion is no gitignore pattern: {error}", "see the manual of gitignore") from error


def _tolerant(lines: Iterable[str]) -> "GitIgnoreSpec":
    """Those of a file that lies in the folder: a line that is no pattern excludes nothing, as with git."""
    from pathspec import GitIgnoreSpec

    patterns: list[Any] = []
    for line in lines:
        with suppress(ValueError):
            patterns += GitIgnoreSpec.from_lines([line]).patterns
    return GitIgnoreSpec(patterns)


def _ignored(path: str, rules: _Rules) -> bool:
    """Whether the innermost rule with an opinion says so."""
    for base, spec in reversed(rules):
        said = spec.check_file(path[len(base) :].lstrip("/")).include
        if said is not None:
            return said
    return False


IMAGE_ENDINGS = frozenset(
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


def is_image_name(name: str) -> bool:
    """Whether a name's ending is one that images have."""
    return os.path.splitext(name)[1].lower() in IMAGE_ENDINGS  # noqa: PTH122 - a million times, Path is slow


def _worth_opening(path: str) -> bool:
    """An image by content or by name: what calls itself an image and is none deserves a word; a README does not."""
    if is_image_name(path):
        return True
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return sniff(file.read(4096)) is not None
    except OSError:
        return True
