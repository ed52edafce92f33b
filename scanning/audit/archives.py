"""What lies in a zip or tar archive, member by member, without unpacking it.

Rules: nothing is written, so no member's path can lead anywhere; members, their headers, their sizes and their sum are bounded
before they are inflated and while they are; archives in archives are named and not opened; what is neither image nor calls itself one is
passed over, as in a folder; what breaks off, is damaged or encrypted cannot be read, as a file without permission; a symbolic link
is none of a file's names, and a hard link in a tar is one.
"""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self, cast

from assay.provenance.asset import DEFAULT_LIMITS, Limits
from assay.provenance.errors import AssayError, LimitExceeded, UnreadableFile
from assay.provenance.media_type import sniff
from assay.provenance.sidecar import SUFFIX, Beside
from assay.scanning.audit.listing import Sidecars
from assay.scanning.audit.sources import ARCHIVE_ENDINGS, UNOPENED_ENDINGS, Item, local_fingerprint, refused
from assay.scanning.walking import exclusions, is_image_name

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MEMBERS = 5_000_000  # of one archive
ENTRIES = 2_000_000  # of one zip, whose list of members is held whole: half a kilobyte each
NAMES = 256 * 1024**2  # bytes of the list of a zip's members; characters of the names in a tar
RATIO = 100  # how far all members together may inflate: photographs hardly do, bombs live on it
STORES = 256 * 1024**2  # bytes of the sidecars of one tar, which are held while it is read
SLACK = 1024**3  # bytes that any archive may inflate to
_HEADER = 4 * 1024**2  # bytes of one member's headers in a tar: long names, attributes, the map of a sparse file
_SHARED = 64 * 1024  # characters of the attributes of all members of a tar, which are gone through for each
_ARCHIVES = (*ARCHIVE_ENDINGS, *UNOPENED_ENDINGS)
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    LookupError,  # `tarfile` on the map of a sparse file that breaks off
    RuntimeError,
    NotImplementedError,
)


class ArchiveRefused(AssayError):
    """A member of a kind that is not opened, or an archive beyond the bounds."""


class _Member(tarfile.TarInfo):
    """A header of a tar. `tarfile` takes a damaged or missing one for the end, which would hide whatever follows."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """Read the next header. Raises `ReadError` where there is neither one nor the end mark."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"neither a member nor the end mark where one must follow ({error})") from error


class _Metered:
    """A tar's bytes, of which no member's headers may take more than is held of them: from zeros packed well a kilobyte would
    fill the memory. `ends`: where the member ends that was read last."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream, self._given, self.ends = path, stream, 0, 0

    def read(self, size: int) -> bytes:
        """The next bytes. Raises `ArchiveRefused` beyond the bound."""
        if (held := self._given - self.ends) > _HEADER:
            raise _too_much(self._path, "bytes of one member's headers", found=held, limit=_HEADER)
        content = self._stream.read(size)
        self._given += len(content)
        return content


class _Listed(io.BufferedReader):
    """A zip's bytes, whose list of members is bounded before anything is made of it."""

    listing = True

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file; while the members are listed, raises `ArchiveRefused` beyond the bounds."""
        if self.listing and size is not None and size > NAMES:
            raise _too_much(self.name, "bytes of its list of members", found=size, limit=NAMES)
        content = super().read(size)
        if self.listing and (found := content.count(zipfile.stringCentralDir)) > ENTRIES:  # type: ignore[attr-defined]
            raise _too_much(self.name, "members", found=found, limit=ENTRIES)
        return content

    def __del__(self) -> None:
        self.close()


class _Names:
    """Names by which members are told apart: several may bear one, and whoever unpacks them is left with the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._given: dict[str, int] = {}

    def of(self, member: str) -> str:
        """`archive!member`, from the second of this name on `archive!#2!member`."""
        name = f"{self._path}!{member}"
        number = self._given.get(name, 0) + 1
        while number > 1 and (other := f"{self._path}!#{number}!{member}") in self._given:
            number += 1
        self._given[name] = number
        if number == 1:
            return name
        self._given[other] = 1
        return other


def members(path: Path, *, exclude: tuple[str, ...] = (), limits: Limits = DEFAULT_LIMITS) -> Iterator[Item]:
    """Yield the images of one archive as `archive!member`; an archive that breaks off says so in a last item. `exclude` are
    gitignore patterns of members."""
    spec = exclusions(exclude) if exclude else None
    try:
        fingerprint = local_fingerprint(path.stat())
        if path.suffix.lower() == ".zip":
            yield from _zip(path, fingerprint, spec, limits)
        else:
            yield from _tar(path, fingerprint, spec, limits)
    except PermissionError as error:
        yield refused(str(path), UnreadableFile.from_os_error(path, error))
    except _BROKEN as error:
        yield refused(str(path), _broken(str(path), "a broken archive", error))
    except AssayError as error:  # a limit of the whole: the rest was not looked at
        yield refused(str(path), UnreadableFile(error.message, error.hint))


def _zip(path: Path, fingerprint: str, spec: "GitIgnoreSpec | None", limits: Limits) -> Iterator[Item]:
    listed = _Listed(io.FileIO(path))  # stays open for the items; closed with the last of them
    archive = zipfile.ZipFile(listed)
    listed.listing = False
    sidecars = Sidecars(archive.namelist())
    names = _Names(path)
    total = 0
    for number, member in enumerate(archive.infolist()):
        total += member.file_size
        _bounded(path, number, total)
        if member.is_dir() or (spec and spec.match_file(member.filename)):
            continue
        if member.filename.lower().endswith(_ARCHIVES):
            yield _nested(names.of(member.filename))
            continue
        if member.filename.endswith(SUFFIX):
            continue
        if member.flag_bits & 1:  # whatever it is called: nobody can tell that it is no image
            name = names.of(member.filename)
            yield refused(name, UnreadableFile(f"{name}: is encrypted", "decrypt the archive"))
            continue
        # A link's content is a path; who unpacks it without care for links gets whatever lies there as a file.
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        if (is_link or not _says_image(member.filename)) and not _sniffed(archive, member):
            continue
        name = names.of(member.filename)
        yield Item(
            name,
            partial(_read_zip, archive, member, name, limits),
            member.file_size,
            _zip_date(member),
            f"{fingerprint} {number} {member.CRC}",
            partial(_zip_beside, archive, path, *found) if (found := sidecars.of(member.filename)) else None,
        )


def _says_image(name: str) -> bool:
    """Whether a member calls itself an image. What macOS packs beside each file is called `._` and that file's name, and is
    none."""
    return is_image_name(name) and not name.rpartition("/")[2].startswith("._")


def _sniffed(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(member) as stream:
            return sniff(stream.read(4096)) is not None
    except _BROKEN:
        return True  # reading it will say why


def _zip_beside(archive: zipfile.ZipFile, path: Path, member: str, sole: bool) -> Beside:
    name = f"{path}!{member}"
    content = _read_zip(archive, archive.getinfo(member), name, replace(DEFAULT_LIMITS, bytes=DEFAULT_LIMITS.store))
    return Beside(name, content, sole)


def _read_zip(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, limits: Limits) -> bytes:
    try:
        with archive.open(member) as stream:
            return _capped(stream, name, member.file_size, limits)
    except _BROKEN as error:
        raise _broken(name, "a broken member", error) from error


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What must be known of a tar before its members are met. `stores`: the sidecars' bytes; `links`: further names of a
    member, by its number; `lost`: the numbers of links to what does not lie before them."""

    sidecars: Sidecars
    stores: dict[str, bytes]
    links: dict[int, list[str]]
    lost: set[int]

    def beside(self, name: str) -> Beside | None:
        """The sidecar of a member."""
        found = self.sidecars.of(name)
        return Beside(found[0], self.stores[found[0]], found[1]) if found else None


def _tar(path: Path, fingerprint: str, spec: "GitIgnoreSpec | None", limits: Limits) -> Iterator[Item]:
    ahead = _look_ahead(path)
    names = _Names(path)
    linked = 0
    # Decompressed here, for tarfile's own streams take a file that breaks off for one that ends.
    with _decompressed(path) as stream:
        for number, (archive, member) in enumerate(_in_turn(path, stream)):
            called = [
                name
                for name in (member.name, *ahead.links.get(number, ()))
                if not name.endswith(SUFFIX) and not (spec and spec.match_file(name))
            ]
            if number in ahead.lost:
                yield from (_lost(names.of(name), member.linkname) for name in called)
            content = archive.extractfile(member) if member.isreg() else None
            if content is None:
                continue
            linked += member.size * len(ahead.links.get(number, ()))
            _bounded(path, number, linked)
            yield from (_nested(names.of(name)) for name in called if name.lower().endswith(_ARCHIVES))
            called = [name for name in called if not name.lower().endswith(_ARCHIVES)]
            for name, item in _tar_items(content, member, called, names, f"{fingerprint} {number}", limits):
                beside = ahead.beside(name)
                yield replace(item, beside=partial(_kept, beside)) if beside else item
        _drain(stream)


def _look_ahead(path: Path) -> _Ahead:
    """A first pass: a tar gives its members in their order, a sidecar may lie behind its picture, and a file's further names
    lie behind its bytes. What breaks this pass breaks the second one, too, which says so."""
    names: list[str] = []
    stores: dict[str, bytes] = {}
    links: defaultdict[int, list[str]] = defaultdict(list)
    lost: set[int] = set()
    met: dict[str, int] = {}  # by name, the number of the last member; for a link, its target's
    held = 0
    with suppress(*_BROKEN), _decompressed(path) as stream:
        for number, (archive, member) in enumerate(_in_turn(path, stream)):
            target = met.get(member.linkname) if member.islnk() else number
            if target is None:
                lost.add(number)
                continue
            met[member.name] = target
            if member.islnk():
                links[target].append(member.name)
            if not member.isreg() and not member.islnk():
                continue
            if not member.name.endswith(SUFFIX):
                names.append(member.name)
            elif member.islnk():
                if member.linkname in stores:
                    stores[member.name] = stores[member.linkname]
            elif member.size <= DEFAULT_LIMITS.store and (content := archive.extractfile(member)) is not None:
                held += member.size
                if held > STORES:
                    raise _too_much(path, "bytes of sidecars", found=held, limit=STORES)
                stores[member.name] = content.read()
    return _Ahead(Sidecars([*names, *stores]), stores, links, lost)


def _in_turn(path: Path, stream: IO[bytes]) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The members of a tar in their order, each to be read before the next. Raises `ArchiveRefused` beyond the bounds."""
    metered = _Metered(path, stream)
    total = names = 0
    with tarfile.open(fileobj=cast(IO[bytes], metered), mode="r|", tarinfo=_Member) as archive:
        for number, member in enumerate(archive):
            archive.members.clear()  # type: ignore[attr-defined] # they would be kept, and are never asked for again
            names += len(member.name)
            total += max(member.size, archive.offset - metered.ends, 0)  # a sparse file's size is not what it takes
            metered.ends = archive.offset
            _bounded(path, number, total)
            if names > NAMES:
                raise _too_much(path, "characters of names", found=names, limit=NAMES)
            shared = sum(len(name) + len(value) for name, value in archive.pax_headers.items())
            if shared > _SHARED:
                raise _too_much(path, "characters of attributes of all members", found=shared, limit=_SHARED)
            yield archive, member


def _kept(beside: Beside) -> Beside:
    return beside


def _decompressed(path: Path) -> IO[bytes]:
    match path.suffix.lower():
        case ".gz" | ".tgz":
            return cast(IO[bytes], gzip.open(path))
        case ".bz2" | ".tbz2":
            return bz2.open(path)
        case ".xz" | ".txz":
            return lzma.open(path)
        case _:
            return path.open("rb")


def _drain(stream: IO[bytes]) -> None:
    """Read past the end mark: a compressed archive that was cut off says so only there."""
    for _ in range(1024):
        if not stream.read(1024 * 1024):
            return


def _tar_items(
    stream: IO[bytes], member: tarfile.TarInfo, called: list[str], names: _Names, fingerprint: str, limits: Limits
) -> Iterator[tuple[str, Item]]:
    """A member by each of its names, where it is an image or is called one."""
    head = stream.read(4096)
    is_image = sniff(head) is not None
    called = [name for name in called if is_image or _says_image(name)]
    content = head + stream.read() if called and member.size <= limits.bytes else b""
    for name in called:
        full = names.of(name)
        if member.size > limits.bytes:
            item = refused(full, LimitExceeded(full, "bytes", found=member.size, limit=limits.bytes))
        elif len(content) != member.size:
            item = refused(full, UnreadableFile(f"{full}: the archive breaks off within it"))
        else:
            item = Item(full, lambda: content, member.size, float(member.mtime), fingerprint)
        yield name, item


def _lost(name: str, target: str) -> Item:
    why = f"{name}: is a hard link to “{target}”, which does not lie before it in the archive"
    return refused(name, UnreadableFile(why, "unpack the archive where that file is"))


def _capped(stream: IO[bytes], name: str, size: int, limits: Limits) -> bytes:
    if size > limits.bytes:
        raise LimitExceeded(name, "bytes", found=size, limit=limits.bytes)
    content = stream.read(limits.bytes + 1)
    if len(content) > limits.bytes:  # its header lied
        raise LimitExceeded(name, "bytes", found=len(content), limit=limits.bytes)
    return content


def _bounded(path: Path, number: int, total: int) -> None:
    if number >= MEMBERS:
        raise _too_much(path, "members", found=number + 1, limit=MEMBERS)
    limit = RATIO * path.stat().st_size + SLACK
    if total > limit:
        raise _too_much(path, "bytes in all members", found=total, limit=limit)


def _too_much(path: Path | str, what: str, *, found: int, limit: int) -> ArchiveRefused:
    return ArchiveRefused(
        f"{path}: {found:,} {what} exceed the limit of {limit:,}; the rest of the archive was not examined",
        "unpack it where there is room, if you trust it, and name the folder",
    )


def _broken(name: str, what: str, error: Exception) -> UnreadableFile:
    return UnreadableFile(f"{name}: {what}: {error}"[:300], "get another copy")


def _nested(name: str) -> Item:
    return refused(name, ArchiveRefused(f"{name}: an archive in an archive is not opened", "unpack the outer one"))


def _zip_date(member: zipfile.ZipInfo) -> float | None:
    try:
        return datetime(*member.date_time, tzinfo=UTC).timestamp()
    except ValueError:
        return None
