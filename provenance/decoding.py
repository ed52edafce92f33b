"""Decoding an asset into pixels under hard limits.

Rules: Pillow is told which decoder it may use, by the sniffed format, so that no other parser ever sees the file; the
header's size is checked before a pixel is decoded; truncated files are failures, not guesses.
"""

import io
import warnings
from importlib import import_module
from threading import Lock

from PIL import Image, ImageFile

from assay.provenance.asset import DEFAULT_LIMITS, Asset, Limits
from assay.provenance.errors import DecodeFailed, LimitExceeded, MissingExtra, UnsupportedFormat
from assay.provenance.frames import count_frames
from assay.provenance.media_type import MediaType

_PILLOW_FORMATS = {
    MediaType.JPEG: ("JPEG", "MPO"),
    MediaType.PNG: ("PNG",),
    MediaType.WEBP: ("WEBP",),
    MediaType.GIF: ("GIF",),
    MediaType.TIFF: ("TIFF",),
    MediaType.AVIF: ("AVIF",),
    MediaType.BMP: ("BMP", "DIB"),
    MediaType.HEIC: ("HEIF",),
    MediaType.HEIF: ("HEIF",),
    MediaType.JXL: ("JXL",),
}
_PLUGINS = {  # formats that Pillow learns from an extra: module to import, extra to install
    MediaType.HEIC: ("pillow_heif", "heic"),
    MediaType.HEIF: ("pillow_heif", "heic"),
    MediaType.JXL: ("pillow_jxl", "jxl"),
}
_ORIENTATION = 0x0112  # EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SAYS_ORIENTATION = (
    "exif",
    "Raw profile type exif",
    "xmp",
    "XML:com.adobe.xmp",
    "Raw profile type xmp",
)  # keys of `info`
_PILLOWS_LIMIT = Lock()
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I")


def can_decode(media_type: MediaType) -> bool:
    """Whether assay has a decoder for this format (an extra may still be missing)."""
    return media_type in _PILLOW_FORMATS


def open_image(asset: Asset, *, limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """Open the header only: size, mode and `info` are known, pixels are not decoded yet.

    Raises `UnsupportedFormat`, `MissingExtra`, `LimitExceeded` or `DecodeFailed`.
    """
    formats = _PILLOW_FORMATS.get(asset.media_type)
    if formats is None:
        raise UnsupportedFormat(asset.name, f"{asset.media_type}, which assay reads but does not decode")
    _ensure_plugin(asset.media_type)
    frames = count_frames(asset.content, asset.media_type, limit=limits.frames)
    if frames > limits.frames:
        raise LimitExceeded(asset.name, "frames or more", found=frames, limit=limits.frames)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own limit below replaces Pillow's DecompressionBombWarning
            image = _opened(asset.content, formats, limits)
    except Image.DecompressionBombError as error:
        raise LimitExceeded(asset.name, "or more pixels", found=limits.pixels + 1, limit=limits.pixels) from error
    except MemoryError as error:
        raise DecodeFailed(asset.name, "it needs more memory than there is") from error
    except Exception as error:  # openers raise whatever they like on hostile bytes, too
        raise DecodeFailed(asset.name, _reason(error)) from error
    pixels = image.width * image.height
    if pixels > limits.pixels:
        raise LimitExceeded(asset.name, "pixels", found=pixels, limit=limits.pixels)
    return image


def _opened(content: bytes, formats: tuple[str, ...], limits: Limits) -> Image.Image:
    """Pillow has a limit of its own, a global of its module; where ours was raised, that one is raised with it for the opening alone."""
    if limits.pixels <= Limits().pixels:
        return Image.open(io.BytesIO(content), formats=formats)
    with _PILLOWS_LIMIT:
        kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limits.pixels
        try:
            return Image.open(io.BytesIO(content), formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = kept


def decode(asset: Asset, *, limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """Decode the first frame completely, as the file stores it (no rotation by EXIF, no colour conversion)."""
    return load(open_image(asset, limits=limits), asset)


def sketch(asset: Asset, *, limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """The first frame in grey, its sides 256 pixels or a little more. A JPEG is decoded at up to an eighth of its size, which
    reads all of its bytes in a third of the time."""
    image = open_image(asset, limits=limits)
    image.draft("L", (256, 256))  # does nothing for other formats
    image = load(image, asset)
    factor = max(image.size) // 256
    return grey(image).reduce(factor) if factor > 1 else grey(image)


def load(image: Image.Image, asset: Asset) -> Image.Image:
    """Decode the pixels of an opened image of this asset, and return it. Raises `DecodeFailed`."""
    try:
        if ImageFile.LOAD_TRUNCATED_IMAGES:
            raise DecodeFailed(asset.name, "another library told Pillow to accept truncated images")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
    except DecodeFailed:
        raise
    except MemoryError as error:
        raise DecodeFailed(asset.name, "it needs more memory than there is") from error
    except Exception as error:  # decoders raise whatever they like on hostile bytes
        raise DecodeFailed(asset.name, _reason(error)) from error
    return image


def upright(image: Image.Image, *, ground: str = "white") -> Image.Image:
    """RGB of 8 bits, rotated as EXIF says, transparency laid on `ground`; the picture itself where there is nothing to do."""
    image = turned(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        picture = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture)
    return image if image.mode == "RGB" else rgb(image)


def within(image: Image.Image, edge: int, resample: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """A copy of at most `edge` pixels on its long side. Pillow's `thumbnail` changes the picture itself, at which others still look."""
    found = image.copy()
    found.thumbnail((edge, edge), resample)
    return found


def turned(image: Image.Image) -> Image.Image:
    """The picture rotated as EXIF says, and then without EXIF; as it is where EXIF says nothing or cannot be read."""
    turn = _TURNS.get(orientation(image))
    if turn is None:
        return image
    found = image.transpose(turn)
    for key in _SAYS_ORIENTATION:
        found.info.pop(key, None)
    return found


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none, or none that can be read."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow raises whatever it likes on malformed EXIF, a SyntaxError for one
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB of 8 bits, of any mode that Pillow decodes; transparency is dropped."""
    if image.mode in _SIXTEEN_BITS:  # Pillow's own conversion clips them
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.mode == "LAB":  # which Pillow converts by profiles only
        from PIL import ImageCms  # on use: hardly any picture is Lab

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB") or image
    return _opaque(image).convert("RGB")


def _opaque(image: Image.Image) -> Image.Image:
    """A palette with a transparency for each of its colours goes through RGBA: Pillow warns where it has to drop that."""
    many = image.mode == "P" and isinstance(image.info.get("transparency"), bytes)
    return image.convert("RGBA") if many else image


def grey(image: Image.Image) -> Image.Image:
    """The picture in grey of 8 bits, of any mode that Pillow decodes; transparency is dropped."""
    return (rgb(image) if image.mode in (*_SIXTEEN_BITS, "LAB") else _opaque(image)).convert("L")


def _ensure_plugin(media_type: MediaType) -> None:
    if media_type not in _PLUGINS:
        return
    module, extra = _PLUGINS[media_type]
    try:
        plugin = import_module(module)
    except ImportError as error:
        raise MissingExtra(f"decoding {media_type}", extra) from error
    if module == "pillow_heif" and "HEIF" not in Image.OPEN:
        plugin.register_heif_opener()


def _reason(error: BaseException) -> str:
    text = str(error).replace("\n", " ")
    return "no decoder recognises it" if "cannot identify image file" in text else (text[:200] or type(error).__name__)
