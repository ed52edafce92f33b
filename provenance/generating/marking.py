"""A mark in the pixels, put in before the picture is signed, so that its manifest is found again when it was stripped.

Rules: mark first, hard-bind last; a mark is declared only if it can be read back from the very bytes that are signed; how
pictures are marked is given from above (`Marker`), for this floor computes nothing on pixels. The action is
`c2pa.watermarked.unbound`: `.bound` asks for a soft binding whose algorithm is on the C2PA list.
"""

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from assay.provenance.asset import Asset
from assay.provenance.decoding import decode, turned
from assay.provenance.errors import AssayError
from assay.provenance.media_type import MediaType
from assay.provenance.signing.metadata import Metadata
from assay.provenance.signing.recipe import ASSAY, Action, Recipe

if TYPE_CHECKING:
    from PIL.Image import Image

WATERMARKED = "c2pa.watermarked.unbound"
UNMARKABLE = "no mark was put into the picture: its texture, or the lack of any, lets none be read back"
_ENCODERS: dict[MediaType, tuple[str, dict[str, Any]]] = {
    MediaType.PNG: ("PNG", {}),
    MediaType.JPEG: ("JPEG", {"quality": 95, "subsampling": 0, "optimize": True}),
    MediaType.WEBP: ("WEBP", {"quality": 95, "method": 4}),
}
_MODES = {"RGB": "RGB", "RGBA": "RGBA", "L": "L", "1": "L", "LA": "RGBA", "PA": "RGBA", "P": "RGB"}


class Marker(Protocol):
    """Writes identifiers into pixels and reads them back. `name` is the scheme's."""

    name: str

    def mark(self, image: "Image") -> tuple["Image", bytes]:
        """A marked copy, and the payload that was made up for it. Raises `AssayError` where the picture cannot carry one."""
        ...

    def read(self, image: "Image") -> bytes | None:
        """The payload of a picture, None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Mark:
    """A picture that was marked, with the scheme and the payload that is in it."""

    asset: Asset
    scheme: str
    payload: bytes

    def declared(self, recipe: Recipe, received: Asset, *, has_manifest: bool, sidecar: bytes | None = None) -> Recipe:
        """The recipe for the marked picture: what came is the parent if it brought a manifest, and the mark is an action."""
        action = Action(
            label=WATERMARKED,
            agent=ASSAY,
            description="an invisible identifier by which the manifest is found again",
            parameters={"watermark": self.scheme, "watermarkPayload": self.payload.hex()},
        )
        recipe = recipe.upon(received, has_manifest=has_manifest, sidecar=sidecar)
        return replace(recipe, actions=(*recipe.actions, action))


def marked(asset: Asset, marker: Marker) -> Mark | None:
    """Mark a picture and encode it anew in its own format; None where the mark cannot be read back.

    EXIF, XMP, colour profile and a PNG's texts go along; a manifest does not, it binds the bytes that came.
    Raises `AssayError` where the format or the size cannot carry a mark.
    """
    image = decode(asset)
    if asset.media_type not in _ENCODERS or image.mode not in _MODES or getattr(image, "n_frames", 1) > 1:
        raise AssayError(
            f"{asset.name}: a {asset.media_type} of this kind cannot be marked",
            f"ask for a still picture as {', '.join(kind.name for kind in _ENCODERS)}",
        )
    metadata = Metadata.of(image)
    texts = {key: text for key, text in getattr(image, "text", {}).items() if key != "XML:com.adobe.xmp"}
    mode = "RGBA" if "transparency" in image.info else _MODES[image.mode]
    picture, payload = marker.mark(turned(image).convert(mode))
    content = _encoded(picture, metadata, asset.media_type, texts)
    remade = Asset.from_bytes(content, name=asset.name)
    return Mark(remade, marker.name, payload) if marker.read(decode(remade)) == payload else None


def _encoded(picture: "Image", metadata: Metadata, media_type: MediaType, texts: dict[str, str]) -> bytes:
    name, options = _ENCODERS[media_type]
    carried, _ = metadata.for_format(media_type)
    if media_type is MediaType.PNG and texts:
        from PIL.PngImagePlugin import PngInfo

        carried.setdefault("pnginfo", PngInfo())
        for key, text in texts.items():
            carried["pnginfo"].add_itxt(key, text)
    buffer = io.BytesIO()
    picture.save(buffer, name, **options, **carried)
    return buffer.getvalue()
