"""Manifest stores that stand beside a file instead of in it: what they are called, and their bytes under a cap.

Rules: pure look-up; whether a sidecar was made for the file beside it is for the caller to check, by its hard binding.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from assay.provenance.errors import LimitExceeded, UnreadableFile
from assay.provenance.limits import DEFAULT_LIMITS

SUFFIX = ".c2pa"


@dataclass(frozen=True, slots=True)
class Beside:
    """A sidecar: its name, its manifest store, and whether no other picture beside it could be meant."""

    name: str
    store: bytes
    sole: bool


def sidecar_names(name: str) -> tuple[str, str]:
    """What a sidecar of `photo.jpg` is called, the first before the second: `photo.jpg.c2pa`, `photo.c2pa`."""
    return name + SUFFIX, os.path.splitext(name)[0] + SUFFIX  # noqa: PTH122 - names of members and objects, too


def sidecars_of(path: Path) -> tuple[Path, ...]:
    """Of the customary names beside a file, those that exist, in their order."""
    own = str(path)
    found = (name for name in sidecar_names(own) if name != own and os.path.isfile(name))  # noqa: PTH113 - Path is slow
    return tuple(map(Path, found))


def sidecar_for(path: Path) -> Path:
    """Where the sidecar of a new file goes: `photo.c2pa`, or `photo.jpg.c2pa` where another picture has that stem."""
    own, short = map(Path, sidecar_names(str(path)))
    beside = path.parent.glob(f"{_literal(path.stem)}.*")
    shared = any(other.stem == path.stem and other.name not in (path.name, short.name) for other in beside)
    return own if shared else short


def read_sidecar(path: Path) -> bytes:
    """A sidecar's bytes. Raises `UnreadableFile` or `LimitExceeded`."""
    try:
        size = path.stat().st_size
        if size > DEFAULT_LIMITS.store:
            raise LimitExceeded(str(path), "bytes of manifest store", found=size, limit=DEFAULT_LIMITS.store)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile.from_os_error(path, error) from error


def beside_of(path: Path, sidecar: Path | None = None) -> Beside | None:
    """The sidecar that was named, or the one that lies beside a file. Raises `UnreadableFile` or `LimitExceeded`."""
    found = sidecar or next(iter(sidecars_of(path)), None)
    if found is None:
        return None
    others = () if found.name == path.name + SUFFIX else path.parent.glob(f"{_literal(path.stem)}.*")
    return Beside(found.name, read_sidecar(found), all(other in (path, found) for other in others))


def _literal(stem: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in stem)
