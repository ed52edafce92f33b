"""The embedded generator: pictures out of arithmetic, without a key, a network or a trained model. For demos and tests.

Rules: the same prompt, seed and size give the same bytes; what it makes is `algorithmicMedia`, never
`trainedAlgorithmicMedia`; it describes only what it painted itself or can measure, for it cannot see.
"""

import io
import re
from collections.abc import Callable
from importlib import metadata

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageEnhance, ImageFilter, ImageOps, PngImagePlugin

from assay import __version__
from assay.provenance.asset import Asset
from assay.provenance.decoding import decode, open_image, upright
from assay.provenance.errors import OutputRefused
from assay.provenance.generating.canvas import PALETTES, Painting, Size, rng
from assay.provenance.generating.provider import CannotDo, Connection, Description, Output, Request, Result
from assay.provenance.generating.receiving import stated
from assay.provenance.generating.scenes import PAINTERS
from assay.provenance.media_type import MediaType
from assay.provenance.signing.recipe import SourceType

NAME = "procedural"
SOFTWARE = f"assay {NAME} generator"
DEFAULT_SIZE: Size = (1024, 1024)
LARGEST_EDGE = 4096  # pixels

_SCENE_WORDS = {
    "landscape": "mountain mountains landscape lake sea ocean hill hills sunset sunrise sky valley fjord horizon coast river",
    "fractal": "fractal julia spiral infinite tree branch blossom garden recursion",
    "voronoi": "glass window mosaic cell cells voronoi church crystal crack stone",
    "plasma": "abstract marble swirl smoke fire plasma liquid paint flow dream cloud",
    "geometric": "geometric pattern tiles bauhaus grid circle circles triangle retro quilt modern",
    "poster": "poster sign title headline text word typography cover banner",
}
_PALETTE_WORDS = {
    "dusk": "dusk sunset evening purple violet",
    "dawn": "dawn sunrise morning pastel soft",
    "night": "night moon star stars dark midnight blue",
    "forest": "forest wood woods pine green jungle",
    "ocean": "ocean sea water teal turquoise fjord",
    "ember": "fire ember lava red hot volcano flame",
    "winter": "winter snow ice frost white cold arctic",
    "desert": "desert sand dune brown orange clay",
    "meadow": "meadow spring summer grass yellow field",
    "candy": "candy pink sweet flower blossom love",
    "aurora": "aurora northern polar lights",
    "ink": "ink grey gray black monochrome newspaper",
}
_ENCODERS: dict[MediaType, tuple[str, dict[str, object]]] = {
    MediaType.PNG: ("PNG", {}),
    MediaType.JPEG: ("JPEG", {"quality": 92, "subsampling": 0}),
    MediaType.WEBP: ("WEBP", {"quality": 90, "method": 2}),
}


def connect(connection: Connection) -> "Procedural":
    """There is nothing to connect to."""
    return Procedural()


class Procedural:
    """The `Provider` that needs nothing. `Request.parameters` may hold `scene` and `palette`."""

    name = NAME

    def generate(self, request: Request) -> Result:
        """Paint `request.count` pictures; their seeds follow each other."""
        size = _checked(request.size or DEFAULT_SIZE)
        outputs = tuple(self._generated(request, size, (request.seed or 0) + number) for number in range(request.count))
        return _result(request, outputs)

    def edit(self, request: Request) -> Result:
        """Change the first input: a change of tone where the prompt names one, else a painting set into `request.mask`.

        The mask is opaque white, or transparent, where the picture may change; without one a soft oval is used.
        """
        if not request.inputs:
            raise CannotDo("there is no picture to edit", "give one")
        if request.inputs[1:]:
            raise CannotDo(f"the {NAME} generator looks at one picture only", "give only the one to be edited")
        outputs = tuple(self._edited(request, (request.seed or 0) + number) for number in range(request.count))
        return _result(request, outputs)

    def describe(self, asset: Asset, *, model: str = "") -> Description:
        """Repeat what the generator wrote into a picture of its own; of any other, say what can be measured."""
        if own := _own_words(asset):
            return Description(alt_text=own, caption=f"{own} Computed by the {SOFTWARE}.", provider=NAME)
        measured = _measured(decode(asset))
        return Description(
            alt_text=measured,
            caption=f"{measured} What it shows was not described: the {NAME} provider cannot see.",
            provider=NAME,
        )

    def _generated(self, request: Request, size: Size, seed: int) -> Output:
        scene, palette, painting = _paint(request, size, seed)
        content = _encoded(painting.image, request.output_format or MediaType.PNG, painting.alt_text)
        return Output(
            asset=Asset.from_bytes(content, name=f"{NAME}-{seed}"),
            source_type=SourceType.ALGORITHMIC_MEDIA,
            parameters=(("seed", seed), ("scene", scene), ("palette", palette)),
            alt_text=painting.alt_text,
        )

    def _edited(self, request: Request, seed: int) -> Output:
        original = upright(decode(request.inputs[0]))
        before = _own_words(request.inputs[0]).rstrip(".") or "The picture"
        grades = [name for name in _GRADES if re.search(rf"\b{name}", request.prompt.lower())]
        if grades:
            changed = original
            for name in grades:
                changed = _GRADES[name](changed)
            scene, palette, alt_text = ", ".join(grades), "", f"{before}, made {' and '.join(grades)}."
            source_type = SourceType.ALGORITHMICALLY_ENHANCED
        else:
            scene, palette, painting = _paint(request, original.size, seed)
            changed = painting.image
            alt_text = f"{before}, with something set into it: {painting.alt_text}"
            source_type = SourceType.COMPOSITE
        if request.mask is not None or not grades:
            changed = Image.composite(changed, original, _mask(request, original.size, seed))
        content = _encoded(changed, request.output_format or request.inputs[0].media_type, alt_text)
        parameters = (("seed", seed), ("scene", scene)) + ((("palette", palette),) if palette else ())
        return Output(
            asset=Asset.from_bytes(content, name=f"{NAME}-{seed}"),
            source_type=source_type,
            parameters=parameters,
            alt_text=alt_text,
        )


def _own_words(asset: Asset) -> str:
    """What this generator said of the picture: in an intact manifest, else in a PNG's text."""
    said = stated(asset)
    if said.get("provider") == NAME and said.get("altText"):
        return str(said["altText"])
    texts: dict[str, str] = getattr(open_image(asset), "text", {})
    return str(texts.get("Description", "")) if texts.get("Software") == SOFTWARE else ""


def _result(request: Request, outputs: tuple[Output, ...]) -> Result:
    return Result(
        provider=NAME, provider_version=__version__, model_requested=NAME, model_returned=NAME, outputs=outputs,
        parameters=(("pillow", metadata.version("pillow")), *request.parameters),
    )  # fmt: skip


def _paint(request: Request, size: Size, seed: int) -> tuple[str, str, Painting]:
    """Choose a scene and a palette (asked for, named by a word of the prompt, or by lot) and paint them."""
    wishes = dict(request.parameters)
    random_ = rng(request.prompt, seed)
    words = set(re.findall(r"[a-z]+", request.prompt.lower()))
    lots = (random_.choice(list(PAINTERS)), random_.choice(list(PALETTES)))
    scene = str(wishes.get("scene") or _named(words, _SCENE_WORDS) or lots[0])
    palette = str(wishes.get("palette") or _named(words, _PALETTE_WORDS) or lots[1])
    for what, wish, known in (("scene", scene, PAINTERS), ("palette", palette, PALETTES)):
        if wish not in known:
            raise CannotDo(f"the {NAME} generator has no {what} {wish!r}", f"choose one of {', '.join(known)}")
    text = request.prompt if scene == "poster" else request.prompt.lower()
    return scene, palette, PAINTERS[scene](size, palette, text, random_)


def _named(words: set[str], vocabulary: dict[str, str]) -> str:
    """The entry with most words in common with the prompt, or nothing."""
    scores = {name: len(words & set(synonyms.split())) for name, synonyms in vocabulary.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] else ""


def _checked(size: Size) -> Size:
    if not all(16 <= edge <= LARGEST_EDGE for edge in size):
        raise CannotDo(f"{size[0]}×{size[1]} pixels cannot be painted", f"each side from 16 to {LARGEST_EDGE}")
    return size


def _encoded(image: Image.Image, media_type: MediaType, alt_text: str) -> bytes:
    if media_type not in _ENCODERS:
        media_type = MediaType.PNG
    name, options = _ENCODERS[media_type]
    if media_type is MediaType.PNG:
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("Software", SOFTWARE)
        texts.add_itxt("Description", alt_text)
        options = options | {"pnginfo": texts}
    buffer = io.BytesIO()
    try:
        image.save(buffer, name, **options)
    except (OSError, ValueError) as error:
        raise OutputRefused(f"the picture cannot be written as {media_type}: {error}") from error
    return buffer.getvalue()


def _mask(request: Request, size: Size, seed: int) -> Image.Image:
    if request.mask is None:
        random_ = rng("mask", request.prompt, seed)
        width, height = size
        x, y = width * random_.uniform(0.3, 0.7), height * random_.uniform(0.3, 0.7)
        half = (width * random_.uniform(0.16, 0.26), height * random_.uniform(0.16, 0.26))
        oval = Image.new("L", size)
        ImageDraw.Draw(oval).ellipse([x - half[0], y - half[1], x + half[0], y + half[1]], fill=255)
        return oval.filter(ImageFilter.GaussianBlur(max(2, min(size) // 60)))
    mask = decode(request.mask)
    if mask.size != size:
        raise CannotDo(f"the mask has {mask.width}×{mask.height} pixels, the picture {size[0]}×{size[1]}", "match them")
    if mask.mode in ("RGBA", "LA"):  # as the OpenAI interface has it: transparent is where the picture may change
        return ImageChops.invert(mask.getchannel("A"))
    return mask.convert("L")


def _warm(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge("RGB", [red.point(lambda v: min(255, v * 1.1)), green, blue.point(lambda v: v * 0.86)])


def _cold(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge("RGB", [red.point(lambda v: v * 0.86), green, blue.point(lambda v: min(255, v * 1.1))])


def _monochrome(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


_GRADES: dict[str, Callable[[Image.Image], Image.Image]] = {  # words of a prompt, and what they do to the whole picture
    "warm": _warm,
    "cold": _cold,
    "monochrome": _monochrome,
    "sepia": lambda image: ImageOps.colorize(image.convert("L"), "#20140a", "#fff3df", mid="#a2825d"),
    "bright": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(max(image.size) / 150)),
    "sharp": lambda image: image.filter(ImageFilter.UnsharpMask(2, 120, 2)),
}

_COLOUR_NAMES = ("black", "white", "gray", "red", "orange", "gold", "green", "teal", "skyblue", "blue", "purple", "pink", "brown", "beige")  # fmt: skip


def _measured(image: Image.Image) -> str:
    """Shape, brightness and main colours, as far as counting tells."""
    shape = "Square" if image.width == image.height else "Upright" if image.width < image.height else "Wide"
    small = image.convert("RGB").resize((48, 48), Image.Resampling.BOX)
    reference = {name: ImageColor.getrgb(name)[:3] for name in _COLOUR_NAMES}
    counts = dict.fromkeys(reference, 0)
    for y in range(48):
        for x in range(48):
            pixel = small.getpixel((x, y))
            assert isinstance(pixel, tuple)
            counts[
                min(reference, key=lambda n: sum((a - b) ** 2 for a, b in zip(pixel, reference[n], strict=True)))
            ] += 1
    main = [name for name, count in sorted(counts.items(), key=lambda c: -c[1]) if count > 48 * 48 * 0.12][:3]
    light = small.convert("L").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(light, int | float)
    tone = "dark" if light < 85 else "bright" if light > 170 else "of middle brightness"
    return f"{shape} picture, {image.width} by {image.height} pixels, {tone}, mainly {' and '.join(main) or 'many colours'}."
