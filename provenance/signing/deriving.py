"""Derivatives that keep their history: resized, cropped, converted or cleaned copies, signed with the original as parent.

Rules: every change that is made is an action, and no action is written that changed nothing; a picture is never enlarged;
what a format cannot carry over is named in the manifest; positions are taken out of the file *and* of the history, and so are
small pictures of what was cropped away.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from assay.provenance.asset import Asset
from assay.provenance.decoding import decode, rgb, turned
from assay.provenance.errors import AssayError, UnsupportedFormat
from assay.provenance.frames import count_frames
from assay.provenance.jumbf.boxes import nested, whole
from assay.provenance.media_type import MediaType
from assay.provenance.signing.ingredients import upstream_of
from assay.provenance.signing.log import SigningLog
from assay.provenance.signing.metadata import POSITION, Metadata
from assay.provenance.signing.recipe import ASSAY, NAMESPACE, Action, Recipe
from assay.provenance.signing.signer import Signer
from assay.provenance.signing.signing import Signed, sign
from assay.provenance.signing.timestamp import TimestampAuthority
from assay.provenance.text import plain

if TYPE_CHECKING:
    from assay.provenance.trust import TrustPolicy

WRITABLE: Mapping[str, MediaType] = {
    "jpeg": MediaType.JPEG,
    "png": MediaType.PNG,
    "webp": MediaType.WEBP,
    "avif": MediaType.AVIF,
    "tiff": MediaType.TIFF,
    "gif": MediaType.GIF,
}
_DEEP = ("I;16", "I;16B", "I;16L", "I", "F")  # Pillow's modes of more than 8 bits
_REDUCED = "reduced to 8 bits for each channel"
_PERSONAL = "c2pa.PII.present"  # the specification's reason for taking out personal facts
_CROPPED = f"{NAMESPACE}.cropped"  # it has none for pictures of what is no longer there
_REDACTABLE = re.compile(r"self#jumbf=/c2pa/([^/]+)/c2pa\.assertions/(?!c2pa\.actions)[^/]+")  # actions never are
_MODES: Mapping[MediaType, tuple[str, ...]] = {  # what each encoder takes as it is; anything else becomes RGB or RGBA
    MediaType.JPEG: ("L", "RGB", "CMYK"),
    MediaType.PNG: ("1", "L", "LA", "RGB", "RGBA", "I;16"),
    MediaType.WEBP: ("RGB", "RGBA"),
    MediaType.AVIF: ("RGB", "RGBA"),
    MediaType.TIFF: ("1", "L", "LA", "RGB", "RGBA", "CMYK", "I;16"),
    MediaType.GIF: ("L", "RGB", "RGBA"),
}


class DerivationRefused(AssayError):
    """The derivative asked for cannot be made from this picture."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright picture, origin top left."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """What to change. Cropping comes first, then resizing (`resize`: greatest width and height in pixels)."""

    crop: Box | None = None
    resize: tuple[int, int] | None = None
    media_type: MediaType | None = None
    quality: int = 85  # 1 to 100, for JPEG, WebP and AVIF
    drop_gps: bool = False


def derive(
    asset: Asset,
    derivation: Derivation,
    signer: Signer,
    *,
    into: Path | None = None,
    sidecar: bool = False,
    overwrite: bool = False,
    timestamp: TimestampAuthority | None = None,
    asset_sidecar: bytes | None = None,
    thumbnail: int = 0,
    policy: "TrustPolicy | None" = None,
    log: SigningLog | None = None,
) -> Signed:
    """Make the derivative and sign it with `asset` as its parent. `thumbnail` as in `Recipe`; the rest as in `sign`.

    Raises `DerivationRefused`, and what `decode` and `sign` raise.
    """
    derived, actions = _derived(asset, derivation)
    cropped = any(action.label == "c2pa.cropped" for action in actions)
    redactions, warnings = _redactions(asset, asset_sidecar, positions=derivation.drop_gps, pictures=cropped)
    actions += redactions
    recipe = Recipe.edited(asset, agent=ASSAY, actions=tuple(actions), complete=True)
    signed = sign(
        derived,
        replace(recipe, parent_sidecar=asset_sidecar, thumbnail=thumbnail, parent_thumbnail=not cropped),
        signer,
        into=into,
        sidecar=sidecar,
        overwrite=overwrite,
        timestamp=timestamp,
        policy=policy,
        log=log,
    )
    return replace(signed, source_sha256=asset.sha256, warnings=(*signed.warnings, *warnings))


def _derived(asset: Asset, wanted: Derivation) -> tuple[Asset, list[Action]]:
    target = wanted.media_type or asset.media_type
    if target not in _MODES:
        raise UnsupportedFormat(asset.name, f"{target}, which assay does not write (it writes {', '.join(WRITABLE)})")
    image = decode(asset)
    # Pillow cannot count where the manifest of a TIFF has a directory of its own; ours knows no further pictures of a HEIF
    tiff = asset.media_type is MediaType.TIFF
    frames = count_frames(asset.content, asset.media_type, limit=1) if tiff else getattr(image, "n_frames", 1)
    if frames > 1 and asset.media_type is not MediaType.JPEG:
        raise DerivationRefused(f"{asset.name}: has several frames, and a derivative would keep one only")
    metadata = Metadata.of(image)
    actions: list[Action] = []
    if image.mode not in _DEEP and _depth(asset, image) > 8:
        actions.append(_action("c2pa.color_adjustments", _REDUCED))
    upright = turned(image)
    if upright is not image:
        actions.append(_action("c2pa.orientation", "turned upright as its EXIF orientation says"))
    image = upright
    if (box := wanted.crop) and (box.x, box.y, box.width, box.height) != (0, 0, *image.size):
        image = _cropped(asset, image, box)
        place = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
        actions.append(_action("c2pa.cropped", f"cropped to {box.width} × {box.height} pixels", **place))
    if wanted.resize and (image.width > wanted.resize[0] or image.height > wanted.resize[1]):
        full = image.size
        image = _resized(image, wanted.resize)
        description = f"reduced from {full[0]} × {full[1]} to {image.width} × {image.height} pixels"
        actions.append(_action("c2pa.resized", description, width=image.width, height=image.height))
    before = image.mode
    image, colours = _for_encoder(image, target)
    if colours:
        actions.append(_action("c2pa.color_adjustments", colours))
    if image.mode in ("RGB", "RGBA") and before not in ("RGB", "RGBA", "P"):
        metadata = metadata.without_profile(converted=before == "CMYK")  # it described grey or ink
    if target is not asset.media_type:
        actions.append(_action("c2pa.converted", f"from {asset.media_type} to {target}"))
    else:
        actions.append(_action("c2pa.transcoded", f"encoded anew as {target}"))
    if wanted.drop_gps and metadata.has_position:
        metadata = metadata.without_position()
        actions.append(replace(_action("c2pa.edited.metadata", "the position was taken out"), reason=_PERSONAL))
    kept, lost = metadata.for_format(target)
    if lost:
        actions.append(_action("c2pa.edited.metadata", f"not carried over: {', '.join(lost)}"))
    content = _encoded(image, target, wanted.quality, kept)
    return Asset.from_bytes(content, name=str(PurePath(asset.name).with_suffix(target.suffix))), actions


def _depth(asset: Asset, image: Image.Image) -> int:
    """The bits of a channel in the file. Pillow reduces colours to 8, and does not say so."""
    match asset.media_type:
        case MediaType.PNG:
            return asset.content[24]  # of IHDR, which stands first
        case MediaType.TIFF if isinstance(image, TiffImageFile):
            return int(max(image.tag_v2.get(ExifTags.Base.BitsPerSample, (1,))))
        case MediaType.AVIF | MediaType.HEIC | MediaType.HEIF:
            return max(_pixel_information(asset.content), default=8)
    return 8


def _pixel_information(content: bytes) -> bytes:
    """The bits of every channel of every picture in a file of the HEIF family (ISO/IEC 23008-12, 6.5.6)."""
    metas = nested(content, [whole(content)], b"meta")
    items = (box._replace(start=box.start + 4) for box in metas)  # behind version and flags
    told = nested(content, items, b"iprp", b"ipco", b"pixi")
    return b"".join(content[box.start + 5 : box.end] for box in told)  # behind these and the number of channels


def _action(label: str, description: str, **parameters: int) -> Action:
    return Action(label=label, agent=ASSAY, description=description, parameters=parameters)


def _cropped(asset: Asset, image: Image.Image, box: Box) -> Image.Image:
    inside = 0 <= box.x < box.x + box.width <= image.width and 0 <= box.y < box.y + box.height <= image.height
    if not inside:
        raise DerivationRefused(
            f"{asset.name}: the crop {box.x},{box.y},{box.width},{box.height} is not inside its "
            f"{image.width} × {image.height} pixels",
            "give x,y,width,height in pixels of the upright picture",
        )
    return image.crop((box.x, box.y, box.x + box.width, box.y + box.height))


def _resized(image: Image.Image, limit: tuple[int, int]) -> Image.Image:
    if image.mode in ("P", "1"):  # palettes cannot be interpolated
        image = image.convert("RGBA" if "transparency" in image.info else "RGB" if image.mode == "P" else "L")
    scale = min(limit[0] / image.width, limit[1] / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _for_encoder(image: Image.Image, target: MediaType) -> tuple[Image.Image, str]:
    """Bring the picture into a mode that the encoder takes, and say so where it changes how it looks."""
    modes = _MODES[target]
    transparent = image.has_transparency_data
    if image.mode in modes and not (transparent and image.mode not in ("RGBA", "LA")):
        return image, ""
    if image.mode == "CMYK":
        return _from_cmyk(image), "CMYK turned into sRGB"
    if transparent and "RGBA" not in modes:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB"), (
            "transparency laid on white"
        )
    if image.mode in _DEEP:
        return rgb(image).convert(modes[0]), _REDUCED
    if image.mode == "LAB":
        return rgb(image), "Lab turned into sRGB"
    return image.convert("RGBA" if transparent else "RGB"), ""


def _from_cmyk(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile: the plain formula is what every viewer would use too
    return image.convert("RGB")


def _encoded(image: Image.Image, target: MediaType, quality: int, metadata: Mapping[str, Any]) -> bytes:
    options: dict[str, Any] = dict(metadata)
    match target:
        case MediaType.JPEG:
            options |= {"quality": quality, "optimize": True}
        case MediaType.WEBP | MediaType.AVIF:
            options |= {"quality": quality}
        case MediaType.TIFF:
            options |= {"compression": "tiff_deflate"}
    image = image.copy()  # without the tags of a TIFF file. Pillow's encoders copy from those …
    image.info = {}  # … and from here; only what was decided above may go in
    buffer = io.BytesIO()
    try:
        image.save(buffer, target.name, **options)
    except Exception as error:  # encoders raise whatever they like, on odd metadata too
        reason = plain(str(error), limit=200) or type(error).__name__
        raise DerivationRefused(f"it cannot be written as {target}: {reason}", "try another format") from error
    return buffer.getvalue()


def _redactions(
    asset: Asset, sidecar: bytes | None, *, positions: bool, pictures: bool
) -> tuple[list[Action], list[str]]:
    """One `c2pa.redacted` for each assertion in the original's manifests that tells a position, or that is a small picture of
    what was cropped away; and in words what of these cannot be taken out."""
    found = upstream_of(asset, (), sidecar=sidecar) if positions or pictures else None
    if found is None or found.reading is None:
        return [], []
    manifests = found.reading.report.get("manifests", {})
    reached = _reached(manifests, found.reading.report.get("active_manifest"))
    telling = [uri for label in manifests for uri in _positions(label, manifests[label])] if positions else []
    showing = [uri for label in manifests for uri in _thumbnails(manifests[label])] if pictures else []
    actions, warnings = [], []
    for uris, reason, what in (
        (telling, _PERSONAL, "a position"),
        (showing, _CROPPED, "a small picture of what may have been cropped away"),
    ):
        labels = {uri: parts[1] for uri in uris if (parts := _REDACTABLE.fullmatch(uri))}
        redacted = [uri for uri, label in labels.items() if label in reached]
        actions += [Action(label="c2pa.redacted", agent=ASSAY, reason=reason, redacts=uri) for uri in redacted]
        if not set(uris) <= set(redacted):
            kept = "actions, and manifests to which no step leads, cannot be redacted"
            warnings.append(f"{what} stays in the history of {PurePath(asset.name).name}: {kept}")
    return actions, warnings


def _reached(manifests: Mapping[str, Any], active: str | None) -> set[str]:
    """The labels of the manifests to which the active one leads; the SDK carries others along, and redacts none of them."""
    found: set[str] = set()
    ahead = [active]
    while ahead:
        label = ahead.pop()
        if label is not None and label in manifests and label not in found:
            found.add(label)
            ahead += [part.get("active_manifest") for part in manifests[label].get("ingredients", ())]
    return found


def _positions(label: str, manifest: Mapping[str, Any]) -> Iterator[str]:
    for assertion in manifest.get("assertions", ()):
        if _tells_position(assertion.get("data")):
            instance = assertion.get("instance")
            yield f"self#jumbf=/c2pa/{label}/c2pa.assertions/{assertion['label']}" + (
                f"__{instance}" if instance else ""
            )


def _thumbnails(manifest: Mapping[str, Any]) -> Iterator[str]:
    for holder in (manifest, *manifest.get("ingredients", ())):
        if thumbnail := holder.get("thumbnail"):
            yield thumbnail["identifier"]


def _tells_position(content: Any) -> bool:
    match content:
        case dict():
            return any(POSITION.search(str(key)) or _tells_position(value) for key, value in content.items())
        case list():
            return any(map(_tells_position, content))
    return False
