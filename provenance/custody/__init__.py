"""The chain of custody, link by link, and the verdict on it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.provenance.asset import Asset
    from assay.provenance.custody.chain import Custody
    from assay.provenance.trust import TrustPolicy


def verify(
    image: "Asset | Path | str", policy: "TrustPolicy | None" = None, *, sidecar: Path | str | None = None
) -> "Custody":
    """The chain of custody of a file (its sidecar is found beside it) or of an asset in memory; nothing is fetched.

    `policy` is whom to believe, by default this machine's lists. Raises `AssayError` where the file cannot be opened; bad
    content is an answer.
    """
    from assay.provenance.asset import Asset
    from assay.provenance.custody.examining import examine
    from assay.provenance.custody.verifying import verify as verify_asset
    from assay.provenance.sidecar import read_sidecar
    from assay.provenance.trust import default_policy

    policy = default_policy() if policy is None else policy
    named = Path(sidecar) if sidecar is not None else None
    if isinstance(image, Asset):
        store = read_sidecar(named) if named else None
        return verify_asset(image, policy, sidecar=store, sidecar_name=f"the sidecar {named.name}" if named else "")
    return examine(Path(image), policy, sidecar=named).custody
