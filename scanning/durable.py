"""Durable Content Credentials: pictures signed so that their manifests are found again when a platform strips them.

Rules: nothing is marked, bound or remembered unless asked for; a mark goes into the pixels before they are signed. Here meets
what two lower floors may not know of each other: how pictures are signed, and how they are marked and fingerprinted.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from assay.provenance.generating.wrapping import signed as wrapped
from assay.provenance.signing.signer import Signer
from assay.provenance.signing.signing import Signed

if TYPE_CHECKING:
    from assay.provenance.repository import Place

T = TypeVar("T")


def durability(*, watermark: bool = False, soft_binding: bool = False) -> dict[str, Any]:
    """The options of `Terms` that mark pictures with assay's own mark and bind them by their ISCC Image-Code."""
    options: dict[str, Any] = {}
    if watermark:
        from assay.detectors.watermarks.spread import SpreadMark

        options["marker"] = SpreadMark()
    if soft_binding:
        from assay.detectors.fingerprints.iscc import ImageCode

        options["fingerprinter"] = ImageCode()
    return options


def remembering(where: "Place | None" = None) -> Callable[[Signed], None]:
    """What remembers each signed picture in a repository (default: this user's). Raises `AssayError` when called."""
    from assay.provenance.repository import open_repository
    from assay.scanning.recovering import remember

    def keep(one: Signed) -> None:
        with open_repository(where) as repository:
            remember(one.asset, repository, sidecar=one.sidecar)

    return keep


@overload
def signed(target: T, /, *, signer: Signer | str, **options: Any) -> T: ...
@overload
def signed(target: None = None, /, *, signer: Signer | str, **options: Any) -> Callable[[T], T]: ...
def signed(
    target: Any = None,
    /,
    *,
    signer: Signer | str,
    watermark: bool = False,
    soft_binding: bool = False,
    remember: bool = False,
    **options: Any,
) -> Any:
    """Wrap an image generator so that each picture leaves it signed: `provenance.generating.wrapping.signed`, and besides

    `watermark` hides an identifier in the pixels first, `soft_binding` states the ISCC fingerprint in the manifest, and
    `remember` keeps manifest, fingerprints and identifier in this user's repository, where `assay recover` finds them.
    """
    options |= durability(watermark=watermark, soft_binding=soft_binding)
    if remember:
        options["kept"] = remembering()
    return wrapped(target, signer=signer, **options)
