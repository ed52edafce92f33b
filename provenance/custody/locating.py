"""Where a manifest store is: in the file, or at a remote address that the file names.

Rules: pure look-up, no network.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from assay.provenance.asset import Asset
from assay.provenance.jumbf.containers import Embedded, embedded_stores
from assay.provenance.jumbf.residue import broken_carriers, provenance_reference, stray_stores


@dataclass(frozen=True, slots=True)
class Located:
    """The stores of a file, what else points to one, and the signs of one that is gone. `apart`: they were given, not found in it."""

    stores: tuple[Embedded, ...]
    remote_url: str = ""
    residue: tuple[str, ...] = ()
    apart: bool = False

    @property
    def host(self) -> str:
        """Whom the remote address names."""
        try:
            named = urlsplit(self.remote_url).hostname
        except ValueError:  # the file may have anything for an address
            named = None
        return named or "an unnamed host"


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
