"""What an audit's targets name, item by item: files, globs, lists, archives, object stores.

Rules: lazy, in a stable order; nothing is read before somebody asks the item; whatever keeps an item from being read is
raised by the item itself, so that it becomes a row (so `os.path` asks, which raises nothing); a fingerprint changes whenever
content may have changed.
"""

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from assay.provenance.asset import DEFAULT_LIMITS, Limits
from assay.provenance.errors import AssayError, LimitExceeded, UnreadableFile
from assay.provenance.sidecar import SUFFIX, Beside, beside_of, sidecar_names, sidecars_of
from assay.scanning.walking import exclusions, files

STORE_SCHEMES = ("s3://", "gs://", "az://")
ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
UNOPENED_ENDINGS = (".7z", ".rar", ".tar.zst", ".tzst", ".tar.lz", ".tar.lz4", ".tar.lzma", ".tlz", ".tar.z", ".tbz")
_DEEP = re.compile(r"(?<![^/])\*\*(?![^/])")  # in a glob: folders at any depth


@dataclass(frozen=True, slots=True)
class Item:
    """One file to examine. `read` gives its bytes or raises `AssayError`, and `beside` the sidecar that was seen beside it;
    `fingerprint` covers both and is empty where they cannot be told unchanged without reading; `modified` is seconds since
    1970."""

    name: str
    read: Callable[[], bytes]
    size: int | None = None
    modified: float | None = None
    fingerprint: str = ""
    beside: Callable[[], Beside | None] | None = None

    @property
    def date(self) -> str:
        """`modified` as ISO 8601 in UTC, to the second; empty where unknown or absurd."""
        if self.modified is None:
            return ""
        try:
            return datetime.fromtimestamp(int(self.modified), UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError, OSError):
            return ""


def items(
    targets: Iterable[str],
    *,
    exclude: Iterable[str] = (),
    prune: Iterable[str] = (),
    inside_archives: bool = False,
    passed_over: Callable[[], None] = lambda: None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Item]:
    """Yield what the targets name. A target is a file, a folder, a glob, an archive or an object store's URL.

    A named archive is always opened, one found in a folder only with `inside_archives`; one of a kind that is not opened says so
    instead. Archives in archives are not opened.
    `exclude` are gitignore patterns: of paths below a folder, an archive or a bucket, and of files as they were named, each of
    which is told by `passed_over`. `prune` are more that keep a walk out of folders.
    """
    patterns = tuple(exclude)
    spec = exclusions(patterns) if patterns else None
    for target in targets:
        if target.startswith(STORE_SCHEMES):
            from assay.scanning.audit.stores import objects

            yield from objects(target, exclude=patterns, limits=limits)
            continue
        if "\0" in target:
            yield refused(target, UnreadableFile(f"{target}: no file is called that", "a name holds no NUL"))
            continue
        for path in paths_of(target):
            if spec and not os.path.isdir(path) and spec.match_file(str(path).lstrip("/")):  # noqa: PTH112
                passed_over()
                continue
            if _is_any_archive(str(path)) and os.path.isfile(path):  # noqa: PTH113
                yield from _archive(path, patterns, limits)
                continue
            also = _is_any_archive if inside_archives else None
            if _is_sidecar(path):
                continue
            for found in files([path], exclude=(*patterns, *prune), also=also):
                if inside_archives and _is_any_archive(str(found)):
                    yield from _archive(found, patterns, limits)
                else:
                    yield _file(found, limits)


def paths_of(target: str) -> Iterator[Path]:
    """The file or folder that a target names, or those that its glob matches."""
    path = Path(target)
    if glob.has_magic(target) and not os.path.exists(path):  # noqa: PTH110
        found = False
        for match in sorted(set(_matches(target))):
            found = True
            yield Path(match)
        if found:
            return
    yield path


def _matches(pattern: str) -> Iterator[str]:
    """What a glob matches. `**` follows no link and gives none to a folder, as a walk does: `glob` would go in circles."""
    deep = _DEEP.search(pattern)
    if deep is None:
        yield from glob.iglob(pattern)  # noqa: PTH207 - the pattern may be absolute
        return
    before, after = pattern[: deep.start()], pattern[deep.end() :] or "/*"  # a last `**` names files as well as folders
    for top in glob.iglob(before) if before else (os.curdir,):  # noqa: PTH207
        for folder in _with_all_below(top):
            for match in _matches(os.path.join(glob.escape(folder), after.lstrip("/"))):  # noqa: PTH118
                place = match.rstrip("/")
                if not (os.path.islink(place) and os.path.isdir(place)):  # noqa: PTH112, PTH114
                    yield match


def _with_all_below(folder: str) -> Iterator[str]:
    """The folder and all in it, at any depth, that are neither hidden nor links."""
    ahead = [folder]
    while ahead:
        yield (here := ahead.pop())
        with suppress(OSError), os.scandir(here) as entries:  # a glob matches nothing in what cannot be listed
            ahead += [
                entry.path
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]


def is_archive(name: str) -> bool:
    """Whether a name's ending is that of an archive that is opened."""
    return name.lower().endswith(ARCHIVE_ENDINGS)


def _is_any_archive(name: str) -> bool:
    return name.lower().endswith((*ARCHIVE_ENDINGS, *UNOPENED_ENDINGS))


def in_archive(name: str) -> tuple[str, str]:
    """An item's name in two: the archive's, and from the `!` on the member's; that is empty for what lies in no archive."""
    ends = [at + len(ending) for ending in ARCHIVE_ENDINGS if (at := name.lower().find(f"{ending}!")) >= 0]
    return (name[: min(ends)], name[min(ends) :]) if ends else (name, "")


def _is_sidecar(path: Path) -> bool:
    """Whether a path that was named, or that a glob found, is the manifest store of a file beside it and no picture."""
    if path.suffix != SUFFIX or not os.path.isfile(path):  # noqa: PTH113
        return False
    return any(
        other.name != path.name and path.name in sidecar_names(other.name)
        for other in path.parent.glob(f"{glob.escape(path.stem)}*")
    )


def _archive(path: Path, exclude: tuple[str, ...], limits: Limits) -> Iterator[Item]:
    if not is_archive(str(path)):
        why = UnreadableFile(f"{path}: an archive of a kind that is not opened", "unpack it, or pack it as zip or tar")
        return iter([refused(str(path), why)])
    from assay.scanning.audit.archives import members

    return members(path, exclude=exclude, limits=limits)


def _file(path: Path, limits: Limits) -> Item:
    try:
        status = path.stat()
        sidecar = next(iter(sidecars_of(path)), None)
        fingerprint = local_fingerprint(status)
        if sidecar is not None:
            fingerprint += f" {local_fingerprint(sidecar.stat())}"
            if sidecar.name != path.name + SUFFIX:  # whose it is depends on what else lies there
                fingerprint = ""
    except OSError as error:
        return refused(str(path), UnreadableFile.from_os_error(path, error))
    beside = partial(beside_of, path, sidecar) if sidecar else None
    return Item(str(path), partial(_read, path, limits), status.st_size, status.st_mtime, fingerprint, beside)


def refused(name: str, error: AssayError) -> Item:
    """An item that can only say why it cannot be read."""

    def fail() -> bytes:
        raise error

    return Item(name, fail)


def local_fingerprint(status: os.stat_result) -> str:
    """Size, both clocks and the inode: the second clock cannot be set back by whoever changes a file."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"


def _read(path: Path, limits: Limits) -> bytes:
    try:
        if path.is_dir():
            os.scandir(path).close()  # a folder gets here only where it could not be listed: raises why
        if not path.is_file():
            path.stat()
            raise UnreadableFile(f"{path}: is no regular file", "name a file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.bytes:
                raise LimitExceeded(str(path), "bytes", found=size, limit=limits.bytes)
            content = file.read(limits.bytes + 1)
    except OSError as error:
        raise UnreadableFile.from_os_error(path, error) from error
    if len(content) > limits.bytes:
        raise LimitExceeded(str(path), "bytes", found=len(content), limit=limits.bytes)
    return content
