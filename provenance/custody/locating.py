"""Where a manifest store is: in the file, beside it, or at a remote address that the file names.

Rules: pure look-up, no network; a sidecar is named by the user or lies beside the file under a customary name.
"""

from dataclasses import dataclass
from pathlib import Path

from assay.provenance.asset import Asset
from assay.provenance.errors import LimitExceeded, UnreadableFile
from assay.provenance.jumbf.containers import Embedded, embedded_stores
from assay.provenance.jumbf.residue import broken_carriers, provenance_reference, stray_stores
from assay.provenance.jumbf.store import MAX_STORE


@dataclass(frozen=True, slots=True)
class Located:
    """The stores in a file, what else points to one, and the signs of one that is gone."""

    stores: tuple[Embedded, ...]
    remote_url: str = ""
    residue: tuple[str, ...] = ()


def locate(asset: Asset) -> Located:
    """Look for manifest stores and for what is left of them."""
    stores = embedded_stores(asset.content, asset.media_type)
    residue = list(stray_stores(asset.content, asset.media_type, stores))
    if stores:
        return Located(stores, residue=tuple(residue))
    residue += broken_carriers(asset.content, asset.media_type, store_found=False)
    reference = provenance_reference(asset.content)
    if reference.startswith(("http://", "https://")):
        return Located((), reference, tuple(residue))
    if reference:
        residue.append(f"its XMP still points to a manifest that is gone ({reference[:120]})")
    return Located((), residue=tuple(residue))


def sidecar_beside(path: Path) -> Path | None:
    """`photo.jpg.c2pa` or `photo.c2pa` beside `photo.jpg`, where there is one."""
    for candidate in (path.with_name(path.name + ".c2pa"), path.with_suffix(".c2pa")):
        if candidate.is_file() and candidate != path:
            return candidate
    return None


def read_sidecar(path: Path) -> bytes:
    """A sidecar's bytes. Raises `UnreadableFile` or `LimitExceeded`."""
    try:
        size = path.stat().st_size
        if size > MAX_STORE:
            raise LimitExceeded(str(path), "bytes of manifest store", found=size, limit=MAX_STORE)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile.from_os_error(path, error) from error
